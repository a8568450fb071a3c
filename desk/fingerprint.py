"""What makes two cases one: their fingerprints, and in words why they belong together. Pure.

Event time decides, never the order in which the council ruled.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from rag.items import duration
from rag.topology import Topology
from store.sections.desk import Desk

if TYPE_CHECKING:
    from desk.file import File

SPREADING = frozenset({"test payment", "spree"})  # patterns in which many accounts at one place are one cause
TRIED = "card testing"
STRENGTHS = ("same", "beneath", "tried", "there", "shared")  # strongest first


@dataclass(frozen=True)
class Fingerprint:
    """What a case is about. `subject` is the entity without currency or metric: `account:A12`, `counterparty:T9`, `service:x`."""

    case_id: str
    subject: str
    pattern: str
    started_at: datetime
    last_at: datetime
    accounts: frozenset[str] = frozenset()
    counterparties: frozenset[str] = frozenset()

    @property
    def kind(self) -> str:
        return self.subject.partition(":")[0]

    @property
    def name(self) -> str:
        return self.subject.partition(":")[2]

    @property
    def keys(self) -> list[str]:
        """What it touches, to be looked up by."""
        places = {f"counterparty:{place}" for place in self.counterparties}
        tried = {f"account:{account}" for account in self.accounts} if self.pattern == TRIED else set()
        return sorted({self.subject} | places | tried)

    def shown(self) -> dict[str, Any]:
        """As it is stored and shown."""
        return {
            "subject": self.subject,
            "pattern": self.pattern,
            "accounts": sorted(self.accounts),
            "counterparties": sorted(self.counterparties),
        }


@dataclass(frozen=True)
class Bond:
    """Why two cases are one. `rank` 0 is the strongest; `gap_s` how far apart they lie in event time, 0 when they overlap."""

    rank: int
    gap_s: float
    because: str


def fingerprint(case: dict[str, Any], pattern: str, events: Iterable[dict[str, Any]]) -> Fingerprint:
    """The fingerprint of a case (`case_id`, `entity`, `started_at`, `last_at`) from its kept hits' events."""
    kind, _, rest = str(case["entity"]).partition(":")
    subject = rest if kind == "service" else rest.rpartition("/")[0] or rest
    payments = list(events) if kind in ("account", "counterparty") else []
    accounts, places = (
        frozenset(str(event[name]) for event in payments if event.get(name)) for name in ("account_id", "counterparty_id")
    )
    return Fingerprint(
        case["case_id"],
        f"{'service' if kind == 'series' else kind}:{subject}",
        pattern,
        case["started_at"],
        case["last_at"],
        accounts | ({subject} if kind == "account" else frozenset()),
        places | ({subject} if kind == "counterparty" else frozenset()),
    )


def restored(row: dict[str, Any]) -> Fingerprint:
    """The fingerprint of a stored file."""
    kept = row["fingerprint"]
    return Fingerprint(
        row["case_id"],
        kept["subject"],
        kept["pattern"],
        row["own_started_at"],
        row["own_last_at"],
        frozenset(kept["accounts"]),
        frozenset(kept["counterparties"]),
    )


def printed(file: "File") -> Fingerprint:
    """The fingerprint of a file in hand."""
    return restored(vars(file))


def asked(one: Fingerprint, topology: Topology) -> list[str]:
    """The keys of all that could share a cause with it: its own, and the services that it calls or that call it."""
    near = topology.callees(one.name) + topology.callers(one.name) if one.kind == "service" else []
    return sorted({*one.keys, *(f"service:{service}" for service in near)})


def bond(one: Fingerprint, other: Fingerprint, topology: Topology, desk: Desk) -> Bond | None:
    """Why the two are of one cause, or None; it does not matter which of them is named first."""
    gap = gap_s(one, other)
    for rank, (within_s, because) in enumerate(_reasons(one, other, topology, desk)):
        if because and gap <= within_s:
            return Bond(rank, gap, f"{because}, {_apart(gap)}")
    return None


def _reasons(one: Fingerprint, other: Fingerprint, topology: Topology, desk: Desk) -> list[tuple[float, str]]:
    near, long = desk.join_within_s, desk.same_subject_within_s
    same = one.subject == other.subject
    return [
        # a busy place, and a service that others bring down, have several troubles a day; an account has one
        (long if one.kind == "account" else near, f"both are about {one.subject}" if same else ""),
        (near, _beneath(one, other, topology)),
        (long, _tried(one, other, near) or _tried(other, one, near)),
        (near, _there(one, other) or _there(other, one)),
        (near, _shared(one, other)),
    ]


def _beneath(one: Fingerprint, other: Fingerprint, topology: Topology) -> str:
    if one.kind != "service" or other.kind != "service":
        return ""
    for caller, callee in sorted([(one.name, other.name), (other.name, one.name)]):
        if callee in topology.callees(caller):
            return f"service:{caller} calls service:{callee}"
    return ""


def _tried(account: Fingerprint, place: Fingerprint, slack_s: float) -> str:
    """A card is tried first and spent afterwards: what the account did long before has another cause."""
    tried = account.kind == "account" and place.kind == "counterparty" and place.pattern == TRIED
    tried = tried and (place.started_at - account.last_at).total_seconds() <= slack_s
    return f"{account.subject} was among the cards tried at {place.subject}" if tried and account.name in place.accounts else ""


def _there(account: Fingerprint, place: Fingerprint) -> str:
    there = account.kind == "account" and place.kind == "counterparty" and place.name in account.counterparties
    return f"{account.subject} was flagged at {place.subject}, which is flagged itself" if there else ""


def _shared(one: Fingerprint, other: Fingerprint) -> str:
    alike = one.kind == other.kind == "account" and one.pattern == other.pattern and one.pattern in SPREADING
    common = sorted(one.counterparties & other.counterparties) if alike else []
    return f"both show the pattern “{one.pattern}” at counterparty:{common[0]}" if common else ""


def gap_s(one: Fingerprint, other: Fingerprint) -> float:
    """Seconds of event time between two cases; 0 when they overlap."""
    return max((one.started_at - other.last_at).total_seconds(), (other.started_at - one.last_at).total_seconds(), 0.0)


def _apart(gap: float) -> str:
    return "at the same time" if gap == 0 else f"{duration(gap)} apart"


def span(groups: Iterable[Fingerprint]) -> timedelta:
    """Event time from the first hit of the cases to their last."""
    ones = list(groups)
    return max(one.last_at for one in ones) - min(one.started_at for one in ones)
