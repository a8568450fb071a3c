"""Reports of a case, and any table as a file."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Response
from pydantic import AwareDatetime

from desk.errors import UnknownCase
from desk.reports import sheets
from desk.reports.kinds import Format, Kind, report
from gateway import problems
from gateway.access import Needs, Now, Store
from trust import audit
from trust.roles import Caller, Role

router = APIRouter(prefix="/v1", tags=["reports"])
Analyst = Annotated[Caller, Needs(Role.analyst, scope="reports")]
CaseId = Annotated[str, Path(max_length=100, pattern=r"^case-[A-Za-z0-9_-]+$")]
View = Literal["cases", "anomalies", "rulings", "commands", "entities", "feedback", "quarantine", "metrics"]
problems.register({UnknownCase: 404})
MEDIA = {"markdown": "text/markdown; charset=utf-8", "pdf": "application/pdf", "csv": "text/csv; charset=utf-8",
         "parquet": "application/vnd.apache.parquet"}  # fmt: skip
ENDINGS = {"markdown": "md", "pdf": "pdf", "csv": "csv", "parquet": "parquet"}
FILE: dict[int | str, dict[str, Any]] = {200: {"content": {kind: {} for kind in MEDIA.values()}, "description": "the file"}}


@router.get("/cases/{case_id}/report", summary="A case on paper", responses=FILE, response_class=Response)
def case_report(
    caller: Analyst,
    store: Store,
    case_id: CaseId,
    kind: Kind = "case",
    form: Annotated[Format, Query(alias="format")] = "markdown",
) -> Response:
    """The case report, a post-mortem begun, or the draft of a suspicious-activity report.

    Personal data is masked; the export is audited.
    """
    made = report(store, caller.tenant, case_id, kind, form)
    with store.connection() as connection:
        audit.record(connection, caller.tenant, caller.actor, "report.export", case_id, {"kind": kind, "format": form})
    return _file(made, form, f"{kind}-{case_id}")


@router.get("/exports/{view}", summary="A table as a file", responses=FILE, response_class=Response)
def export(
    caller: Analyst,
    store: Store,
    now: Now,
    view: View,
    since: AwareDatetime | None = None,
    limit: Annotated[int, Query(ge=1, le=sheets.MOST)] = 10_000,
    form: Annotated[Literal["csv", "parquet"], Query(alias="format")] = "csv",
) -> Response:
    """The newest rows as CSV or Parquet. Personal data in text is masked; it is audited."""
    found = sheets.rows(store, caller.tenant, view, since, limit)
    with store.connection() as connection:
        audit.record(connection, caller.tenant, caller.actor, "table.export", view, {"rows": len(found), "format": form})
    made = sheets.as_csv(found) if form == "csv" else sheets.as_parquet(found)
    return _file(made, form, f"{view}-{now:%Y%m%dT%H%M%SZ}")


def _file(content: bytes, form: str, name: str) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="{name}.{ENDINGS[form]}"'}
    return Response(content, media_type=MEDIA[form], headers=headers)
