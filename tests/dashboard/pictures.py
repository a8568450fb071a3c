"""Take the pictures of docs/pictures from a running dashboard without sign-in:

python tests/dashboard/pictures.py http://127.0.0.1:8501 [NAME …]

NAME: some of inbox, case, traces, chat, pipelines, live, entity, health, live-390; default: all. Each is kept below 200 kB.
"""

import sys
from collections.abc import Callable
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, expect

sys.path.insert(0, str(Path(__file__).parent))
from browser import chromium

FOLDER = Path(__file__).parents[2] / "docs" / "pictures"
LATE_MS = 60_000
MOST_BYTES = 200_000


def opened(browser: Browser, address: str, width: int = 1280, height: int = 900, scale: float = 1.5) -> Page:
    page = browser.new_page(
        viewport={"width": width, "height": height}, device_scale_factor=scale, color_scheme="light", timezone_id="Europe/Berlin"
    )
    page.goto(address)
    return page


def drawn(page: Page, shown: str, chart: bool = False) -> Page:
    """Wait until the page shows what it is about, its chart too, and has had time to settle."""
    expect(page.get_by_text(shown).first).to_be_visible(timeout=LATE_MS)
    if chart:
        expect(page.locator(".js-plotly-plot .main-svg").first).to_be_visible(timeout=LATE_MS)
    page.wait_for_timeout(3000)
    assert page.locator("[data-testid=stException]").count() == 0
    return page


def worst(page: Page) -> str:
    """The address of the entity of the first card under "Needs you now"."""
    page.locator(".cv-ruling > summary").first.click()
    found = page.locator(".cv-ruling[open] a", has_text="Open the entity").first.get_attribute("href")
    assert found, "no confirmed case to open"
    return found


def inbox(browser: Browser, address: str) -> Page:
    return drawn(opened(browser, address), "Need somebody")


def case(browser: Browser, address: str) -> Page:
    page = inbox(browser, address)
    href = page.locator(".cv-case").first.get_attribute("href")
    page.close()
    return drawn(opened(browser, f"{address}/{href}", height=1180), "Ruled by")


def traces(browser: Browser, address: str) -> Page:
    page = opened(browser, f"{address}/traces?tab=Worst+answers", height=860)
    return drawn(page, "sentences that nothing in their contexts supports")


def chat(browser: Browser, address: str) -> Page:
    page = inbox(browser, address)
    name = page.locator(".cv-case .cv-name", has_text="account").first.inner_text().split()[0]
    page.close()
    page = drawn(opened(browser, f"{address}/chat"), "Ask about an account")
    field = page.get_by_test_id("stChatInputTextArea")
    field.fill(f"What happened to account {name} on 4 March 2026?")
    field.press("Enter")
    return drawn(page, "Put together from what is recorded")


def pipelines(browser: Browser, address: str) -> Page:
    page = drawn(opened(browser, f"{address}/pipelines", height=1000), "Make a processor")
    page.get_by_role("button", name="Dry run").first.click()
    return drawn(page, "Would hit")


def live(browser: Browser, address: str) -> Page:
    return drawn(opened(browser, f"{address}/live", height=1900), "Needs you now", chart=True)


def entity(browser: Browser, address: str) -> Page:
    page = live(browser, address)
    href = worst(page)
    page.close()
    return drawn(opened(browser, f"{address}/{href}", height=1400), "Judged against", chart=True)


def health(browser: Browser, address: str) -> Page:
    return drawn(opened(browser, f"{address}/health", height=1300), "Ledger", chart=True)


def phone(browser: Browser, address: str) -> Page:
    return drawn(opened(browser, f"{address}/live", 390, 844, 2), "Needs you now", chart=True)


PICTURES: dict[str, Callable[[Browser, str], Page]] = {
    "inbox": inbox, "case": case, "traces": traces, "chat": chat, "pipelines": pipelines, "live": live, "entity": entity,
    "health": health, "live-390": phone,
}  # fmt: skip


def take(address: str, names: list[str]) -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    with chromium() as browser:
        for name in names:
            page = PICTURES[name](browser, address)
            page.mouse.move(0, 0)
            page.screenshot(path=FOLDER / f"{name}.png")
            page.close()
            smaller(FOLDER / f"{name}.png")


def smaller(file: Path) -> None:
    """A palette is enough for pages; it halves the file."""
    Image.open(file).convert("RGB").quantize(128, dither=Image.Dither.NONE).save(file, optimize=True)
    assert file.stat().st_size <= MOST_BYTES, f"{file.name} has {file.stat().st_size} bytes"


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(str(__doc__))
    take(sys.argv[1].rstrip("/"), sys.argv[2:] or list(PICTURES))
