"""A newly ruled case may belong to two cases at once: then these two are one, unless people have touched or parted them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from desk.file import File
from desk.joining import Join, kept_apart

STRONG = 2  # the weakest rank of a bond that makes two cases one: the same thing, one beneath the other, cards tried there
MOST = 5


@dataclass(frozen=True)
class Bridge:
    """What belongs to both `keep` and `gone`, and why it belongs to the latter."""

    keep: str
    gone: str
    entity: str
    because: str


def bridges(entity: str, chosen: Join, found: Sequence[Join]) -> list[Bridge]:
    """The other open cases that the new one binds to the chosen one."""
    if chosen.bond.rank > STRONG:
        return []
    others = [join for join in found if not join.closed and join.head_id != chosen.head_id and join.bond.rank <= STRONG]
    return [Bridge(chosen.head_id, join.head_id, entity, join.bond.because) for join in others[:MOST]]


def allowed(keep: File, gone: File, ours: Iterable[dict[str, Any]], theirs: Iterable[dict[str, Any]]) -> bool:
    """Whether the desk may merge by itself: the one that goes was left alone by people, and nobody parted the two."""
    untouched = gone.status == "open" and gone.assignee is None and gone.snoozed_until is None and not gone.tags
    same = keep.held_by == gone.held_by and not keep.is_closed and keep.head is None and gone.head is None
    return untouched and same and keep.case_id != gone.case_id and not kept_apart(ours, theirs)


def together(keep: File, gone: File) -> File:
    """The case that stays, with the figures of both."""
    return replace(
        keep, members=keep.members + gone.members, hits=keep.hits + gone.hits, severity=max(keep.severity, gone.severity),
        started_at=min(keep.started_at, gone.started_at), last_at=max(keep.last_at, gone.last_at),
    )  # fmt: skip
