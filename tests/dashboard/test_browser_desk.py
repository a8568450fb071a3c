"""What people do at the desk, in a real browser: acknowledge, dismiss, approve, be too late, and not be allowed to."""

import json

import pytest
from browser import executable
from playwright.sync_api import Page, expect
from site_of_tests import LATE_MS, SECRET, Site

from desk import cases
from notify.signing import verify
from trust.roles import Caller, Role

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(executable() is None, reason="no Chromium on this machine (apt-get install chromium, or set CHROMIUM)"),
]


def status(site: Site, case_id: str) -> str:
    return str(site.database.fetch("desk_file", tenant="main", case_id=case_id)[0]["status"])


def done(page: Page, said: str) -> None:
    expect(page.get_by_text(said).first).to_be_visible(timeout=LATE_MS)


def test_a_case_is_found_in_the_inbox_and_acknowledged_by_keyboard(site: Site) -> None:
    page = site.open("", "Need somebody")
    line = page.locator(".cv-inbox li", has=page.locator(".cv-name", has_text="checkout"))
    line.click()
    expect(page.get_by_role("heading", name="checkout")).to_be_visible(timeout=LATE_MS)
    expect(page.get_by_role("button", name="Acknowledge")).to_be_visible(timeout=LATE_MS)
    page.keyboard.press("a")
    done(page, "You acknowledged it.")
    expect(page.locator(".cv-signs").get_by_text("Acknowledged")).to_be_visible(timeout=LATE_MS)
    assert status(site, "case-ep04") == "acknowledged"
    page.get_by_role("tab", name="Timeline").click()
    expect(page.get_by_text("acknowledged it and took it")).to_be_visible(timeout=LATE_MS)
    page.context.close()


def test_a_case_is_dismissed_with_a_reason_and_the_other_desk_sees_it(site: Site) -> None:
    other = site.open("case?case=case-ep02", "A13", role="admin")
    page = site.open("case?case=case-ep02", "A13")
    page.get_by_role("button", name="Dismiss").click()
    page.get_by_role("textbox", name="In your words").first.fill("The customer called. <b>x</b>")
    page.get_by_test_id("stFormSubmitButton").get_by_role("button", name="Dismiss").click()
    done(page, "The case is dismissed.")
    expect(other.locator(".cv-signs").get_by_text("Dismissed")).to_be_visible(timeout=LATE_MS)
    expect(other.get_by_text("The customer called. <b>x</b>").first).to_be_visible(timeout=LATE_MS)
    assert status(site, "case-ep02") == "dismissed"
    page.context.close()
    other.context.close()


def test_who_comes_too_late_is_told_what_changed_and_changes_nothing(site: Site) -> None:
    page = site.open("case?case=case-ep03", "payments")
    expect(page.get_by_role("button", name="Investigate")).to_be_visible(timeout=LATE_MS)
    kim = Caller("main", "key:kim", "Kim", Role.analyst)
    with site.database.connection() as connection:
        cases.act(connection, kim, "case-ep03", 1, "tag", tags=["seen"])
    page.get_by_role("button", name="Investigate").click()
    expect(page.get_by_text("Kim tagged it seen").first).to_be_visible(timeout=LATE_MS)
    assert status(site, "case-ep03") == "open"
    page.get_by_role("button", name="Investigate").click()
    done(page, "You are investigating it.")
    assert status(site, "case-ep03") == "investigating"
    page.context.close()


def test_an_approved_command_reaches_the_webhook_signed_and_its_answer_is_shown(site: Site) -> None:
    page = site.open("case?case=case-ep01", "Hold the terminal")
    page.get_by_role("button", name="Approve").click()
    done(page, "The command is approved.")
    site.work()
    expect(page.get_by_text("Executed").first).to_be_visible(timeout=LATE_MS)
    expect(page.get_by_text("HTTP 200").first).to_be_visible(timeout=LATE_MS)
    [(headers, body)] = site.receiver.requests
    assert json.loads(body)["target"] == "counterparty:T137/EUR"
    assert headers["idempotency-key"] == "cmd-ep01"
    at = int(headers["x-conclave-timestamp"])
    assert verify(SECRET, at, body, headers["x-conclave-signature"].removeprefix("v1="), at)
    page.context.close()


def test_a_viewer_reads_everything_and_may_do_nothing(site: Site) -> None:
    page = site.open("case?case=case-ep01", "Hold the terminal", role="viewer")
    expect(page.get_by_text("Working on a case needs the role analyst")).to_be_visible(timeout=LATE_MS)
    expect(page.get_by_text("Deciding on commands needs the role analyst")).to_be_visible(timeout=LATE_MS)
    assert page.get_by_role("button", name="Acknowledge").count() == 0
    assert page.get_by_role("button", name="Approve").count() == 0
    page.goto(f"{site.address}/settings?tab=Keys")
    expect(page.get_by_text("Managing keys needs the role admin")).to_be_visible(timeout=LATE_MS)
    assert page.get_by_role("button", name="Make a key").count() == 0
    page.context.close()


def test_a_wrong_key_opens_nothing_and_a_revoked_one_no_longer(site: Site) -> None:
    page = site.browser.new_page()
    page.goto(f"{site.address}/case?case=case-ep01")
    page.get_by_label("API key").fill("conclave_00ff_1234", timeout=LATE_MS)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_text("This key opens nothing")).to_be_visible(timeout=LATE_MS)
    assert page.get_by_text("T137").count() == 0
    page.close()
