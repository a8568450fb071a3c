"""Take the pictures of docs/pictures from a running dashboard:

python tests/dashboard/pictures.py http://127.0.0.1:8501 [ENTITY]

ENTITY defaults to the one of the worst confirmed case. The pictures are live.png, entity.png, health.png and live-390.png.
"""

import sys
from pathlib import Path
from urllib.parse import quote

from playwright.sync_api import Browser, Page, expect

sys.path.insert(0, str(Path(__file__).parent))
from browser import chromium

FOLDER = Path(__file__).parents[2] / "docs" / "pictures"
LATE_MS = 60_000


def opened(browser: Browser, address: str, width: int, height: int, scale: float) -> Page:
    page = browser.new_page(viewport={"width": width, "height": height}, device_scale_factor=scale, color_scheme="light")
    page.goto(address)
    return page


def drawn(page: Page, heading: str) -> None:
    """Wait until the page shows what it is about, its chart too, and has had time to settle."""
    expect(page.get_by_role("heading", name=heading).first).to_be_visible(timeout=LATE_MS)
    expect(page.locator(".js-plotly-plot .main-svg").first).to_be_visible(timeout=LATE_MS)
    page.wait_for_timeout(3000)
    assert page.locator("[data-testid=stException]").count() == 0


def worst(page: Page) -> str:
    """The address of the entity of the first card under "Needs you now"."""
    page.locator(".cv-ruling > summary").first.click()
    found = page.locator(".cv-ruling[open] a", has_text="Open the entity").first.get_attribute("href")
    page.locator(".cv-ruling > summary").first.click()
    assert found, "no confirmed case to open"
    return found


def take(address: str, entity: str | None) -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    with chromium() as browser:
        page = opened(browser, address, 1280, 1900, 1.5)
        drawn(page, "Needs you now")
        href = f"entity?name={quote(entity, safe='')}" if entity else worst(page)
        page.mouse.move(0, 0)
        page.screenshot(path=FOLDER / "live.png")
        for name, path, heading, height in (("entity", href, "Judged against", 1400), ("health", "health", "Ledger", 1300)):
            page = opened(browser, f"{address}/{path}", 1280, height, 1.5)
            drawn(page, heading)
            page.screenshot(path=FOLDER / f"{name}.png")
        page = opened(browser, address, 390, 844, 2)
        drawn(page, "Needs you now")
        page.screenshot(path=FOLDER / "live-390.png")


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(str(__doc__))
    take(sys.argv[1].rstrip("/"), sys.argv[2] if len(sys.argv) > 2 else None)
