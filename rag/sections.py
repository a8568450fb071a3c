"""A runbook's text cut into sections that can be read alone. Pure: no file, no database.

Every heading begins a section, except those that name a part of one (Symptoms, Checks, Actions …): those stay with
their topic, since "restart it" without its symptoms helps nobody.
"""

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from itertools import count, pairwise
from typing import NamedTuple, Protocol

from markdown_it import MarkdownIt
from markdown_it.token import Token

ACTIONS = frozenset({"action", "actions", "fix", "mitigation", "next steps", "remediation", "resolution", "steps", "what to do"})
CAUTIONS = frozenset({"when not to act", "when to do nothing", "false positives"})
_OTHER_PARTS = """
background, cause, causes, check, checks, context, diagnosis, escalation, full context, impact, likely causes, meaning, notes,
possible causes, prevention, references, root cause, root causes, see also, symptom, symptoms, verification"""
PARTS = ACTIONS | CAUTIONS | frozenset(re.split(r",\s+", _OTHER_PARTS.strip()))
SLUG_LENGTH = 80
MOST_CHARACTERS = 6_000  # of one section; a page of print has about 3,000


@dataclass(frozen=True)
class Section:
    """One topic of a document: `heading_path` from the outermost heading inwards, `body` as Markdown."""

    section_id: str  # doc_id '#' slugs of the heading path, joined by '/'
    doc_id: str
    position: int
    heading_path: tuple[str, ...]
    body: str
    tags: tuple[str, ...] = ()  # `kind=account`, `detector=velocity` …

    @property
    def text(self) -> str:
        """What is searched: the heading path, then the body."""
        return searchable(self.heading_path, self.body)

    @property
    def sha256(self) -> str:
        """Of all that a reader or a search sees; the same hash needs no new vector."""
        parts = (*self.heading_path, "\0tags", *self.tags, "\0body", self.body)
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()


class HasBody(Protocol):
    """A section, a hit, whatever carries a section's Markdown."""

    @property
    def body(self) -> str: ...


class Heading(NamedTuple):
    """A heading of the document's top level; lines as in slices."""

    level: int
    title: str
    first: int
    end: int


def searchable(heading_path: Iterable[str], body: str) -> str:
    return " > ".join(heading_path) + "\n\n" + body


def sections_of(text: str, doc_id: str) -> list[Section]:
    """The sections of a Markdown text in order; a heading without words of its own gives none.

    Ids come from the headings, so a section keeps its id when others are added, removed or moved; a repeated heading path
    gets `-2`, `-3` … in order. Headings inside code, quotes and lists are text.
    """
    text = re.sub(r"\r\n?", "\n", text).replace("\0", "\ufffd")
    lines = text.split("\n")
    sections: list[Section] = []
    taken: set[str] = set()
    for path, first, end in _spans(_headings(_parse(text)), len(lines)):
        tags, body = _tagged("\n".join(lines[first:end]).strip())
        if body:
            heading_path = path or (doc_id,)
            name = _fresh(f"{doc_id}#" + "/".join(slug_of(title) for title in heading_path), taken)
            taken.add(name)
            sections.append(Section(name, doc_id, len(sections), heading_path, body, tags))
    return sections


def shortened(sections: Iterable[Section], most: int = MOST_CHARACTERS) -> list[Section]:
    """The sections, those longer than `most` characters cut between paragraphs into parts with ids of their own.

    A text without headings would else be one section that no reader, prompt or vector can use.
    """
    found: list[Section] = []
    for one in sections:
        for number, body in enumerate(_cut(one.body, most), start=1):
            name = one.section_id if number == 1 else f"{one.section_id}~{number}"
            path = one.heading_path if number == 1 else (*one.heading_path, f"part {number}")
            found.append(replace(one, section_id=name, position=len(found), heading_path=path, body=body))
    return found


def _cut(body: str, most: int) -> list[str]:
    """The body in pieces of at most `most` characters where paragraphs allow it; a code block may fall apart."""
    pieces = [""]
    for paragraph in re.split(r"\n{2,}", body) if len(body) > most else [body]:
        if pieces[-1] and len(pieces[-1]) + len(paragraph) > most:
            pieces.append("")
        pieces[-1] = f"{pieces[-1]}\n\n{paragraph}" if pieces[-1] else paragraph
    return [part for piece in pieces for part in _hard(piece, 3 * most)]


def _hard(piece: str, most: int) -> list[str]:
    """A paragraph beyond all measure is cut where it stands."""
    return [piece[at : at + most] for at in range(0, len(piece), most)]


def _fresh(name: str, taken: set[str]) -> str:
    """The name, or the first of name-2, name-3 … that is free."""
    return name if name not in taken else next(f"{name}-{n}" for n in count(2) if f"{name}-{n}" not in taken)


def title_of(text: str) -> str | None:
    """The outermost heading when there is one above all others, else None."""
    headings = _headings(_parse(text))
    top = [heading.title for heading in headings if heading.level == min(other.level for other in headings)]
    return top[0] if len(top) == 1 else None


def slug_of(title: str) -> str:
    """Lower-case letters and digits joined by hyphens, of any script; at most 80 characters."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", title.casefold()) if not unicodedata.combining(c))
    return re.sub(r"[\W_]+", "-", plain).strip("-")[:SLUG_LENGTH].rstrip("-") or "section"


def steps(section: HasBody) -> list[str]:
    """What the section says to do: the items of its Actions (or Mitigation, Remediation …), as plain text."""
    return items(section.body, ACTIONS)


def cautions(section: HasBody) -> list[str]:
    """When the section says not to act, as plain text."""
    return items(section.body, CAUTIONS)


def items(body: str, parts: Iterable[str]) -> list[str]:
    """List items under the headings named in `parts`; a part without a list gives its paragraphs."""
    found: list[str] = []
    for tokens in _part_tokens(_parse(body), frozenset(parts)):
        listed = [_plain(after) for token, after in _pairs(tokens, "paragraph_open") if token.level == 2]
        found += listed or [_plain(after) for token, after in _pairs(tokens, "paragraph_open") if token.level == 0]
    return [item for item in found if item]


def units(body: str) -> list[tuple[str, str]]:
    """Every list item, and every sentence outside of lists, as plain text with its part's name (`""` before the first)."""
    part, found = "", []
    for token, after in _pairs(_parse(body), "heading_open", "paragraph_open"):
        if token.type == "heading_open":
            part = _name(_plain(after)) if token.level == 0 else part
        else:
            said = _plain(after)
            found += [(part, sentence) for sentence in (sentences(said) if token.level == 0 else [said]) if sentence]
    return found


def sentences(text: str) -> list[str]:
    """A text cut after `.`, `!` or `?` before a capital letter or a digit."""
    return re.split(r"(?<=[.!?])\s+(?=[A-Z0-9«\"(])", text.strip())


def _spans(headings: list[Heading], total: int) -> Iterator[tuple[tuple[str, ...], int, int]]:
    """Heading path, first and end line of each section's body."""
    starts: list[tuple[tuple[str, ...], int, int]] = [((), 0, 0)]
    stack: list[Heading] = []
    part_level: int | None = None
    for heading in headings:
        if part_level is not None and heading.level > part_level:
            continue
        while stack and stack[-1].level >= heading.level:
            stack.pop()
        if stack and _name(heading.title) in PARTS:
            part_level = heading.level
            continue
        part_level = None
        stack.append(heading)
        starts.append((tuple(above.title for above in stack), heading.first, heading.end))
    for (path, _, first), end in zip(starts, [first for _, first, _ in starts[1:]] + [total], strict=True):
        yield path, first, end


def _headings(tokens: list[Token]) -> list[Heading]:
    found = []
    for token, inline in _pairs(tokens, "heading_open"):
        if token.level == 0 and token.map is not None:
            found.append(Heading(int(token.tag[1]), _plain(inline), token.map[0], token.map[1]))
    return found


def _part_tokens(tokens: list[Token], parts: frozenset[str]) -> Iterator[list[Token]]:
    """The tokens below each heading named in `parts`, up to the next heading of its level or above."""
    level = 0
    open_part: list[Token] | None = None
    for position, token in enumerate(tokens):
        if token.type != "heading_open" or token.level != 0:
            if open_part is not None:
                open_part.append(token)
            continue
        depth = int(token.tag[1])
        if open_part is not None and depth <= level:
            yield open_part
            open_part = None
        if open_part is None and _name(_plain(tokens[position + 1])) in parts:
            level, open_part = depth, []
    if open_part is not None:
        yield open_part


def _pairs(tokens: list[Token], *kinds: str) -> Iterator[tuple[Token, Token]]:
    return ((token, after) for token, after in pairwise(tokens) if token.type in kinds)


def _plain(inline: Token) -> str:
    """The words of an inline token without its markup."""
    said = "".join(" " if child.type in ("softbreak", "hardbreak") else child.content for child in inline.children or [])
    return " ".join(said.split())


def _name(title: str) -> str:
    return " ".join(re.sub(r"[^\w\s]+", " ", title.casefold()).split())


def _tagged(body: str) -> tuple[tuple[str, ...], str]:
    """The tags of a leading `tags: a=b, c=d` line, and the body without that line."""
    line, _, rest = body.partition("\n")
    if not (match := re.fullmatch(r"tags:(.*)", line.strip(), re.IGNORECASE)):
        return (), body
    tags = (re.sub(r"\s*=\s*", "=", tag.strip().casefold()) for tag in match[1].split(","))
    return tuple(dict.fromkeys(tag for tag in tags if tag)), rest.strip()


def _parse(text: str) -> list[Token]:
    return _markdown().parse(text)


@cache
def _markdown() -> MarkdownIt:
    return MarkdownIt("commonmark")
