"""The pages under docs stay true: links lead somewhere, commands and settings are known, routes are served."""

import re
import tomllib
from pathlib import Path

import pytest

from cli.app import COMMANDS, GROUPS
from store.settings import known_variables, read

ROOT = Path(__file__).parents[2]
PAGES = sorted(page for page in (ROOT / "docs").rglob("*.md") if "decisions" not in page.parts and "reference" not in page.parts)
IDS = [str(page.relative_to(ROOT)) for page in PAGES]
WORDS = {"conclave"} | set(GROUPS)


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_every_link_leads_somewhere(page: Path) -> None:
    links = [link.partition("#")[0] for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text()) if "://" not in link]
    assert [link for link in links if link and not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_every_command_is_one(page: Path) -> None:
    told = re.findall(r"(?:^|`)conclave ([a-z-]+)(?: ([a-z-]+))?", page.read_text(), re.MULTILINE)
    unknown = [f"{first} {second}" for first, second in told if first not in COMMANDS and f"{first} {second}" not in COMMANDS
               and not (first in GROUPS and not second)]  # fmt: skip
    assert unknown == []


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_every_setting_is_one(page: Path) -> None:
    text = page.read_text()
    named = set(re.findall(r"CONCLAVE_[A-Z_]*[A-Z]", text)) - {"CONCLAVE_SECTION__FIELD"}
    assert {name for name in named if name not in known_variables() and not name.startswith("CONCLAVE_TEST_")} == set()
    for block in re.findall(r"```toml\n(.*?)```", text, re.DOTALL):
        given = tomllib.loads(block)
        if set(given) <= set(type(read()).model_fields):
            read(**given)


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_every_route_is_served(page: Path) -> None:
    api = (ROOT / "docs" / "reference" / "api.md").read_text()
    served = {re.sub(r"\{[^}]+\}", "{}", path) for path in re.findall(r"`[A-Z]+ (/v1/[^`]+)`", api)}
    told = [path.rstrip("/.,:") for path in re.findall(r"/v1/[A-Za-z0-9_{}/:.-]+", page.read_text())]
    unknown = [path for path in told if not any(_fits(path, pattern) for pattern in served)]
    assert unknown == []


def _fits(path: str, pattern: str) -> bool:
    return re.fullmatch(re.escape(pattern).replace(r"\{\}", "[^/]+(?::[^/]+)?"), re.sub(r"\{[^}]+\}", "x", path)) is not None
