"""The dashboard's tests share one site; what they import lies beside them, where importlib mode does not look by itself."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

sys.path.insert(0, str(Path(__file__).parent))

if TYPE_CHECKING:
    from site_of_tests import Site


@pytest.fixture(scope="session")
def site(server_url: str, tmp_path_factory: pytest.TempPathFactory) -> "Iterator[Site]":
    """The pages with sign-in, on a database of their own that the tests share: each works on a case of its own."""
    from browser import chromium
    from site_of_tests import fresh, standing

    with fresh(server_url) as url, chromium() as browser, standing(browser, url, tmp_path_factory.mktemp("site")) as found:
        yield found


@pytest.fixture(autouse=True)
def pages_closed(request: pytest.FixtureRequest) -> Iterator[None]:
    """A page that is left open asks the server again and again, for as long as the session lasts."""
    served = request.getfixturevalue("site") if "site" in request.fixturenames else None
    yield
    for context in list(served.browser.contexts) if served is not None else ():
        context.close()
