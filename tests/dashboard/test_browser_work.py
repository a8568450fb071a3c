"""Beside the desk, in a real browser: asking, pipelines, traces with an alert, channels, every page at both widths."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from browser import executable
from playwright.sync_api import Page, expect
from site_of_tests import LATE_MS, Site
from traced import scored, sent, trace

from observe import alerts

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(executable() is None, reason="no Chromium on this machine (apt-get install chromium, or set CHROMIUM)"),
]
NOW = datetime.now(UTC)
PAGES = {
    "inbox": ("", "Need somebody"),
    "case": ("case?case=case-ep01&tab=Evidence", "Anomalies"),
    "related": ("case?case=case-ep03&tab=Related", "What would merge"),
    "council": ("council", "Members"),
    "live": ("live", "Needs you now"),
    "entity": ("entity?name=account%3AA13%2FEUR", "Judged against"),
    "service": ("entity?name=service%3Apayments", "Judged against"),
    "found": ("entity", "Flagged most severely"),
    "health": ("health", "Newest refused"),
    "section": ("runbook?section=runbook%23services-pool", "Connection pool exhaustion"),
    "chat": ("chat", "Ask about an account"),
    "runbook": ("runbook?tab=Documents", "Uploading"),
    "traces": ("traces", "Hallucinations"),
    "trace": ("trace?trace=trace-shop-3", "Steps"),
    "alerts": ("alerts?tab=Channels", "No channel yet"),
    "pipelines": ("pipelines", "Processors"),
    "schedules": ("pipelines?tab=Schedules", "Schedules"),
    "settings": ("settings?tab=In+force", "differ from their default"),
}


@pytest.fixture(scope="module", autouse=True)
def traces(site: Site) -> None:
    """Answers of a shop's assistant, one of which invents; and a rule that looks for such."""
    rule = {
        "project": "shop",
        "metric": "faithfulness",
        "comparison": "below",
        "threshold": 0.95,
        "window_s": 86_400.0,
        "least": 1,
    }
    trace(site.database, site.settings, [sent(1, NOW), sent(3, NOW), sent(2, NOW, bad=True)], NOW)
    with site.database.connection() as connection:
        alerts.create(connection, "main", "invents", rule, "key:test")


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).first.click(timeout=LATE_MS)


def test_the_runbook_is_asked_and_its_citation_followed(site: Site) -> None:
    page = site.open("chat", "Ask about an account")
    field = page.get_by_test_id("stChatInputTextArea")
    field.fill("What do I check when a terminal tests cards?")
    field.press("Enter")
    source = page.locator(".cv-sources a", has_text="Checks")
    expect(source.first).to_be_visible(timeout=LATE_MS)
    expect(page.get_by_text("testing stays under $5 and $10").first).to_be_visible()
    expect(page.get_by_text("without a model").first).to_be_visible(timeout=LATE_MS)
    source.first.click()
    expect(page.get_by_role("heading", name="Checks", exact=True)).to_be_visible(timeout=LATE_MS)
    page.context.close()


def test_a_segment_is_made_of_a_rule_and_seen_to_act_in_a_dry_run(site: Site) -> None:
    page = site.open("pipelines", "Make a processor", role="admin")
    page.get_by_role("textbox", name="Name").first.fill("large-payments")
    page.get_by_role("textbox", name="Name").first.press("Enter")
    press(page, "Dry run")
    expect(page.get_by_text("Would hit").first).to_be_visible(timeout=LATE_MS)
    press(page, "Keep and let it act")
    expect(page.get_by_text("large-payments acts from the stream's next batch on.").first).to_be_visible(timeout=LATE_MS)
    page.goto(f"{site.address}/pipelines?tab=Segments")
    press(page, "Make or change a segment")
    popover = page.get_by_test_id("stPopoverBody")
    popover.get_by_role("textbox", name="Name").fill("payments")
    popover.get_by_role("textbox", name="Takes events for which").fill('currency == "EUR"')
    popover.get_by_role("combobox", name="Processors, in order").click()
    page.get_by_role("option", name="large-payments").click()
    page.keyboard.press("Escape")
    popover.get_by_role("button", name="Write").click()
    expect(page.get_by_text("The segment payments is written").first).to_be_visible(timeout=LATE_MS)
    press(page, "Dry run")
    tile = page.locator(".cv-tile", has_text="Would hit")
    expect(tile.get_by_text("10", exact=True)).to_be_visible(timeout=LATE_MS)
    [row] = site.database.fetch("list_segments", tenant="main", after="", limit=9)
    assert (row["filter"], row["processors"]) == ('currency == "EUR"', ["large-payments"])
    page.context.close()


def test_a_bad_trace_raises_an_alert_that_names_it_and_is_acknowledged(site: Site) -> None:
    scored(site.database, site.settings, NOW)
    page = site.open("traces?tab=Alerts", "faithfulness below in shop")
    page.locator("summary", has_text="faithfulness below in shop").first.click()
    press(page, "Acknowledge")
    expect(page.get_by_text("You look after it.").first).to_be_visible(timeout=LATE_MS)
    page.goto(f"{site.address}/trace?trace=trace-shop-2-bad")
    expect(page.locator("mark", has_text="Gloria Winterbottom").first).to_be_visible(timeout=LATE_MS)
    [alert] = alerts.listed(site.database, "main")
    assert alert["state"] == "acknowledged"
    page.context.close()


def test_a_channel_is_made_and_its_test_reaches_the_receiver(site: Site) -> None:
    page = site.open("alerts?tab=Channels", "No channel yet", role="admin")
    press(page, "Make a channel")
    popover = page.get_by_test_id("stPopoverBody")
    popover.get_by_role("combobox", name="Kind").click()
    page.get_by_role("option", name="webhook").click()
    needs = popover.get_by_role("textbox", name="What it needs")
    expect(needs).to_have_value(re.compile("NOTIFY_WEBHOOK_SECRET"), timeout=LATE_MS)
    popover.get_by_role("textbox", name="Name").fill("desk-hook")
    config = json.dumps({"url": site.receiver.url.replace("/commands", "/alerts"), "secret": "env:NOTIFY_TEST_HOOK"})
    needs.fill(config)
    popover.get_by_role("button", name="Make", exact=True).click()
    expect(page.get_by_text("The channel desk-hook is written.").first).to_be_visible(timeout=LATE_MS)
    page.keyboard.press("Escape")
    press(page, "Send a test")
    page.get_by_test_id("stPopoverBody").get_by_role("button", name="Send", exact=True).click()
    expect(page.get_by_text("The test arrived at desk-hook").first).to_be_visible(timeout=LATE_MS)
    assert any(headers.get("x-conclave-signature") and b"desk-hook" in body for headers, body in site.receiver.requests)
    page.context.close()


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_every_page_is_readable(width: int, scheme: str, site: Site, tmp_path: Path) -> None:
    page = site.open("", "Need somebody", width=width, scheme=scheme)
    for which, (path, shown) in PAGES.items():
        page.goto(f"{site.address}/{path}")
        said = page.get_by_text(shown).first if which not in ("runbook", "alerts") else page.get_by_role("tab").first
        expect(said).to_be_visible(timeout=LATE_MS)
        assert page.locator("[data-testid=stException]").count() == 0, which
        overflow = page.evaluate(
            "(document.querySelector('[data-testid=stMain]') || document.body).scrollWidth - window.innerWidth"
        )
        assert overflow <= 0, f"{which} scrolls sideways by {overflow} px at {width}"
        page.screenshot(path=tmp_path / f"{which}-{width}-{scheme}.png", full_page=True)
    page.context.close()
