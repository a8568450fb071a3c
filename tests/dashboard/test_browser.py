"""What the dashboard shows, in a real browser: schemes, live updates, citations, keyboard."""

from pathlib import Path

import pytest
from browser import executable
from caseload import case
from episodes import episode
from playwright.sync_api import expect
from site_of_tests import LATE_MS, Site

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(executable() is None, reason="no Chromium on this machine (apt-get install chromium, or set CHROMIUM)"),
]


def test_text_and_background_differ_enough_in_both_schemes(site: Site, tmp_path: Path) -> None:
    for scheme in ("light", "dark"):
        page = site.open("live", "Newest anomalies", role="viewer", scheme=scheme)
        for selector in (".cv-tile .cv-sub", ".cv-score", ".cv-tag", ".cv-cause", ".cv-head small", ".cv-list a"):
            assert page.wait_for_function(CONTRAST, arg=selector, timeout=LATE_MS).json_value() >= 4.5, (scheme, selector)
        page.screenshot(path=tmp_path / f"live-{scheme}.png")
        page.context.close()


def test_a_new_case_appears_by_itself_and_an_unfolded_ruling_stays_unfolded(site: Site) -> None:
    page = site.open("live", "Needs you now", role="viewer")
    ruling = page.locator(".cv-ruling", has_text="T137").first
    ruling.locator("> summary").focus()
    page.keyboard.press("Enter")
    expect(ruling.get_by_text("Next steps")).to_be_visible()
    expect(page.locator(".cv-feed")).to_be_visible(timeout=LATE_MS)
    read_at = page.get_by_text("Read at").inner_text()
    assert read_at.endswith(("CET", "CEST")), "times are the reader's"
    with site.database.connection() as connection:
        connection.execute("update episodes set last_at = last_at - interval '30 days'")
        hashes = {
            row["entity"]: row["entity_hash"] for row in connection.execute("select entity, entity_hash from entities").fetchall()
        }
        new = case("account:A30/EUR", 77, "amount_z", "amount", (777.0, 40.0, 8.0, 84.0), severity=0.88, before_min=1)
        episode(connection, hashes, new)
    expect(page.locator(".cv-feed").get_by_text("777.00 EUR")).to_be_visible(timeout=LATE_MS)
    expect(page.get_by_text("Read at")).not_to_have_text(read_at)
    expect(ruling.get_by_text("Next steps")).to_be_visible()
    page.context.close()


def test_a_citation_opens_its_section_and_the_evidence_is_one_jump_away(site: Site) -> None:
    page = site.open("entity?name=counterparty%3AT137%2FEUR", "superseded ones too", role="viewer")
    ruling = page.locator(".cv-ruling", has_text="T137").first
    expect(ruling).to_be_visible(timeout=LATE_MS)
    ruling.get_by_role("link", name="e2 worst hit").click()
    expect(ruling.locator(".cv-items li:target")).to_contain_text("value 44 events")
    ruling.get_by_role("link", name="e4 Card testing › Checks").click()
    expect(page.get_by_role("heading", name="Checks", exact=True)).to_be_visible(timeout=LATE_MS)
    expect(page.get_by_text("testing stays under $5 and $10")).to_be_visible()
    page.context.close()


# WCAG contrast of the text of the first such element against the first opaque background behind it; null while the page draws it.
CONTRAST = """selector => {
  const element = document.querySelector(selector);
  if (element === null) return null;
  const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
  const rgb = colour => { canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
                          return [...canvas.getImageData(0, 0, 1, 1).data]; };
  const light = ([r, g, b]) => [r, g, b].map(v => v / 255).map(v => v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
                                .reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0);
  let behind = element;
  while (behind && rgb(getComputedStyle(behind).backgroundColor)[3] < 255) behind = behind.parentElement;
  if (behind === null) return null;
  const [a, b] = [light(rgb(getComputedStyle(element).color)), light(rgb(getComputedStyle(behind).backgroundColor))];
  return (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
}"""
