"""Takes rulings in: opens cases, joins them to others, notices growth and recurrence."""

from collections import defaultdict
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import structlog

from desk import actions, bridging, joining, opening, quiet, telling, timeline
from desk.file import File
from desk.fingerprint import Bond, Fingerprint, asked, printed
from desk.joining import Join
from desk.timeline import Entry
from desk.turn import Turn
from rag.items import duration
from rag.topology import Topology
from store.database import Database, fetch, run
from store.errors import ConclaveError
from store.outbox import publish
from store.sections.desk import Desk

ROW = dict[str, Any]
log = structlog.get_logger("desk")


def take(database: Database, desk: Desk) -> int:
    """One bounded turn for every tenant with something new; how much was taken in. Another worker's tenants are left to it."""
    return sum(_turn(database, row["tenant"], desk) for row in database.fetch("desk_tenants"))


def _turn(database: Database, tenant: str, desk: Desk) -> int:
    """A turn of a tenant. What fails as a whole is taken one by one, so that a ruling nobody can read holds up no other."""
    try:
        return _taken(database, tenant, desk)
    except ConclaveError:
        raise
    except Exception as error:
        if desk.batch > 1:
            return _turn(database, tenant, desk.model_copy(update={"batch": 1}))
        return _set_aside(database, tenant, error)


def _set_aside(database: Database, tenant: str, error: Exception) -> int:
    """Leave out the next ruling, which could not be taken in, and say so; the fault is raised when there is none."""
    with database.connection() as connection:
        rows = fetch(connection, "desk_unseen_rulings", tenant=tenant, limit=1)
        if not rows:
            raise error
        run(connection, "desk_see_rulings", tenant=tenant, ruling_ids=[rows[0]["ruling_id"]], now=datetime.now(UTC))
        publish(connection, telling.of_unreadable(rows[0]))
    log.error("a ruling could not be taken in and was left out", ruling=rows[0]["ruling_id"], exc_info=error)
    return 1


def _taken(database: Database, tenant: str, desk: Desk) -> int:
    with database.connection() as connection:
        mine = fetch(connection, "desk_try_turn", tenant=tenant)[0]
        if not mine["mine"]:
            return 0
        turn = Intake(connection, tenant, desk, mine["now"])
        done = turn.rulings() + turn.growth()
        turn.close()
        return done


class Intake(Turn):
    """The taking in of one tenant's rulings and growth."""

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
        self.know([row["case_id"] for row in rows])
        for row in rows:
            self._take(row, events[row["episode_id"]], topology, windows)
        seen = [row["ruling_id"] for row in rows]
        run(self.connection, "desk_see_rulings", tenant=self.tenant, ruling_ids=seen, now=self.now)
        return len(rows)

    def _take(self, row: ROW, events: list[ROW], topology: Topology, windows: list[quiet.Window]) -> None:
        publish(self.connection, telling.of_ruling(row))
        self.causes[row["case_id"]] = {"root_cause": row["root_cause"], "action": row["action"]}
        if row["case_id"] in self.heads:
            self._ruled_again(self.own(row["case_id"]), row, events)
        elif row["outcome"] != "dismissed":
            self._place(opening.new_file(row, events, self.desk, self.now), topology, windows)

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
            self.add(held)
            self.tell(held, Entry("opened", f"opened it, held quiet by the maintenance window “{window.title}”",
                                  detail={"window_id": window.window_id}))  # fmt: skip
            return
        self.add(new)
        self.tell(new, Entry("opened", f"opened it: the council {_ruled(new.outcome)}"), "case.opened", f"r{new.reopened}")

    def _join(self, new: File, join: Join, windows: list[quiet.Window]) -> None:
        head = self.own(join.head_id)
        because = f"joined because {join.bond.because}"
        self.add(replace(new, head=head.case_id, joined_because=because))
        grown = replace(
            head, members=head.members + 1, hits=head.hits + new.revision, severity=max(head.severity, new.severity),
            started_at=min(head.started_at, new.started_at), last_at=max(head.last_at, new.last_at),
        )  # fmt: skip
        entry = Entry("joined", f"{new.entity} {because}", detail={"case_id": new.case_id, "through": join.through})
        if head.is_closed:
            self.recurred(grown, entry)
            return
        if head.held_by is not None and quiet.holding(windows, new.entity, new.kind, new.started_at) is None:
            grown = actions.released(grown, self.now, self.desk)
            self.put(grown)
            self.tell(grown, entry)
            self.tell(grown, Entry("released", "released it: what joined it is outside its maintenance window"), "case.opened")
            return
        self.grew(head, grown, entry)

    def _ruled_again(self, own: File, row: ROW, events: list[ROW]) -> None:
        """A later ruling on a case that the desk has."""
        changed = row["outcome"] != own.outcome
        renewed = replace(
            own, ruling_id=row["ruling_id"], outcome=row["outcome"], confidence=row["confidence"],
            stake=opening.stake(row, events) if events else own.stake,
            title=telling.title(row) if row["outcome"] != "dismissed" else own.title,
        )  # fmt: skip
        self.put(renewed)
        head = self.own(own.head) if own.head else renewed
        self.restaked.add(head.case_id)
        about = "" if head.case_id == own.case_id else f" about {own.entity}"
        said = f"the council ruled again{about}: it {_ruled(row['outcome'])}" + ("" if changed else ", as before")
        entry = Entry("ruled", said, "system:council", "the council", {"ruling_id": row["ruling_id"], "case_id": own.case_id})
        if row["revision"] > own.revision:
            self._more_hits(row)
            head = self.own(head.case_id)
        untouched = head.status == "open" and head.assignee is None and head.members == 1
        if row["outcome"] == "dismissed" and untouched:
            self._taken_back(head, entry)
        elif row["outcome"] != "dismissed" and head.status == "dismissed" and head.reason == "council":
            self.recurred(replace(head, expires_at=None), entry)
        else:
            self.put(head)
            self.tell(head, entry)

    def _taken_back(self, head: File, entry: Entry) -> None:
        """The council dismisses what nobody has touched yet: so does the desk."""
        gone = replace(head, status="dismissed", reason="council", closed_at=self.now, closed_by=timeline.DESK,
                       closed_severity=head.severity, snoozed_until=None, snoozed_by=None, snooze=None)  # fmt: skip
        self.put(gone)
        self.tell(gone, entry)
        self.tell(gone, Entry("dismissed", "dismissed it, since the council took it back"), "case.dismissed")

    def growth(self) -> int:
        """Episodes that have more hits than the desk knows."""
        rows = fetch(self.connection, "desk_grown", tenant=self.tenant, limit=self.desk.batch)
        self.know([row["case_id"] for row in rows])
        for row in rows:
            self._more_hits(row)
        return len(rows)

    def _more_hits(self, row: ROW) -> None:
        own = self.own(row["case_id"])
        more = row["revision"] - own.revision
        if more <= 0:
            return
        renewed = replace(own, revision=row["revision"], own_severity=row["severity"], own_started_at=row["started_at"],
                          own_last_at=row["last_at"])  # fmt: skip
        self.put(renewed)
        head = self.own(own.head) if own.head else renewed
        grown = replace(
            head, hits=head.hits + more, severity=max(head.severity, row["severity"]),
            started_at=min(head.started_at, row["started_at"]), last_at=max(head.last_at, row["last_at"]),
        )  # fmt: skip
        self.restaked.add(head.case_id)
        if head.is_closed:
            self.recurred(grown, Entry("grown", f"{own.entity} was hit {more} more time{'s' * (more > 1)}"))
        else:
            self.grew(head, grown, None)


def _ruled(outcome: str) -> str:
    return {"confirmed": "confirms it", "unresolved": "leaves it open", "dismissed": "dismisses it"}[outcome]
