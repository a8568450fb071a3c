"""Four formats become Markdown, duplicates are told, and what cannot be read is said so."""

import contextlib

import pytest
from fpdf import FPDF
from hypothesis import given, settings
from hypothesis import strategies as st

from assistant.errors import DocumentTooLarge, UnknownFormat, UnreadableDocument
from assistant.formats import check, format_of, to_markdown
from assistant.likeness import nearest, runs, signature, similarity
from rag.sections import sections_of

PAGE = b"""<html><head><title>Ops</title><style>b{}</style></head><body><nav>Home</nav><script>steal()</script>
<h1>Disk full</h1><p>Nothing <b>can</b> be written.</p><div hidden>CANARY</div><p style="display: none">CANARY</p>
<h2>Checks</h2><ul><li>Look at <code>df</code><ul><li>inner</li></ul></li><li>second</li></ul>
<table><tr><th>code</th><th>means</th></tr><tr><td>28</td><td>ENOSPC</td></tr></table><p># no heading</p></body></html>"""


def pdf(pages: int = 1, password: str = "") -> bytes:
    page = FPDF()
    if password:
        page.set_encryption(owner_password="owner", user_password=password)
    for number in range(pages):
        page.add_page()
        page.set_font("Helvetica", size=20)
        page.cell(0, 12, f"Fraud {number}", new_x="LMARGIN", new_y="NEXT")
        page.set_font("Helvetica", size=14)
        page.cell(0, 10, "Actions", new_x="LMARGIN", new_y="NEXT")
        page.set_font("Helvetica", size=10)
        page.multi_cell(0, 6, "A thief tries many cards at one terminal. " * 8, new_x="LMARGIN", new_y="NEXT")
        page.multi_cell(0, 6, "- Hold the terminal.", new_x="LMARGIN", new_y="NEXT")
    return bytes(page.output())


def read(raw: bytes, kind: str) -> str:
    return to_markdown(raw, kind, most_pages=3, title="notes")  # type: ignore[arg-type]


def test_a_page_keeps_its_structure_and_loses_what_nobody_sees() -> None:
    text = read(PAGE, "html")
    assert text.startswith("# Disk full\n\nNothing can be written.\n\n## Checks\n\n- Look at df\n\n- inner\n\n- second")
    assert "28 | ENOSPC" in text
    assert "\\# no heading" in text
    assert not any(hidden in text for hidden in ("CANARY", "steal", "Home", "b{}"))


def test_text_outside_of_blocks_is_not_lost() -> None:
    assert "all of it" in read(b"<div>Words in a div,<br>all of it.</div>", "html")


def test_a_pdf_keeps_its_headings_by_their_size() -> None:
    text = read(pdf(2), "pdf")
    assert "# Fraud 0\n\n## Actions\n\nA thief tries many cards" in text
    assert "- Hold the terminal." in text
    assert [one.heading_path for one in sections_of(text, "d")] == [("Fraud 0",), ("Fraud 1",)]


def test_plain_text_has_no_headings_of_its_own() -> None:
    (section,) = sections_of(read(b"# a comment\n    indented\nplain", "text"), "d")
    assert section.heading_path == ("notes",)


@pytest.mark.parametrize(
    ("raw", "kind", "why"),
    [
        (b"hello", "pdf", "does not begin as one"),
        (pdf()[:400], "pdf", "broken PDF"),
        (pdf(password="x"), "pdf", "locked with a password"),
        (b"\xfcber", "markdown", "not UTF-8 at byte 0"),
        (b"  \n ", "text", "It is empty"),
        (b"\0\0\0\0a", "text", "not a text"),
    ],
)
def test_what_cannot_be_read_is_said_at_once(raw: bytes, kind: str, why: str) -> None:
    with pytest.raises(UnreadableDocument, match=why):
        check(raw, kind)  # type: ignore[arg-type]


def test_a_pdf_of_pictures_or_of_too_many_pages_is_said() -> None:
    empty = FPDF()
    empty.add_page()
    with pytest.raises(UnreadableDocument, match="only pictures"):
        read(bytes(empty.output()), "pdf")
    with pytest.raises(DocumentTooLarge, match="4 pages, more than 3"):
        read(pdf(4), "pdf")


@settings(max_examples=40)
@given(st.integers(0, 2000), st.binary(min_size=1, max_size=40))
def test_a_damaged_pdf_is_read_or_refused(at: int, noise: bytes) -> None:
    raw = WHOLE[: at % len(WHOLE)] + noise + WHOLE[at % len(WHOLE) + len(noise) :]
    with contextlib.suppress(UnreadableDocument, DocumentTooLarge):
        assert isinstance(read(raw, "pdf"), str)


WHOLE = pdf()


@pytest.mark.parametrize(
    ("name", "media", "found"), [("a.MD", "", "markdown"), ("a", "text/html; charset=x", "html"), ("a.pdf", "text/plain", "pdf")]
)
def test_the_format_is_known_by_name_or_media_type(name: str, media: str, found: str) -> None:
    assert format_of(name, media) == found


def test_another_format_is_refused() -> None:
    with pytest.raises(UnknownFormat, match="docx"):
        format_of("a.docx")


@settings(max_examples=40)
@given(st.lists(st.sampled_from([f"word{n}" for n in range(40)]), min_size=30, max_size=200), st.integers(0, 60))
def test_the_estimate_of_likeness_is_near_the_truth(words: list[str], changed: int) -> None:
    left = " ".join(words)
    right = " ".join([*words[changed % len(words) :], *(f"other{n}" for n in range(changed % len(words)))])
    exact = len(runs(left) & runs(right)) / len(runs(left) | runs(right))
    assert abs(similarity(signature(left), signature(right)) - exact) < 0.25, "over five standard errors"


def test_near_duplicates_are_named_with_their_figure() -> None:
    text = " ".join(f"step {n} of the long procedure" for n in range(60))
    others = [
        ("same", 2, signature(text)),
        ("near", 1, signature(text + " and one more")),
        ("far", 1, signature("quite other words here")),
    ]
    found = nearest(signature(text), others, 0.8)
    assert [one["doc_id"] for one in found] == ["same", "near"]
    assert found[0]["similarity"] == 1.0
    assert signature("") == []
