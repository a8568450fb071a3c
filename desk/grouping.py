"""Merging and splitting by hand, and what would merge. A split by hand is remembered: the machine never joins the two again."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from desk import file, joining, opening, telling, timeline, timers
from desk.actions import Asked
from desk.errors import BadDetail, NotPossible
from desk.file import File, of_row
from desk.fingerprint import asked as keys_asked
from desk.fingerprint import printed
from desk.timeline import Entry
from rag.topology import Topology
from store.database import Connection, fetch
from store.sections.desk import Desk

ROW = dict[str, Any]


def take_turn(connection: Connection, tenant: str) -> None:
    """Wait for the intake of the tenant, so that nothing joins a group while it is taken apart."""
    fetch(connection, "desk_turn", tenant=tenant)


def merge(connection: Connection, head: File, asked: Asked) -> tuple[File, Entry]:
    """Take another case (`other`, and `other_version` as it was seen, where known) with its members into this one."""
    other_id = asked.text("other", needed=True)
    if other_id == head.case_id:
        raise BadDetail("other", "another case")
    other, _ = file.lock(connection, head.tenant, other_id)
    seen = asked.detail.get("other_version")
    if other.head is not None:
        raise NotPossible(f"{other_id} belongs to {other.head} already.")
    if seen is not None and seen != other.version:
        raise NotPossible(f"{other_id} has changed meanwhile: it is at version {other.version}.")
    if head.is_closed:
        raise NotPossible(f"It is {head.status}; reopen it first.")
    because = f"merged by {asked.name or asked.actor}"
    ours, theirs = _group(connection, head), _group(connection, other)
    ids, other_ids = {one.case_id for one in ours}, {one.case_id for one in theirs}
    moved = replace(_without(other, ids), head=head.case_id, joined_because=because)
    for one in theirs[1:]:
        again = replace(_without(one, ids), head=head.case_id)
        file.save(connection, again, asked.desk)
    for one in ours[1:]:
        if set(one.apart) & other_ids:
            file.save(connection, _without(one, other_ids), asked.desk)
    gone = Entry("merged", f"merged it into {head.case_id}", asked.actor, asked.name, {"into": head.case_id})
    timeline.write(connection, other.next_version(asked.now), gone, asked.now)
    telling.tell(connection, other.next_version(asked.now), "case.resolved", gone.said, merged_into=head.case_id)
    file.save(connection, moved.next_version(asked.now), asked.desk)
    after = _summed(connection, _without(head, other_ids), [*ours, *theirs], asked.desk)
    said = f"merged {other.title} into it ({len(theirs)} case{'s' * (len(theirs) > 1)})"
    return after, Entry("merged", said, asked.actor, asked.name, {"other": other_id, "cases": sorted(other_ids)})


def split(connection: Connection, head: File, asked: Asked) -> tuple[File, Entry]:
    """Make a member (`member`) a case of its own again, apart from the rest for good."""
    member_id = asked.text("member", needed=True)
    group = _group(connection, head)
    leaving = next((one for one in group if one.case_id == member_id), None)
    if leaving is None or leaving.case_id == head.case_id:
        raise BadDetail("member", "one of the other cases in this one: " + ", ".join(one.case_id for one in group[1:6]))
    rest = [one for one in group if one.case_id != member_id]
    alone = _alone(leaving, [one.case_id for one in rest], asked)
    alone = opening.reckoned(connection, alone, asked.desk)  # its row still names the head, so only its own stake counts
    file.save(connection, alone, asked.desk)
    begun = Entry("split", f"split it off {head.case_id}", asked.actor, asked.name, {"from": head.case_id})
    timeline.write(connection, alone, begun, asked.now)
    telling.tell(connection, alone, "case.opened", begun.said)
    after = _summed(connection, head, rest, asked.desk)
    said = f"split {leaving.entity} off as a case of its own"
    return after, Entry("split", said, asked.actor, asked.name, {"member": member_id})


def _alone(leaving: File, rest: list[str], asked: Asked) -> File:
    ack, close = timers.due_times(leaving.own_severity, asked.now, asked.desk)
    return replace(
        leaving, head=None, joined_because="", apart=tuple(sorted({*leaving.apart, *rest})), version=leaving.version + 1,
        status="open", severity=leaving.own_severity, hits=leaving.revision, members=1, started_at=leaving.own_started_at,
        last_at=leaving.own_last_at, opened_at=asked.now, changed_at=asked.now, ack_due_at=ack, resolve_due_at=close, breached=(),
        escalation=0, held_by=None, snoozed_until=None, snooze=None, snoozed_by=None, closed_at=None, closed_by=None, reason=None,
        reason_text=None, expires_at=None, acknowledged_at=None,
    )  # fmt: skip


def _group(connection: Connection, head: File) -> list[File]:
    return [of_row(row) for row in fetch(connection, "desk_group", tenant=head.tenant, case_id=head.case_id)]


def _without(one: File, ids: set[str]) -> File:
    """A merge by hand takes back what was split by hand."""
    return replace(one, apart=tuple(other for other in one.apart if other not in ids))


def _summed(connection: Connection, head: File, group: Sequence[File], desk: Desk) -> File:
    """The head with the figures of its whole group, whose rows are written already."""
    summed = replace(
        head, members=len(group), hits=sum(one.revision for one in group), severity=max(one.own_severity for one in group),
        started_at=min(one.own_started_at for one in group), last_at=max(one.own_last_at for one in group),
    )  # fmt: skip
    return opening.reckoned(connection, summed, desk)


def candidates(connection: Connection, tenant: str, case_id: str, desk: Desk) -> list[ROW]:
    """Heads that any member of the case has a bond with."""
    head = file.read(connection, tenant, case_id)
    group = fetch(connection, "desk_group", tenant=tenant, case_id=head.head or head.case_id)
    topology = Topology.of((row["caller"], row["callee"]) for row in fetch(connection, "desk_edges", tenant=tenant))
    within_s = max(desk.join_within_s, desk.same_subject_within_s)
    best: dict[str, tuple[Any, ROW]] = {}
    for row in group[:50]:
        one = printed(of_row(row))
        near = fetch(connection, "desk_candidates", tenant=tenant, keys=keys_asked(one, topology), within_s=within_s,
                     subject=one.subject, case_id=one.case_id, started_at=one.started_at, last_at=one.last_at)  # fmt: skip
        for join in joining.joins(one, near, topology, desk):
            order = (join.bond.rank, join.bond.gap_s)
            if join.head_id != group[0]["case_id"] and (join.head_id not in best or order < best[join.head_id][0]):
                best[join.head_id] = order, {"case_id": join.head_id, "because": join.bond.because, "through": join.through}
    found = [row for _, row in sorted(best.values(), key=lambda pair: pair[0])][:20]
    return [_shown(connection, tenant, row, group) for row in found]


def _shown(connection: Connection, tenant: str, found: ROW, group: Iterable[ROW]) -> ROW:
    theirs = fetch(connection, "desk_group", tenant=tenant, case_id=found["case_id"])
    shown = {name: theirs[0][name] for name in ("title", "entity", "status", "severity", "members", "started_at", "version")}
    return {**found, **shown, "apart": joining.kept_apart(group, theirs)}
