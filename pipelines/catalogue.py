"""Processors and segments: made, versioned, put live, retired, removed; each change with who and why, and an audit entry.

Every function works inside the caller's transaction.
"""

from collections.abc import Sequence
from typing import Any

from pipelines import specs
from pipelines.errors import BadSpec, Changed, Exists, Needed, Unknown
from pipelines.guard import check_filter, check_live, check_spec, known
from pipelines.lists import put_list
from pipelines.plan import digest
from store.database import Connection, fetch, run
from trust import audit

__all__ = ["create", "put", "put_list", "put_segment", "remove", "remove_segment", "retire", "set_live"]


def create(connection: Connection, tenant: str, name: str, raw: dict[str, Any], *, actor: str, why: str = "",
           description: str = "", live: bool = False) -> int:  # fmt: skip
    """A new processor with its first version; raises Exists, BadName, BadSpec, BadExpression, PlanBroken."""
    spec = check_spec(connection, tenant, raw, specs.check_name(name))
    made = run(connection, "put_processor", tenant=tenant, processor=name, kind=spec.kind, description=description, actor=actor)
    if not made:
        raise Exists(f"`{name}`.")
    _note(connection, tenant, name, "created", None, actor, why)
    return _versioned(connection, tenant, name, spec, actor, why, live)


def put(
    connection: Connection, tenant: str, name: str, raw: dict[str, Any], *, actor: str, why: str = "", live: bool = False
) -> int:
    """A new version of a processor, which is made when there is none; its number. What changes nothing makes no version."""
    held = fetch(connection, "lock_processor", tenant=tenant, processor=name)
    if not held:
        return create(connection, tenant, name, raw, actor=actor, why=why, live=live)
    spec = check_spec(connection, tenant, raw, name)
    if spec.kind != held[0]["kind"]:
        raise BadSpec(f"kind: `{name}` is of kind {held[0]['kind']}; another kind is another processor.", "kind")
    return _versioned(connection, tenant, name, spec, actor, why, live)


def _versioned(connection: Connection, tenant: str, name: str, spec: Any, actor: str, why: str, live: bool) -> int:
    held = fetch(connection, "lock_processor", tenant=tenant, processor=name)[0]
    raw, version = specs.written(spec), int(held["newest"])
    same = fetch(connection, "find_version", tenant=tenant, processor=name, version=version)
    if not same or same[0]["spec_hash"] != digest(raw):
        version += 1
        run(connection, "put_version", tenant=tenant, processor=name, version=version, spec=raw, spec_hash=digest(raw), why=why,
            actor=actor)  # fmt: skip
        _note(connection, tenant, name, "version", version, actor, why)
    if live and held["live_version"] != version:
        run(connection, "set_live", tenant=tenant, processor=name, version=version)
        _note(connection, tenant, name, "live", version, actor, why)
    check_live(connection, tenant)
    audit.record(connection, tenant, actor, "processor.put", name, {"version": version, "live": live, "why": why})
    return version


def set_live(connection: Connection, tenant: str, name: str, version: int, *, actor: str, why: str = "") -> None:
    """Let a version act from the stream's next batch on; raises Unknown, PlanBroken."""
    known(fetch(connection, "lock_processor", tenant=tenant, processor=name), name)
    known(fetch(connection, "find_version", tenant=tenant, processor=name, version=version), f"{name} version {version}")
    run(connection, "set_live", tenant=tenant, processor=name, version=version)
    _note(connection, tenant, name, "live", version, actor, why)
    check_live(connection, tenant)
    audit.record(connection, tenant, actor, "processor.live", name, {"version": version, "why": why})


def retire(connection: Connection, tenant: str, name: str, *, actor: str, why: str = "") -> None:
    """From the stream's next batch on it does not act; raises Unknown, PlanBroken when another one needs it."""
    held = known(fetch(connection, "lock_processor", tenant=tenant, processor=name), name)
    run(connection, "set_live", tenant=tenant, processor=name, version=None)
    _note(connection, tenant, name, "retired", held["live_version"], actor, why)
    check_live(connection, tenant)
    audit.record(connection, tenant, actor, "processor.retire", name, {"version": held["live_version"], "why": why})


def remove(connection: Connection, tenant: str, name: str, *, actor: str, cascade: bool = False) -> list[str]:
    """Forget a processor, with `cascade` also in the segments that name it; those segments. Its counts and hits stay.

    Raises Unknown; Needed, naming the segments; PlanBroken.
    """
    known(fetch(connection, "lock_processor", tenant=tenant, processor=name), name)
    users = [row["segment"] for row in fetch(connection, "segments_of_processor", tenant=tenant, processor=name)]
    if users and not cascade:
        raise Needed([f"segment {one}" for one in users])
    run(connection, "drop_from_segments", tenant=tenant, processor=name, actor=actor)
    run(connection, "set_live", tenant=tenant, processor=name, version=None)
    _note(connection, tenant, name, "deleted", None, actor, "")
    run(connection, "remove_processor", tenant=tenant, processor=name)
    check_live(connection, tenant)
    audit.record(connection, tenant, actor, "processor.delete", name, {"segments": users})
    return users


def _note(connection: Connection, tenant: str, name: str, action: str, version: int | None, actor: str, why: str) -> None:
    run(connection, "note_change", tenant=tenant, processor=name, action=action, version=version, actor=actor, why=why)


def put_segment(
    connection: Connection, tenant: str, segment: str, *, topic: str = "*", filter: str = "", processors: Sequence[str] = (),
    enabled: bool = True, description: str = "", actor: str, revision: int | None = None, new: bool = False,
) -> None:  # fmt: skip
    """Make or change a segment. With `revision` only when it still has that one, with `new` only when there is none.

    Raises BadName, BadExpression, Unknown (topic or processor), BadSpec, PlanBroken, Exists, Changed.
    """
    check_filter(connection, tenant, filter)
    _check_parts(connection, tenant, topic, processors)
    given = {"topic": topic, "filter": filter, "processors": list(processors), "enabled": enabled, "description": description}
    row = given | {"tenant": tenant, "segment": specs.check_name(segment), "actor": actor}
    made = run(connection, "put_segment", **row) if revision is None else 0
    if not made and new:
        raise Exists(f"`{segment}`.")
    if not made and not run(connection, "change_segment", **row, revision=revision):
        known(fetch(connection, "find_segment", tenant=tenant, segment=segment), segment)
        raise Changed
    check_live(connection, tenant)
    audit.record(connection, tenant, actor, "segment.put", segment, given)


def _check_parts(connection: Connection, tenant: str, topic: str, processors: Sequence[str]) -> None:
    if topic != "*":
        known(fetch(connection, "find_topic", tenant=tenant, topic=topic), f"topic {topic}")
    if len(set(processors)) != len(processors):
        raise BadSpec("processors: each may stand in a segment once.", "processors")
    for name in processors:
        held = fetch(connection, "find_processor", tenant=tenant, processor=name)
        if not held:
            raise Unknown(f"processor `{name}`.")
        if held[0]["kind"] == "thresholds":
            raise BadSpec(
                f"processors: `{name}` sets thresholds, which act on the whole tenant and stand in no segment.", "processors"
            )


def remove_segment(connection: Connection, tenant: str, segment: str, *, actor: str) -> None:
    """Forget a segment; its processors stay. Raises Unknown."""
    if not run(connection, "remove_segment", tenant=tenant, segment=segment):
        raise Unknown(f"`{segment}`.")
    audit.record(connection, tenant, actor, "segment.delete", segment)
