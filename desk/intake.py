"""Takes rulings in: opens cases, joins them to others, notices growth and recurrence. A turn is one transaction of one tenant."""

from collections import defaultdict
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from desk import actions, bridging, file, joining, opening, quiet, telling, timeline, timers
from desk.bridging import Bridge
from desk.file import File
from desk.fingerprint import Bond, Fingerprint, asked, printed
from desk.joining import Join
from desk.timeline import Entry
from rag.items import duration
from rag.topology import Topology
from store.database import Connection, Database, fetch, run
from store.outbox import publish
from store.sections.desk import Desk

ROW = dict[str, Any]


def take(database: Database, desk: Desk) -> int:
    """One bounded turn for every tenant with something new; how much was taken in. Another worker's tenants are left to it."""
    return sum(_turn(database, row["tenant"], desk) for row in database.fetch("desk_tenants"))


def _turn(database: Database, tenant: str, desk: Desk) -> int:
    with database.connection() as connection:
        mine = fetch(connection, "desk_try_turn", tenant=tenant)[0]
        if not mine["mine"]:
            return 0
        turn = Turn(connection, tenant, desk, mine["now"])
        done = turn.rulings() + turn.growth()
        turn.close()
        return done


@dataclass
class Turn:
    """What one transaction works on: heads it has changed are kept and written once, at its end."""

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

    def rulings(self) -> int:
        """Every ruling in force that is new to the desk."""
        rows = fetch(self.connection, "desk_unseen_rulings", tenant=self.tenant, limit=self.desk.batch)
        if not rows:
            return 0
        events: dict[str, list[ROW]] = defaultdict(list)
        episodes = [row["episode_id"] for row in rows]
        for hit in fetch(self.connection, "desk_hits", tenant=self.tenant, episode_ids=episodes):
            events[hit["episode_id"]].append(hit)
        topology = Topology.of((row["caller"], row["callee"]) for row in fetch(self.connection, "desk_edges", tenant=self.tenant))
        windows = quiet.around(self.connection, self.tenant, rows)
        self._know([row["case_id"] for row in rows])
        for row in rows:
            self._take(row, events[row["episode_id"]], topology, windows)
        seen = [row["ruling_id"] for row in rows]
        run(self.connection, "desk_see_rulings", tenant=self.tenant, ruling_ids=seen, now=self.now)
        return len(rows)

    def _take(self, row: ROW, events: list[ROW], topology: Topology, windows: list[quiet.Window]) -> None:
        publish(self.connection, telling.of_ruling(row))
        self.causes[row["case_id"]] = {"root_cause": row["root_cause"], "action": row["action"]}
        if row["case_id"] in self.heads:
            self._ruled_again(self._own(row["case_id"]), row, events)
        elif row["outcome"] != "dismissed":
            self._place(opening.new_file(row, events, self.desk, self.now), topology, windows)

    def _know(self, case_ids: list[str]) -> None:
        """Read and hold the files that some cases have already."""
        for known in fetch(self.connection, "desk_lock_files", tenant=self.tenant, case_ids=case_ids):
            self.heads.setdefault(known["case_id"], file.of_row(known))

    def _own(self, case_id: str) -> File:
        """A file as this turn has it."""
        if case_id not in self.heads:
            self.heads[case_id], _ = file.lock(self.connection, self.tenant, case_id)
        return self.heads[case_id]

    def _place(self, new: File, topology: Topology, windows: list[quiet.Window]) -> None:
        """Join the new case to the one it belongs to, or let it be a case of its own."""
        print_ = printed(new)
        within_s = max(self.desk.join_within_s, self.desk.same_subject_within_s)
        near = fetch(self.connection, "desk_candidates", tenant=self.tenant, keys=asked(print_, topology), within_s=within_s,
                     subject=print_.subject, case_id=new.case_id, started_at=new.started_at, last_at=new.last_at)  # fmt: skip
        near = [row | self._newest(row["head_id"]) for row in near]
        found = joining.joins(print_, near, topology, self.desk)
        join = joining.choose(found) or self._recurrence(print_)
        if join is None:
            self._open(new, windows)
        else:
            self._join(new, join, windows)
            self.bridges += bridging.bridges(new.entity, join, found) if not join.closed else []

    def _newest(self, head_id: str) -> ROW:
        """What this turn has made of a head that was read from the database."""
        head = self.heads.get(head_id)
        if head is None:
            return {}
        return {"head_status": head.status, "head_started_at": head.started_at, "head_last_at": head.last_at}

    def _recurrence(self, one: Fingerprint) -> Join | None:
        """The newest closed case about the same thing with the same pattern, within `recur_within_s`."""
        rows = fetch(self.connection, "desk_recurring", tenant=self.tenant, keys=[one.subject], subject=one.subject,
                     pattern=one.pattern, started_at=one.started_at, within_s=self.desk.recur_within_s)  # fmt: skip
        if not rows:
            return None
        gap = (one.started_at - rows[0]["last_at"]).total_seconds()
        again = Bond(0, gap, f"{one.subject} shows “{one.pattern}” again, {duration(gap)} later")
        return Join(rows[0]["case_id"], rows[0]["case_id"], again, closed=True)

    def _open(self, new: File, windows: list[quiet.Window]) -> None:
        window = quiet.holding(windows, new.entity, new.kind, new.started_at)
        if window is not None:
            held = replace(new, held_by=window.window_id, ack_due_at=None, resolve_due_at=None)
            self._add(held)
            self._say(held, Entry("opened", f"opened it, held quiet by the maintenance window “{window.title}”",
                                  detail={"window_id": window.window_id}))  # fmt: skip
            return
        self._add(new)
        self._say(new, Entry("opened", f"opened it: the council {_ruled(new.outcome)}"), "case.opened", f"r{new.reopened}")

    def _add(self, new: File) -> None:
        file.add(self.connection, new, self.desk)
        self.heads[new.case_id] = new
        self.new.add(new.case_id)
        self.restaked.add(new.head or new.case_id)

    def _join(self, new: File, join: Join, windows: list[quiet.Window]) -> None:
        head = self._own(join.head_id)
        because = f"joined because {join.bond.because}"
        self._add(replace(new, head=head.case_id, joined_because=because))
        grown = replace(
            head, members=head.members + 1, hits=head.hits + new.revision, severity=max(head.severity, new.severity),
            started_at=min(head.started_at, new.started_at), last_at=max(head.last_at, new.last_at),
        )  # fmt: skip
        entry = Entry("joined", f"{new.entity} {because}", detail={"case_id": new.case_id, "through": join.through})
        if head.is_closed:
            self._recurred(grown, entry)
            return
        if head.held_by is not None and quiet.holding(windows, new.entity, new.kind, new.started_at) is None:
            grown = actions.released(grown, self.now, self.desk)
            self._set(grown)
            self._say(grown, entry)
            self._say(grown, Entry("released", "released it: what joined it is outside its maintenance window"), "case.opened")
            return
        self._grew(head, grown, entry)

    def _grew(self, before: File, after: File, entry: Entry | None) -> None:
        """A case that is not closed has more hits, members or severity: limits tighten, a snooze may break."""
        due = timers.due_times(after.severity, after.opened_at, self.desk)
        if after.held_by is None and after.severity > before.severity:
            after = replace(after, ack_due_at=_earlier(after.ack_due_at, due[0]),
                            resolve_due_at=_earlier(after.resolve_due_at, due[1]))  # fmt: skip
        why = timers.broken(after.snooze, after.severity, after.hits, after.members, self.desk) if after.snooze else ""
        if why:
            after = actions.woken(after, self.now)
        self._set(after)
        if entry is not None:
            self._say(after, entry)
        if why:
            self._say(after, Entry("woken", f"ended the snooze: {why}"), "case.grown", f"woken:v{after.version}")
        elif not after.is_quiet and (step := _step(after)) != _step(before):
            words = (
                f"it has {after.members} member{'s' * (after.members > 1)} and {after.hits} hits, severity {after.severity:.2f}"
            )
            self._say(after, Entry("grown", words), "case.grown", f"r{after.reopened}:{step}")

    def _recurred(self, head: File, entry: Entry) -> None:
        """New hits on a closed case: it opens again, unless a dismissal in force covers them."""
        if head.status == "dismissed" and head.expires_at is not None and self.now < head.expires_at:
            was = head.closed_severity if head.closed_severity is not None else 0.0
            if head.severity < was + self.desk.worse_by:
                kept = replace(head, recurrences=head.recurrences + 1)
                self._set(kept)
                self._say(kept, replace(entry, kind="recurred", said=f"{entry.said}; the dismissal keeps it quiet"))
                return
            why = f"severity {head.severity:.2f} is worse than the {was:.2f} that was dismissed"
        else:
            why = "it came back" if head.status == "resolved" else "it came back after the dismissal had run out"
        again = actions.reopened(head, self.now, self.desk)
        self._set(again)
        self._say(again, entry)
        self._say(again, Entry("reopened", f"reopened it: {why}"), "case.reopened", f"r{again.reopened}")

    def _ruled_again(self, own: File, row: ROW, events: list[ROW]) -> None:
        """A later ruling on a case that the desk has."""
        changed = row["outcome"] != own.outcome
        renewed = replace(
            own, ruling_id=row["ruling_id"], outcome=row["outcome"], confidence=row["confidence"],
            stake=opening.stake(row, events) if events else own.stake,
            title=telling.title(row) if row["outcome"] != "dismissed" else own.title,
        )  # fmt: skip
        self._set(renewed)
        head = self._own(own.head) if own.head else renewed
        self.restaked.add(head.case_id)
        about = "" if head.case_id == own.case_id else f" about {own.entity}"
        said = f"the council ruled again{about}: it {_ruled(row['outcome'])}" + ("" if changed else ", as before")
        entry = Entry("ruled", said, "system:council", "the council", {"ruling_id": row["ruling_id"], "case_id": own.case_id})
        if row["revision"] > own.revision:
            self._more_hits(row)
            head = self._own(head.case_id)
        untouched = head.status == "open" and head.assignee is None and head.members == 1
        if row["outcome"] == "dismissed" and untouched:
            self._taken_back(head, entry)
        elif row["outcome"] != "dismissed" and head.status == "dismissed" and head.reason == "council":
            self._recurred(replace(head, expires_at=None), entry)
        else:
            self._set(head)
            self._say(head, entry)

    def _taken_back(self, head: File, entry: Entry) -> None:
        """The council dismisses what nobody has touched yet: so does the desk."""
        gone = replace(head, status="dismissed", reason="council", closed_at=self.now, closed_by=timeline.DESK,
                       closed_severity=head.severity, snoozed_until=None, snoozed_by=None, snooze=None)  # fmt: skip
        self._set(gone)
        self._say(gone, entry)
        self._say(gone, Entry("dismissed", "dismissed it, since the council took it back"), "case.dismissed")

    def growth(self) -> int:
        """Episodes that have more hits than the desk knows."""
        rows = fetch(self.connection, "desk_grown", tenant=self.tenant, limit=self.desk.batch)
        self._know([row["case_id"] for row in rows])
        for row in rows:
            self._more_hits(row)
        return len(rows)

    def _more_hits(self, row: ROW) -> None:
        own = self._own(row["case_id"])
        more = row["revision"] - own.revision
        if more <= 0:
            return
        renewed = replace(own, revision=row["revision"], own_severity=row["severity"], own_started_at=row["started_at"],
                          own_last_at=row["last_at"])  # fmt: skip
        self._set(renewed)
        head = self._own(own.head) if own.head else renewed
        grown = replace(
            head, hits=head.hits + more, severity=max(head.severity, row["severity"]),
            started_at=min(head.started_at, row["started_at"]), last_at=max(head.last_at, row["last_at"]),
        )  # fmt: skip
        self.restaked.add(head.case_id)
        if head.is_closed:
            self._recurred(grown, Entry("grown", f"{own.entity} was hit {more} more time{'s' * (more > 1)}"))
        else:
            self._grew(head, grown, None)

    def _set(self, changed: File) -> None:
        self.heads[changed.case_id] = changed

    def _say(self, head: File, entry: Entry, message: str = "", dedupe: str = "") -> None:
        self.said[head.case_id].append((entry, message, dedupe))

    def _bridge(self, one: Bridge) -> None:
        """Make the two cases one that something new belongs to both of."""
        keep, gone = self._head(one.keep), self._head(one.gone)
        ours, theirs = (fetch(self.connection, "desk_group", tenant=self.tenant, case_id=head.case_id) for head in (keep, gone))
        if not bridging.allowed(keep, gone, ours, theirs):
            return
        because = f"joined because {one.entity} belongs to both: {one.because}"
        run(self.connection, "desk_move_group", tenant=self.tenant, gone=gone.case_id, keep=keep.case_id, because=because)
        for case_id, known in self.heads.items():
            if known.head == gone.case_id:
                self.heads[case_id] = replace(known, head=keep.case_id)
        merged = replace(gone, head=keep.case_id, joined_because=because)
        self._set(merged)
        self.said[gone.case_id] = [(entry, "", "") for entry, _, _ in self.said[gone.case_id]]
        if gone.case_id not in self.new:
            self._say(
                merged, Entry("merged", f"merged it into {keep.case_id}: {because}"), "case.resolved", f"merged:{keep.case_id}"
            )
        self.restaked.discard(gone.case_id)
        self.restaked.add(keep.case_id)
        self._grew(keep, bridging.together(keep, gone), Entry("merged", f"merged {gone.title} into it, {because}"))

    def _head(self, case_id: str) -> File:
        one = self._own(case_id)
        return self._head(one.head) if one.head else one

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
                timeline.write(self.connection, one, entry, self.now)
            for entry, message, dedupe in _worth_telling(said or []):
                cause = self.causes.get(case_id, {}) if message == "case.opened" else {}
                telling.tell(self.connection, one, message, entry.said, dedupe, **cause)


def _worth_telling(said: list[tuple[Entry, str, str]]) -> list[tuple[Entry, str, str]]:
    """Growth is told once a turn, and not at all beside weightier news, which carry the same figures."""
    told = [one for one in said if one[1] and one[1] != "case.grown"]
    grown = [one for one in said if one[1] == "case.grown"]
    return told or grown[-1:]


def _ruled(outcome: str) -> str:
    return {"confirmed": "confirms it", "unresolved": "leaves it open", "dismissed": "dismisses it"}[outcome]


def _step(head: File) -> str:
    """Growth that is worth telling: another power of two of members or hits, another tenth of severity."""
    return f"{head.members.bit_length()}.{head.hits.bit_length()}.{int(head.severity * 10)}"


def _earlier(one: datetime | None, other: datetime | None) -> datetime | None:
    return min((at for at in (one, other) if at is not None), default=None)
