"""The kinds of report there are, and a report of one of them."""

from collections.abc import Callable
from typing import Literal

from desk.reports.case_report import case_report
from desk.reports.gathered import Gathered, gather
from desk.reports.pdf import pdf
from desk.reports.post_mortem import post_mortem
from desk.reports.suspicious_activity import suspicious_activity
from store.database import Queries

Kind = Literal["case", "post-mortem", "suspicious-activity"]
Format = Literal["markdown", "pdf"]
WRITERS: dict[str, Callable[[Gathered], str]] = {
    "case": case_report,
    "post-mortem": post_mortem,
    "suspicious-activity": suspicious_activity,
}


def report(queries: Queries, tenant: str, case_id: str, kind: Kind, form: Format) -> bytes:
    """The report as UTF-8 Markdown or as PDF. Raises UnknownCase."""
    text = WRITERS[kind](gather(queries, tenant, case_id))
    return text.encode() if form == "markdown" else pdf(text, f"{kind} {case_id}")
