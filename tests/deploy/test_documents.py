"""What the documents name must exist."""

import re
import tomllib
from pathlib import Path

import pytest

from store.settings import known_variables

ROOT = Path(__file__).parents[2]
WRITTEN = ("CONTRIBUTING.md", "docs/dependencies.md", "data/README.md")
DOCUMENTS = sorted([*(ROOT / name for name in WRITTEN), *ROOT.glob("docs/decisions/*.md")])
PATHS = re.compile(r"`((?:jobs|rag|store|dashboard|cli|scripts|data|docs|deploy|\.ci)/[\w./-]*)`")
YET_TO_COME = {"store/schema/0014_what_it_does.sql"}


def names(requirements: list[str]) -> set[str]:
    return {re.split(r"[\[<>=~! ]", one, maxsplit=1)[0] for one in requirements}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_path_in_a_document_exists(document: Path) -> None:
    missing = [path for path in PATHS.findall(document.read_text()) if path not in YET_TO_COME and not (ROOT / path).exists()]
    assert missing == []


def test_every_direct_dependency_has_its_line() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    _, *parts = re.split(r"^## ", (ROOT / "docs" / "dependencies.md").read_text(), flags=re.MULTILINE)
    said = [re.findall(r"^\| `([\w-]+)` \| \S.+ \|$", part, re.MULTILINE) for part in parts]
    assert sorted(said[0]) == sorted(names(project["project"]["dependencies"]))
    assert sorted(said[1]) == sorted(names(project["dependency-groups"]["dev"]))
    assert sorted(said[2]) == sorted(names(project["dependency-groups"]["bench"]))


def test_the_list_of_decisions_is_whole_and_tells_their_titles() -> None:
    folder = ROOT / "docs" / "decisions"
    rows = dict(re.findall(r"\((\d{4}-[\w-]+\.md)\) \| (.+) \|", (folder / "README.md").read_text()))
    files = {path.name: path.read_text().splitlines()[0] for path in folder.glob("0*.md")}
    assert {name: f"# {name[:4]} {title}" for name, title in rows.items()} == files
    for path in folder.glob("0*.md"):
        assert all(f"**{part}.**" in path.read_text() for part in ("Decided", "Why", "Costs")), path.name


def test_functions_named_in_the_recipes_exist() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text()
    named = {
        "rag/opinion.py": ("ROLES", "SLICES"),
        "rag/rules.py": ("def convene",),
        "rag/council.py": ("def majority",),
        "jobs/policy.py": ("def detector_hash", "def layout"),
        "dashboard/words.py": ("def escaped",),
        "jobs/detectors/amount_z.py": ("DETECTOR",),
    }
    for name, file in ((name, file) for file, listed in named.items() for name in listed):
        assert name.removeprefix("def ") in text
        assert name in (ROOT / file).read_text(), (name, file)


def test_settings_named_in_documents_exist() -> None:
    for document in (*DOCUMENTS, ROOT / ".env.example", ROOT / "Dockerfile"):
        unknown = set(re.findall(r"CONCLAVE_[A-Z_]+[A-Z]", document.read_text())) - known_variables()
        assert unknown == set(), document.name
