"""What was injected where: written beside the data, never an input to detection."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import msgspec


@dataclass(frozen=True)
class Incident:
    """`first` and `last` are event times (RFC 3339); `entities` are all it touches; `source` is the file it is in."""

    id: str
    scenario: str
    entities: tuple[str, ...]
    first: str
    last: str
    source: str
    events: int


@dataclass(frozen=True)
class Labels:
    """The incidents, and how many records of each kind of fault were put in."""

    seed: int
    days: int
    events: dict[str, int]
    incidents: tuple[Incident, ...]
    quarantined: dict[str, int]
    duplicates: int
    late: int


def as_json(labels: Labels) -> bytes:
    return msgspec.json.format(msgspec.json.encode(asdict(labels)), indent=1) + b"\n"


def read(text: bytes) -> Labels:
    """Raises msgspec.ValidationError when the file is not a labels file."""
    return msgspec.json.decode(text, type=Labels)


def by_id(incidents: Sequence[Incident]) -> dict[str, Incident]:
    return {incident.id: incident for incident in incidents}
