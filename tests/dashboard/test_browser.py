"""The dashboard in a real browser: both widths, both schemes, live updates, citations, keyboard."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import chromium, executable, served
from caseload import case
from episodes import episode
from playwright.sync_api import Browser, Page, expect
from seed import seed

from store.database import Database

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(executable() is None, reason="no Chromium on this machine (apt-get install chromium, or set CHROMIUM)"),
]
PAGES = {
    "runbook": ("runbook?section=runbook%23services-pool", "Connection pool exhaustion"),
    "live": ("live", "Needs you now"),
    "entity": ("entity?name=account%3AA13%2FEUR", "Judged against"),
    "service": ("entity?name=service%3Apayments", "Judged against"),
    "found": ("entity", "Flagged most severely"),
    "health": ("health", "Newest refused"),
}
LATE_MS = 20_000


@pytest.fixture(scope="module")
def chrome() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def address(database: Database, database_url: str, tmp_path: Path) -> Iterator[str]:
    seed(database)
    with served(
        tmp_path, CONCLAVE_DATABASE_URL=database_url, CONCLAVE_DASHBOARD__REFRESH_S="0.5", CONCLAVE_DASHBOARD__SIGN_IN="off"
    ) as found:
        yield found


def opened(browser: Browser, address: str, which: str, width: int = 1280, scheme: str = "light") -> Page:
    """A page that has drawn what it is about; any dialog would be hostile text at work."""
    path, heading = PAGES[which]
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)  # type: ignore[arg-type]
    page.on("dialog", lambda dialog: pytest.fail(f"hostile text ran: {dialog.message}"))
    page.goto(f"{address}/{path}")
    expect(page.get_by_role("heading", name=heading).first).to_be_visible(timeout=LATE_MS)
    return page


@pytest.mark.parametrize("width", [1280, 390])
def test_every_page_is_readable(width: int, chrome: Browser, address: str, tmp_path: Path) -> None:
    for which in PAGES:
        page = opened(chrome, address, which, width)
        if which in ("live", "entity", "service"):
            expect(page.locator(".js-plotly-plot .main-svg").first).to_be_visible(timeout=LATE_MS)
        assert page.locator("[data-testid=stException]").count() == 0
        assert page.title().endswith("· Conclave")
        assert page.locator("[data-testid=stAppDeployButton]:visible, [data-testid=stMainMenu]:visible").count() == 0
        overflow = page.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth - window.innerWidth")
        assert overflow <= 0, f"{which} scrolls sideways by {overflow} px at {width}"
        page.screenshot(path=tmp_path / f"{which}-{width}.png", full_page=True)
        page.close()


def test_text_and_background_differ_enough_in_both_schemes(chrome: Browser, address: str, tmp_path: Path) -> None:
    for scheme in ("light", "dark"):
        page = opened(chrome, address, "live", scheme=scheme)
        for selector in (".cv-tile .cv-sub", ".cv-score", ".cv-tag", ".cv-cause", ".cv-head small", ".cv-list a"):
            assert page.evaluate(CONTRAST, selector) >= 4.5, (scheme, selector)
        page.screenshot(path=tmp_path / f"live-{scheme}.png")
        page.close()


def test_a_new_case_appears_by_itself_and_an_unfolded_ruling_stays_unfolded(
    chrome: Browser, address: str, database: Database
) -> None:
    page = opened(chrome, address, "live")
    ruling = page.locator(".cv-ruling", has_text="T137").first
    ruling.locator("> summary").focus()
    page.keyboard.press("Enter")
    expect(ruling.get_by_text("Next steps")).to_be_visible()
    expect(page.locator(".cv-feed")).to_be_visible(timeout=LATE_MS)
    read_at = page.get_by_text("Read at").inner_text()
    with database.connection() as connection:
        connection.execute("update episodes set last_at = last_at - interval '30 days'")
        hashes = {
            row["entity"]: row["entity_hash"] for row in connection.execute("select entity, entity_hash from entities").fetchall()
        }
        new = case("account:A30/EUR", 77, "amount_z", "amount", (777.0, 40.0, 8.0, 84.0), severity=0.88, before_min=1)
        episode(connection, hashes, new)
    expect(page.locator(".cv-feed").get_by_text("777.00 EUR")).to_be_visible(timeout=LATE_MS)
    expect(page.get_by_text("Read at")).not_to_have_text(read_at)
    expect(ruling.get_by_text("Next steps")).to_be_visible()
    page.close()


def test_a_citation_opens_its_section_and_the_evidence_is_one_jump_away(chrome: Browser, address: str) -> None:
    page = opened(chrome, address, "live")
    ruling = page.locator(".cv-ruling", has_text="T137").first
    ruling.locator("> summary").click()
    ruling.get_by_role("link", name="e2 worst hit").click()
    expect(ruling.locator(".cv-items li:target")).to_contain_text("value 44 events")
    ruling.get_by_role("link", name="e4 Card testing › Checks").click()
    expect(page.get_by_role("heading", name="Checks", exact=True)).to_be_visible(timeout=LATE_MS)
    expect(page.get_by_text("testing stays under $5 and $10")).to_be_visible()
    page.close()


# WCAG contrast of the text of the first such element against the first opaque background behind it.
CONTRAST = """selector => {
  const element = document.querySelector(selector);
  const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
  const rgb = colour => { canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
                          return [...canvas.getImageData(0, 0, 1, 1).data]; };
  const light = ([r, g, b]) => [r, g, b].map(v => v / 255).map(v => v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
                                .reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0);
  let behind = element;
  while (behind && rgb(getComputedStyle(behind).backgroundColor)[3] < 255) behind = behind.parentElement;
  const [a, b] = [light(rgb(getComputedStyle(element).color)), light(rgb(getComputedStyle(behind).backgroundColor))];
  return (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
}"""
