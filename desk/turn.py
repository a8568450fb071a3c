"""A turn at the desk: one transaction of one tenant, in which cases change in hand and are written once, at its end."""

from collections import defaultdict
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from desk import actions, bridging, file, opening, telling, timeline, timers
from desk.bridging import Bridge
from desk.file import File
from desk.timeline import Entry
from store.database import Connection, fetch, run
from store.sections.desk import Desk

ROW = dict[str, Any]


@dataclass
class Turn:
    """`heads`: files in hand, members too; `said`: what is to be told of each; `restaked`: heads whose loss has changed."""

    connection: Connection
    tenant: str
    desk: Desk
    now: datetime
    heads: dict[str, File] = field(default_factory=dict)
    said: dict[str, list[tuple[Entry, str, str]]] = field(default_factory=lambda: defaultdict(list))
    restaked: set[str] = field(default_factory=set)
    new: set[str] = field(default_factory=set)
    bridges: list[Bridge] = field(default_factory=list)
    causes: dict[str, ROW] = field(default_factory=dict)

    def know(self, case_ids: list[str]) -> None:
        """Read and hold the files that some cases have already."""
        for known in fetch(self.connection, "desk_lock_files", tenant=self.tenant, case_ids=case_ids):
            self.heads.setdefault(known["case_id"], file.of_row(known))

    def own(self, case_id: str) -> File:
        """A file as this turn has it."""
        if case_id not in self.heads:
            self.heads[case_id], _ = file.lock(self.connection, self.tenant, case_id)
        return self.heads[case_id]

    def head_of(self, case_id: str) -> File:
        one = self.own(case_id)
        return self.head_of(one.head) if one.head else one

    def put(self, changed: File) -> None:
        self.heads[changed.case_id] = changed

    def tell(self, head: File, entry: Entry, message: str = "", dedupe: str = "") -> None:
        self.said[head.case_id].append((entry, message, dedupe))

    def add(self, new: File) -> None:
        file.add(self.connection, new, self.desk)
        self.heads[new.case_id] = new
        self.new.add(new.case_id)
        self.restaked.add(new.head or new.case_id)

    def grew(self, before: File, after: File, entry: Entry | None) -> None:
        """A case that is not closed has more hits, members or severity: limits tighten, a snooze may break."""
        due = timers.due_times(after.severity, after.opened_at, self.desk)
        if after.held_by is None and after.severity > before.severity:
            after = replace(after, ack_due_at=_earlier(after.ack_due_at, due[0]),
                            resolve_due_at=_earlier(after.resolve_due_at, due[1]))  # fmt: skip
        why = timers.broken(after.snooze, after.severity, after.hits, after.members, self.desk) if after.snooze else ""
        if why:
            after = actions.woken(after, self.now)
        self.put(after)
        if entry is not None:
            self.tell(after, entry)
        if why:
            self.tell(after, Entry("woken", f"ended the snooze: {why}"), "case.grown", f"woken:v{after.version}")
        elif not after.is_quiet and (step := _step(after)) != _step(before):
            words = (
                f"it has {after.members} member{'s' * (after.members > 1)} and {after.hits} hits, severity {after.severity:.2f}"
            )
            self.tell(after, Entry("grown", words), "case.grown", f"r{after.reopened}:{step}")

    def recurred(self, head: File, entry: Entry) -> None:
        """New hits on a closed case: it opens again, unless a dismissal in force covers them."""
        if head.status == "dismissed" and head.expires_at is not None and self.now < head.expires_at:
            was = head.closed_severity if head.closed_severity is not None else 0.0
            if head.severity < was + self.desk.worse_by:
                kept = replace(head, recurrences=head.recurrences + 1)
                self.put(kept)
                self.tell(kept, replace(entry, kind="recurred", said=f"{entry.said}; the dismissal keeps it quiet"))
                return
            why = f"severity {head.severity:.2f} is worse than the {was:.2f} that was dismissed"
        else:
            why = "it came back" if head.status == "resolved" else "it came back after the dismissal had run out"
        again = actions.reopened(head, self.now, self.desk)
        self.put(again)
        self.tell(again, entry)
        self.tell(again, Entry("reopened", f"reopened it: {why}"), "case.reopened", f"r{again.reopened}")

    def _bridge(self, one: Bridge) -> None:
        """Make the two cases one that something new belongs to both of."""
        keep, gone = self.head_of(one.keep), self.head_of(one.gone)
        ours, theirs = (fetch(self.connection, "desk_group", tenant=self.tenant, case_id=head.case_id) for head in (keep, gone))
        if not bridging.allowed(keep, gone, ours, theirs):
            return
        because = f"joined because {one.entity} belongs to both: {one.because}"
        run(self.connection, "desk_move_group", tenant=self.tenant, gone=gone.case_id, keep=keep.case_id, because=because)
        for case_id, known in self.heads.items():
            if known.head == gone.case_id:
                self.heads[case_id] = replace(known, head=keep.case_id)
        merged = replace(gone, head=keep.case_id, joined_because=because)
        self.put(merged)
        self.said[gone.case_id] = [(entry, "", "") for entry, _, _ in self.said[gone.case_id]]
        if gone.case_id not in self.new:
            self.tell(
                merged, Entry("merged", f"merged it into {keep.case_id}: {because}"), "case.resolved", f"merged:{keep.case_id}"
            )
        self.restaked.discard(gone.case_id)
        self.restaked.add(keep.case_id)
        self.grew(keep, bridging.together(keep, gone), Entry("merged", f"merged {gone.title} into it, {because}"))

    def close(self) -> None:
        """Write the changed files, their entries and what is to be told, in the order of ids against deadlocks."""
        for bridge in self.bridges:
            self._bridge(bridge)
        for case_id in sorted(self.heads):
            file.save(self.connection, self.heads[case_id], self.desk)
        for case_id in sorted(self.restaked | set(self.said)):  # only now, since a head's loss is its members' as written
            one, said = self.heads[case_id], self.said.get(case_id)
            one = opening.reckoned(self.connection, one, self.desk) if case_id in self.restaked else one
            one = one.next_version(self.now) if said and case_id not in self.new else one
            file.save(self.connection, one, self.desk)
            for entry, _, _ in said or ():
                timeline.write(self.connection, replace(one, head=None), entry, self.now)
            for entry, message, dedupe in _worth_telling(said or []):
                cause = self.causes.get(case_id, {}) if message == "case.opened" else {}
                telling.tell(self.connection, one, message, entry.said, dedupe, **cause)


def _worth_telling(said: list[tuple[Entry, str, str]]) -> list[tuple[Entry, str, str]]:
    """Growth is told once a turn, and not at all beside weightier news, which carry the same figures."""
    told = [one for one in said if one[1] and one[1] != "case.grown"]
    grown = [one for one in said if one[1] == "case.grown"]
    return told or grown[-1:]


def _step(head: File) -> str:
    """Growth that is worth telling: another power of two of members or hits, another tenth of severity."""
    return f"{head.members.bit_length()}.{head.hits.bit_length()}.{int(head.severity * 10)}"


def _earlier(one: datetime | None, other: datetime | None) -> datetime | None:
    return min((at for at in (one, other) if at is not None), default=None)
