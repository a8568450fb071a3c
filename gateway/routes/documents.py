"""Documents: upload, progress, versions, removal; the sections they became; and search over all of them."""

import json
from dataclasses import asdict
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile

from assistant import documents, finding
from assistant.errors import BadName, DocumentTooLarge, UnknownDocument, UnknownFormat, UnreadableDocument
from gateway import problems
from gateway.access import App, Needs, Now, Store
from gateway.cursors import closed, opened, text
from gateway.problems import Problem, place
from rag import runbook
from trust.roles import Caller, Role

router = APIRouter(prefix="/v1", tags=["documents"])
Viewer = Annotated[Caller, Needs(Role.viewer, scope="documents")]
Analyst = Annotated[Caller, Needs(Role.analyst, scope="documents")]
Admin = Annotated[Caller, Needs(Role.admin, scope="documents")]
DocId = Annotated[str, Path(max_length=200, pattern=r"^[^\x00/]+$", examples=["on-call"])]
Number = Annotated[int, Path(ge=1, lt=2**31)]
problems.register({UnknownDocument: 404, UnknownFormat: 415, UnreadableDocument: 422, DocumentTooLarge: 413, BadName: 422})


class DocumentIn(BaseModel):
    """A document as JSON; binary ones come as multipart."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(
        min_length=1, max_length=300, examples=["on-call.md"], description="known by it: the same name is a new version"
    )
    text: str = Field(min_length=1, max_length=20_000_000)
    format: Literal["markdown", "text", "html"] | None = Field(None, description="default: by the name's ending")
    keep_duplicate: bool = Field(False, description="search it although the very same bytes are in use under another name")


class Near(BaseModel):
    """A document like it: the estimated share of common runs of five words."""

    doc_id: str
    version: int
    similarity: float


class Version(BaseModel):
    """A version and how far it has come: queued, reading, indexing, ready; or failed, duplicate, deleted, with why."""

    doc_id: str
    version: int
    source: str
    format: Literal["markdown", "text", "html", "pdf"]
    title: str
    sha256: str
    size: int = Field(description="bytes")
    state: Literal["queued", "reading", "indexing", "ready", "failed", "duplicate", "deleted"]
    why: str
    near: list[Near] = Field(description="near duplicates when it was read")
    sections: int | None = Field(description="null until it has been cut")
    done: int = Field(description="sections that have their vector")
    uploaded_by: str
    uploaded_at: AwareDatetime
    finished_at: AwareDatetime | None
    in_use: int | None = Field(description="the version that is searched; null: none yet")


class Uploaded(Version):
    """The version taken in; `unchanged`: its newest version has these very bytes, nothing was done."""

    unchanged: bool


class DocumentPage(BaseModel):
    """Each document's newest version."""

    items: list[Version]
    next: str | None


class Versions(BaseModel):
    """Every version, the newest first."""

    items: list[Version]


class VersionText(BaseModel):
    """What a version said, as Markdown; null while it has not been read, and after removal."""

    doc_id: str
    version: int
    text: str | None


class Removed(BaseModel):
    """What went, and what stays readable because a ruling or an answer cites it."""

    versions: int
    sections_forgotten: int
    sections_kept_for_citations: int


class Section(BaseModel):
    """A section of the runbook; with `at`, as it was then."""

    section_id: str
    doc_id: str
    heading_path: list[str]
    body: str
    tags: list[str]
    current: bool = Field(description="it still says so")


class Hit(BaseModel):
    """Something found: fused score, its parts, and why."""

    kind: Literal["section", "case"]
    id: str
    title: str
    excerpt: str
    score: float
    bm25: float
    cosine: float
    why: str
    words: list[str]
    outcome: str | None
    happened_at: AwareDatetime | None
    tags: list[str]


class Hits(BaseModel):
    """Sections in their order, then past cases in theirs."""

    items: list[Hit]


_JSON = {"schema": DocumentIn.model_json_schema(ref_template="#/components/schemas/{model}")}
_FORM = {"schema": {"type": "object", "required": ["file"], "properties": {
    "file": {"type": "string", "format": "binary", "description": "markdown, text, HTML or PDF"},
    "name": {"type": "string", "description": "instead of the file's own"},
    "format": {"type": "string", "enum": ["markdown", "text", "html", "pdf"]},
    "keep_duplicate": {"type": "boolean"}}}}  # fmt: skip
BODY = {"requestBody": {"required": True, "content": {"application/json": _JSON, "multipart/form-data": _FORM}}}
REFUSED: dict[int | str, dict[str, Any]] = {
    status: {"model": problems.ProblemDetail, "description": problems.TITLES[status]} for status in (413, 415)
}


@router.post("/documents", summary="Upload a document", status_code=202, openapi_extra=BODY, responses=REFUSED)
async def upload_document(caller: Analyst, store: Store, app: App, now: Now, request: Request) -> Uploaded:
    """Markdown, text, HTML or PDF, as JSON or multipart. `conclave operate` cuts and embeds it; its version tells how far it is.
    What cannot be read is refused at once where that can be told."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().casefold()
    if kind == "application/json":
        given = await _from_json(request)
    elif kind == "multipart/form-data":
        given = await _from_form(request)
    else:
        raise Problem(415, detail="Send application/json or multipart/form-data.", field="content-type")
    row = await run_in_threadpool(documents.upload, store, caller, now=now, settings=app.assistant, **given)
    return Uploaded(**row)


async def _from_json(request: Request) -> dict[str, Any]:
    try:
        wanted = DocumentIn.model_validate(json.loads(await request.body()))
    except ValidationError as error:
        first = error.errors()[0]
        field = place(("body", *first["loc"]))
        raise Problem(422, detail=f"{field}: {first['msg']}", field=field) from None
    except (ValueError, RecursionError):
        raise Problem(422, detail="The body is not JSON.", field="body") from None
    name = wanted.name if wanted.format is None or "." in wanted.name else f"{wanted.name}.{wanted.format}"
    raw = wanted.text.encode("utf-8", "replace")
    return {"name": name, "raw": raw, "given": wanted.format or "", "keep_duplicate": wanted.keep_duplicate}


async def _from_form(request: Request) -> dict[str, Any]:
    async with request.form(max_files=1, max_fields=8) as form:
        file = form.get("file")
        if not isinstance(file, UploadFile):
            raise Problem(422, detail="file: is missing from the form", field="file")
        texts = {name: value for name in ("name", "format", "keep_duplicate") if isinstance(value := form.get(name), str)}
        keep = texts.get("keep_duplicate", "").casefold() in ("1", "true", "yes", "on")
        name, media = texts.get("name") or file.filename or "", file.content_type or ""
        return {"name": name, "raw": await file.read(), "media": media, "given": texts.get("format", ""), "keep_duplicate": keep}


@router.get("/documents", summary="List the documents")
def list_documents(
    caller: Viewer, store: Store, limit: Annotated[int, Query(ge=1, le=500)] = 100,
    after: Annotated[str | None, Query(max_length=600)] = None,
) -> DocumentPage:  # fmt: skip
    """Each document with its newest version, its progress, and the version in use."""
    start = opened(after, text)[0] if after is not None else ""
    rows = documents.listed(store, caller.tenant, limit=limit + 1, after=start)
    kept = rows[:limit]
    return DocumentPage(items=[Version(**row) for row in kept], next=closed(kept[-1]["doc_id"]) if len(rows) > limit else None)


@router.get("/documents/{doc_id}", summary="A document's versions")
def read_document(caller: Viewer, store: Store, doc_id: DocId) -> Versions:
    """The newest first; those before the one in use stay for what cites them."""
    return Versions(items=[Version(**row) for row in documents.versions(store, caller.tenant, doc_id)])


@router.get("/documents/{doc_id}/versions/{number}", summary="A version and its progress")
def read_version(caller: Viewer, store: Store, doc_id: DocId, number: Number) -> Version:
    """State, counts, near duplicates."""
    return Version(**documents.version(store, caller.tenant, doc_id, number))


@router.get("/documents/{doc_id}/versions/{number}/text", summary="What a version said")
def read_version_text(caller: Viewer, store: Store, doc_id: DocId, number: Number) -> VersionText:
    """As Markdown."""
    return VersionText(doc_id=doc_id, version=number, text=documents.text_of(store, caller.tenant, doc_id, number))


@router.delete("/documents/{doc_id}", summary="Remove a document")
def delete_document(
    caller: Admin, store: Store, doc_id: DocId,
    purge: Annotated[bool, Query(description="also what rulings and answers cite")] = False,
) -> Removed:  # fmt: skip
    """It is not found any more and its versions are emptied; what is cited stays readable as a section of the past."""
    return Removed(**documents.delete(store, caller, doc_id, purge=purge))


@router.get("/sections/{section_id:path}", summary="A section of the runbook")
def read_section(
    caller: Viewer, store: Store, section_id: Annotated[str, Path(max_length=800)],
    at: Annotated[AwareDatetime | None, Query(description="as it was then, for the citations of old rulings")] = None,
) -> Section:  # fmt: skip
    """By the id that rulings and answers cite (`#` as %23); one that is gone is given as it was last."""
    now = runbook.section(store, section_id, tenant=caller.tenant)
    then = runbook.section_as_of(store, section_id, at, tenant=caller.tenant) if at is not None else now
    found = then or runbook.section_last(store, section_id, tenant=caller.tenant)
    if found is None:
        raise Problem(404, detail="There is no such section, and there was none.")
    same = now is not None and now.sha256 == found.sha256
    return Section(section_id=found.section_id, doc_id=found.doc_id, heading_path=list(found.heading_path), body=found.body,
                   tags=list(found.tags), current=same)  # fmt: skip


@router.get("/search", summary="Search runbook and past cases")
def search(
    caller: Viewer, store: Store, q: Annotated[str, Query(min_length=1, max_length=1_000, examples=["card testing"])],
    limit: Annotated[int, Query(ge=1, le=50)] = 10,
    only: Annotated[Literal["sections", "cases"] | None, Query(description="only one kind")] = None,
) -> Hits:  # fmt: skip
    """BM25 over stemmed words with the cosine of vectors; each hit says its scores and why it was found."""
    found = finding.find(
        store, caller.tenant, q.replace("\0", " "), limit=limit, sections=only != "cases", cases=only != "sections"
    )
    return Hits(items=[Hit.model_validate(asdict(one)) for one in found])
