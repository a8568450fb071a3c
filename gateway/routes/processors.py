"""Processors over HTTP: versions, live and retired, tried on past events, and what they said of the stream."""

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query

from gateway.access import App, Needs, Store
from gateway.cursors import big, closed, opened, text, time
from gateway.processing import (
    NAME,
    ChangeItem,
    Checked,
    DraftIn,
    ExpressionIn,
    FieldItem,
    HitItem,
    HitPage,
    ListedProcessor,
    LiveIn,
    OutcomeItem,
    OutcomePage,
    ProcessorDetail,
    ProcessorIn,
    ProcessorPage,
    TriedOut,
    TryIn,
    VersionIn,
    VersionItem,
    Why,
)
from gateway.routes.topics import Admin, After, Limit, Removed, Viewer
from jobs.detectors import chosen
from pipelines import catalogue
from pipelines.dry_run import dry_run
from pipelines.errors import Unknown
from pipelines.expression import compile_expression
from pipelines.fields import ANOMALY, EVENT, MEANING, Scope
from pipelines.guard import enrichments, listings
from store.database import Connection, fetch
from store.settings import Settings
from trust.roles import Caller, Role

router = APIRouter(prefix="/v1/processors", tags=["pipelines"])
Analyst = Annotated[Caller, Needs(Role.analyst, scope="pipelines")]
Name = Annotated[str, Path(pattern=NAME, examples=["stolen-cards"])]


@router.get("", summary="List the processors")
def list_processors(caller: Viewer, store: Store, limit: Limit = 100, after: After = None) -> ProcessorPage:
    """By name."""
    start = opened(after, text)[0] if after else ""
    rows = store.fetch("list_processors", tenant=caller.tenant, after=start, limit=limit)
    following = closed(rows[-1]["processor"]) if len(rows) == limit else None
    return ProcessorPage(items=[ListedProcessor(**row) for row in rows], next=following)


@router.post("", status_code=201, summary="Make a processor")
def create_processor(caller: Admin, store: Store, wanted: ProcessorIn) -> ProcessorDetail:
    """A bad expression is refused with its line and column and the names that are known."""
    with store.connection() as connection:
        catalogue.create(connection, caller.tenant, wanted.processor, wanted.spec, actor=caller.actor, why=wanted.why,
                         description=wanted.description, live=wanted.live)  # fmt: skip
        return one(connection, caller.tenant, wanted.processor)


@router.get("/fields", summary="What expressions may name")
def fields(caller: Viewer, store: Store) -> list[FieldItem]:
    """Fields of events and anomalies, lists, enrichments."""
    with store.connection() as connection:
        held = listings(connection, caller.tenant)
        looked_up = enrichments(connection, caller.tenant, held)
    items = [FieldItem(name=name, type=kind, meaning=MEANING[name]) for name, kind in ANOMALY.items()]
    items += [FieldItem(name=f"lists.{name}", type="list", meaning="a data list, to the right of `in`") for name in sorted(held)]
    return items + [
        FieldItem(name=f"enriched.{name}.{column}", type="string", meaning="looked up by an enrichment")
        for name, columns in sorted(looked_up.items()) for column in columns
    ]  # fmt: skip


@router.post("/check", summary="Check an expression")
def check(caller: Viewer, store: Store, wanted: ExpressionIn) -> Checked:
    """422 names the place and the known fields."""
    with store.connection() as connection:
        held = listings(connection, caller.tenant)
        scope = Scope(
            ANOMALY if wanted.over == "anomaly" else EVENT, frozenset(held), enrichments(connection, caller.tenant, held)
        )
    made = compile_expression(wanted.expression, scope)
    return Checked(fields=sorted(made.fields), lists=sorted(made.lists), enrichments=sorted(made.enriched))


@router.post("/dry-run", summary="Try a configuration")
def try_draft(caller: Analyst, store: Store, app: App, wanted: DraftIn) -> TriedOut:
    """On the newest events that came, without keeping anything; models and services are not called."""
    return tried(store, app, caller, wanted.spec, wanted)


@router.get("/hits", summary="Hits of all processors")
def all_hits(caller: Viewer, store: Store, entity: Annotated[str | None, Query(max_length=400)] = None, limit: Limit = 100,
             after: After = None) -> HitPage:  # fmt: skip
    """Newest first; of one entity when it is given."""
    return hits_of(store, caller, None, entity, limit, after)


@router.get("/{processor}", summary="A processor")
def get_processor(caller: Viewer, store: Store, processor: Name) -> ProcessorDetail:
    """With versions and history."""
    with store.connection() as connection:
        return one(connection, caller.tenant, processor)


@router.delete("/{processor}", summary="Delete a processor")
def delete_processor(caller: Admin, store: Store, processor: Name, cascade: bool = False) -> Removed:
    """409 names the segments that use it; `cascade=true` takes it out of them. Its counts and hits stay."""
    with store.connection() as connection:
        users = catalogue.remove(connection, caller.tenant, processor, actor=caller.actor, cascade=cascade)
    return Removed(removed=[f"segment {one}: processor {processor}" for one in users])


@router.post("/{processor}/versions", status_code=201, summary="Make a new version")
def new_version(caller: Admin, store: Store, processor: Name, wanted: VersionIn) -> ProcessorDetail:
    """What changes nothing makes no version."""
    with store.connection() as connection:
        one(connection, caller.tenant, processor)
        catalogue.put(connection, caller.tenant, processor, wanted.spec, actor=caller.actor, why=wanted.why, live=wanted.live)
        return one(connection, caller.tenant, processor)


@router.post("/{processor}/live", summary="Let a version act")
def go_live(caller: Admin, store: Store, processor: Name, wanted: LiveIn) -> ProcessorDetail:
    """From the stream's next batch on; a batch that is at work, or tried again, keeps the versions it began with."""
    with store.connection() as connection:
        catalogue.set_live(connection, caller.tenant, processor, wanted.version, actor=caller.actor, why=wanted.why)
        return one(connection, caller.tenant, processor)


@router.post("/{processor}/retire", summary="Let it act no more")
def retire(caller: Admin, store: Store, processor: Name, wanted: Why) -> ProcessorDetail:
    """Its versions stay and can be live again."""
    with store.connection() as connection:
        catalogue.retire(connection, caller.tenant, processor, actor=caller.actor, why=wanted.why)
        return one(connection, caller.tenant, processor)


@router.post("/{processor}/dry-run", summary="Try a version")
def try_version(caller: Analyst, store: Store, app: App, processor: Name, wanted: TryIn) -> TriedOut:
    """On the newest events that came."""
    with store.connection() as connection:
        held = one(connection, caller.tenant, processor)
        number = wanted.version if wanted.version is not None else held.newest_version
        rows = fetch(connection, "find_version", tenant=caller.tenant, processor=processor, version=number)
    if not rows:
        raise Unknown(f"`{processor}` version {number}.")
    return tried(store, app, caller, rows[0]["spec"], wanted)


@router.get("/{processor}/outcomes", summary="What it said, by hour")
def outcomes(caller: Viewer, store: Store, processor: Name, limit: Limit = 100, after: After = None) -> OutcomePage:
    """Every outcome is counted, hit or not."""
    hour, version, segment = opened(after, time, big, text) if after else (None, None, None)
    rows = store.fetch(
        "rule_outcomes", tenant=caller.tenant, processor=processor, hour=hour, version=version, segment=segment, limit=limit
    )
    following = closed(rows[-1]["hour"], rows[-1]["version"], rows[-1]["segment"]) if len(rows) == limit else None
    return OutcomePage(items=[OutcomeItem(**row) for row in rows], next=following)


@router.get("/{processor}/hits", summary="What it hit")
def hits(caller: Viewer, store: Store, processor: Name, limit: Limit = 100, after: After = None) -> HitPage:
    """Newest first; of one batch at most `pipelines.hits_per_batch` are kept, all are counted."""
    return hits_of(store, caller, processor, None, limit, after)


def hits_of(store: Store, caller: Caller, processor: str | None, entity: str | None, limit: int, after: str | None) -> HitPage:
    at, last = opened(after, time, text) if after else (None, None)
    wanted = None if entity is None else entity.replace("\0", "")
    rows = store.fetch("list_hits", tenant=caller.tenant, processor=processor, entity=wanted, at=at, hit_id=last, limit=limit)
    following = closed(rows[-1]["created_at"], rows[-1]["hit_id"]) if len(rows) == limit else None
    return HitPage(items=[HitItem(**row) for row in rows], next=following)


def tried(store: Store, app: Settings, caller: Caller, spec: dict[str, Any], wanted: DraftIn | TryIn) -> TriedOut:
    found = dry_run(
        store, app, caller.tenant, spec, events=wanted.events, topic=wanted.topic, filter=wanted.filter, usual=usual(app)
    )
    return TriedOut(**asdict(found))


def usual(app: Settings) -> dict[str, float]:
    """The score from which each detector flags."""
    return {one.name: one.threshold for one in chosen(tuple(app.detect.detectors))} | app.detect.thresholds


def one(connection: Connection, tenant: str, processor: str) -> ProcessorDetail:
    which: dict[str, Any] = {"tenant": tenant, "processor": processor}
    rows = fetch(connection, "find_processor", **which)
    if not rows:
        raise Unknown(f"`{processor}`.")
    return ProcessorDetail(
        **rows[0], segments=[row["segment"] for row in fetch(connection, "segments_of_processor", **which)],
        versions=[VersionItem(**row) for row in fetch(connection, "list_versions_of", **which, limit=100)],
        changes=[ChangeItem(**row) for row in fetch(connection, "changes_of", **which, limit=100)],
    )  # fmt: skip
