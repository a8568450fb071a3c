"""What the runbook and past cases say to a question, as exhibits and as lines made of their own sentences."""

import re
import time

from assistant import record
from assistant.exhibits import Exhibit, Line
from assistant.findings import Findings
from assistant.lookups import Asking
from rag import quoting
from rag.answer import Source, extract
from rag.ask import CASES, QUESTION_CAP, SAYS_NOTHING, SECTIONS, sources_for
from rag.search import Hit, runbook_index, search

_CITED = re.compile(r"^- (.*) \[(\d+)\]$", re.DOTALL)


def runbook(asking: Asking, question: str) -> Findings:
    """Sections and past cases near enough to the question; without any, the nearest headings and no exhibit."""
    question = quoting.plain(question, QUESTION_CAP)
    started = time.perf_counter()
    hits = search(asking.database, question, k=SECTIONS + CASES, tenant=asking.tenant)
    offered = sources_for(asking.database, question, hits, asking.tenant)
    latency_ms = (time.perf_counter() - started) * 1000
    record.tool(asking, "chat", "runbook.search", latency_ms, question, ", ".join(one.source_id for one in offered))
    if not offered:
        return Findings(lines=_nearest(hits))
    exhibits = [shown(one, f"f{number}") for number, one in enumerate(offered, 1)]
    marks = {one.source_id: one.mark for one in exhibits}
    told = extract(question, offered, runbook_index(asking.database, asking.tenant).words.weight)
    cited = [marks[one.source_id] for one in told.citations]
    return Findings(exhibits, _lines(told.text.split("\n"), cited), quoted=True)


def shown(one: Source, mark: str) -> Exhibit:
    """A section or a remembered case as an exhibit."""
    kind = "memory" if one.heading_path[0] == "past case" else "section"
    return Exhibit(mark, kind, one.source_id, quoting.plain(" > ".join(one.heading_path), 200), {}, one.body)


def spoken_by(found: Findings) -> str:
    """Whose words the lines are: the sources' own, or our templates'."""
    return "nothing" if not found.exhibits else "extractive" if found.quoted else "templates"


def _lines(told: list[str], marks: list[str]) -> list[Line]:
    """The extract's lines with the marks they rest on; a heading rests on what its first line does."""
    lines: list[Line] = []
    for text in reversed(told):
        if found := _CITED.match(text):
            lines.append(Line(f"- {_bare(found[1])}", (marks[int(found[2]) - 1],)))
        else:
            lines.append(Line(_bare(text), lines[-1].cites if lines else tuple(marks[:1])))
    return lines[::-1]


def _bare(text: str) -> str:
    """A source's sentence, which may not refer to exhibits."""
    return text.replace("{{", "((").replace("}}", "))")


def _nearest(hits: list[Hit]) -> list[Line]:
    lines = [Line(SAYS_NOTHING)]
    if hits:
        lines.append(
            Line(f"The nearest headings are: {'; '.join(_bare(' > '.join(hit.heading_path)) for hit in hits[:SECTIONS])}.")
        )
    return lines
