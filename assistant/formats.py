"""Uploaded bytes as Markdown: Markdown itself, plain text, HTML, PDF. Pure but for the libraries that read."""

import io
import logging
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import PurePath
from typing import Any, Literal, get_args

from assistant.errors import DocumentTooLarge, UnknownFormat, UnreadableDocument

Format = Literal["markdown", "text", "html", "pdf"]
FORMATS: tuple[str, ...] = get_args(Format)
ENDINGS: dict[str, Format] = {
    "md": "markdown", "markdown": "markdown", "mdown": "markdown", "txt": "text", "text": "text", "log": "text", "html": "html",
    "htm": "html", "xhtml": "html", "pdf": "pdf",
}  # fmt: skip
MEDIA: dict[str, Format] = {
    "text/markdown": "markdown",
    "text/plain": "text",
    "text/html": "html",
    "application/xhtml+xml": "html",
    "application/pdf": "pdf",
}
UNSEEN = ("script", "style", "nav", "noscript", "template", "svg", "iframe", "object", "form", "head")
BLOCKS = ("h1", "h2", "h3", "h4", "h5", "h6", "p", "li", "pre", "tr", "blockquote", "dt", "dd", "figcaption")
HEADING = 1.12  # a PDF's line set so much larger than its body is a heading
COVERED = 0.7  # of a page's words that its blocks must hold
_WORD = re.compile(r"\w+")
MOST_HEADING = 120  # characters
FAULTS = (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError, OSError, NotImplementedError)
MOST_CHARACTERS = 20_000_000  # of text that a document may unfold to


def format_of(name: str, media: str = "", given: str = "") -> Format:
    """The format said, else the name's ending's, else the media type's. Raises UnknownFormat."""
    if given:
        return _known(given)
    ending = PurePath(name).suffix.lstrip(".").casefold()
    media = media.partition(";")[0].strip().casefold()
    found = ENDINGS.get(ending) or MEDIA.get(media)
    if found is None:
        raise UnknownFormat(f"(its name ends with {ending!r})" if ending else "")
    return found


def _known(given: str) -> Format:
    for one in get_args(Format):
        if one == given:
            return one  # type: ignore[no-any-return]
    raise UnknownFormat(f"({given!r})")


def check(raw: bytes, kind: Format) -> None:
    """What can be said at once: empty, not text, no PDF, locked. Raises UnreadableDocument."""
    if not raw.strip():
        raise UnreadableDocument("It is empty.")
    if kind == "pdf":
        _opened(raw)
    else:
        _decoded(raw)


def to_markdown(raw: bytes, kind: Format, *, most_pages: int, title: str = "") -> str:
    """The document as Markdown. Raises UnreadableDocument and DocumentTooLarge."""
    if kind == "pdf":
        return _pdf(raw, most_pages)
    text = _decoded(raw)
    made = {"markdown": lambda: text, "text": lambda: _text(text, title), "html": lambda: _html(text)}[kind]()
    return made.replace("\0", "\ufffd")


def _decoded(raw: bytes) -> str:
    for mark, encoding in ((b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16")):
        if raw.startswith(mark):
            return raw.decode(encoding, "replace")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UnreadableDocument(f"It is not UTF-8 at byte {error.start:,}; save it as UTF-8.") from error
    if text.count("\0") > len(text) / 100:
        raise UnreadableDocument("It is not a text.")
    return text


def _text(text: str, title: str) -> str:
    """Plain text: what Markdown would take for a heading, a quote or code is only text."""
    lines = (re.sub(r"^(\s*)([#>=]|-{3,}|`{3})", r"\1\\\2", line.replace("\t", "  ").rstrip()) for line in text.splitlines())
    body = "\n".join(re.sub(r"^ {4,}", "   ", line) for line in lines)
    return f"# {title}\n\n{body}" if title else body


def _html(text: str) -> str:
    """Headings, paragraphs, lists, tables and code of a page; scripts, navigation and what is hidden are left out."""
    from bs4 import BeautifulSoup, MarkupResemblesLocatorWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MarkupResemblesLocatorWarning)
        page = BeautifulSoup(text, "html.parser")
    heading = page.title.get_text(" ", strip=True) if page.title is not None else ""
    for one in page.find_all(UNSEEN):
        one.decompose()
    for one in page.find_all(_hidden):
        if not one.decomposed:
            one.decompose()
    for cell in page.find_all(["td", "th"]):
        cell.append(" | ")
    blocks = list(_blocks(page))
    if len(_WORD.findall(" ".join(blocks))) < COVERED * len(_WORD.findall(page.get_text(" "))):  # text that stands in no block
        blocks = [_marked("p", words) for line in page.get_text("\n").split("\n") if (words := " ".join(line.split()))]
    found = "\n\n".join(blocks)
    if heading and not any(block.startswith("# ") for block in blocks):
        return f"# {heading}\n\n{found}"
    return found


def _hidden(tag: Any) -> bool:
    style = re.sub(r"\s", "", str(tag.get("style") or "")).casefold()
    return tag.has_attr("hidden") or tag.get("aria-hidden") == "true" or "display:none" in style or "visibility:hidden" in style


def _blocks(page: Any) -> Iterator[str]:
    for one in page.find_all(BLOCKS):
        if one.name == "pre":
            code = one.get_text().rstrip().replace("```", "'''")
            yield f"```\n{code}\n```"
            continue
        if one.find_parent(["pre", "li", "tr"]) is not None and one.name != "li":
            continue
        for inner in one.find_all(["ul", "ol"]):  # a nested list's items come by themselves
            inner.insert_before("\n")
        words = _own(one)
        if words:
            yield _marked(one.name, words)


def _own(one: Any) -> str:
    """The words of an element without those of lists inside it."""
    pieces = [text for text in one.find_all(string=True) if one.name != "li" or text.find_parent(["ul", "ol"]) is one.parent]
    return " ".join(" ".join(pieces).split()).removesuffix("|").strip()


def _marked(name: str, words: str) -> str:
    if re.fullmatch(r"h[1-6]", name):
        return f"{'#' * int(name[1])} {words}"
    safe = re.sub(r"^([#>=+-]|\d+[.)]|```)", r"\\\1", words)
    return f"- {safe}" if name == "li" else safe


@contextmanager
def _reading() -> Iterator[None]:
    """What a broken PDF makes pypdf raise, as one sentence. Raises UnreadableDocument."""
    from pypdf.errors import PyPdfError

    try:
        yield
    except (PyPdfError, *FAULTS) as error:
        raise UnreadableDocument(f"It is a broken PDF ({type(error).__name__}: {str(error)[:120]}).") from error


def _opened(raw: bytes) -> Any:
    """The PDF, unlocked when it has no password. Raises UnreadableDocument."""
    from pypdf import PdfReader

    logging.getLogger("pypdf").setLevel(logging.CRITICAL)  # what is wrong with a file is said in our words

    if b"%PDF-" not in raw[:1024]:
        raise UnreadableDocument("It is no PDF: it does not begin as one.")
    with _reading():
        reader = PdfReader(io.BytesIO(raw), strict=False)
        if reader.is_encrypted and not reader.decrypt(""):
            raise UnreadableDocument("It is locked with a password; save it without one.")
        if not len(reader.pages):
            raise UnreadableDocument("It has no pages.")
    return reader


def _pdf(raw: bytes, most_pages: int) -> str:
    """The text of a PDF; lines set larger than the body are headings, by their size."""
    reader = _opened(raw)
    if len(reader.pages) > most_pages:
        raise DocumentTooLarge(f"It has {len(reader.pages):,} pages, more than {most_pages:,}.")
    lines: list[tuple[str, float]] = []
    with _reading():
        for page in reader.pages:
            lines += [*_lines(page), ("", 0.0)]
            if sum(len(text) for text, _ in lines) > MOST_CHARACTERS:
                raise DocumentTooLarge("Its text is too long.")
    if not any(text.strip() for text, _ in lines):
        raise UnreadableDocument("It holds no text, only pictures; run a text recognition over it first.")
    return _structured(lines)


def _lines(page: Any) -> list[tuple[str, float]]:
    """A page's lines with their size in points."""
    found: list[tuple[str, float]] = []
    open_line: list[str] = []
    size, height = 0.0, None

    def take(text: str, cm: list[float], tm: list[float], font: Any, points: float) -> None:
        nonlocal size, height, open_line
        at = round(tm[5] + cm[5], 1)
        if height is not None and abs(at - height) > 1 and open_line:
            found.append(("".join(open_line), size))
            open_line, size = [], 0.0
        height = at
        for number, piece in enumerate(text.split("\n")):
            if number and open_line:
                found.append(("".join(open_line), size))
                open_line, size = [], 0.0
            if piece:
                open_line.append(piece)
                if piece.strip():
                    size = max(size, points * abs(tm[3] or 1.0))

    page.extract_text(visitor_text=take)
    if open_line:
        found.append(("".join(open_line), size))
    return [(" ".join(text.split()), points) for text, points in found]


def _structured(lines: list[tuple[str, float]]) -> str:
    """Lines as Markdown: headings by size, paragraphs joined, list items kept."""
    body = _body_size(lines)
    larger = sorted(
        {round(size, 1) for text, size in lines if text and size > body * HEADING and len(text) <= MOST_HEADING}, reverse=True
    )
    level = {size: min(place, 6) for place, size in enumerate(larger, 1)}
    out: list[str] = []
    for text, size in lines:
        heading = level.get(round(size, 1)) if len(text) <= MOST_HEADING else None
        if not text:
            out.append("")
        elif heading is not None:
            out += ["", f"{'#' * heading} {text}", ""]
        else:
            out.append(_body_line(text))
    return re.sub(r"\n{3,}", "\n\n", "\n".join(out)).strip()


def _body_line(text: str) -> str:
    bullet = re.match(r"^[•‣◦▪·∙*-]\s*(.+)", text)
    return f"- {bullet[1]}" if bullet else re.sub(r"^([#>=]|```)", r"\\\1", text)


def _body_size(lines: list[tuple[str, float]]) -> float:
    """The size in which most letters are set."""
    letters: dict[float, int] = {}
    for text, size in lines:
        letters[round(size, 1)] = letters.get(round(size, 1), 0) + len(text)
    return max(letters, key=lambda size: (letters[size], -size))
