"""What processors look like over HTTP."""

from typing import Annotated, Any

from pydantic import AwareDatetime, BaseModel, Field

NAME = r"^[a-z][a-z0-9_-]{0,59}$"
Text = Annotated[str, Field(max_length=1000, pattern=r"^[^\x00]*$")]
Version = Annotated[int, Field(ge=1, le=2**31 - 1)]
Topic = Annotated[str, Field(max_length=200, pattern=r"^(\*|[A-Za-z0-9][A-Za-z0-9._-]*)$")]
Cel = Annotated[str, Field(max_length=4000, pattern=r"^[^\x00]*$")]
Events = Annotated[int, Field(ge=1, le=1_000_000, description="how many of the newest events are tried")]
SPEC = {"kind": "rule", "when": 'kind == "transaction" && amount > 5000.0', "severity": 0.7}
Spec = Annotated[dict[str, Any], Field(description="its kind and what that kind takes, see the reference", examples=[SPEC])]


class VersionIn(BaseModel):
    """A configuration, and why it is wanted."""

    spec: Spec
    why: Text = ""
    live: bool = Field(False, description="let it act from the stream's next batch on")


class ProcessorIn(VersionIn):
    """A new processor with its first version."""

    processor: str = Field(pattern=NAME, examples=["stolen-cards"])
    description: Text = ""


class LiveIn(BaseModel):
    """The version that shall act, and why."""

    version: Version
    why: Text = ""


class Why(BaseModel):
    """Why it is done."""

    why: Text = ""


class DraftIn(BaseModel):
    """A configuration to be tried; nothing is kept."""

    spec: Spec
    events: Events = 10_000
    topic: Topic = "*"
    filter: Cel = ""


class TryIn(BaseModel):
    """A version to be tried; the newest when none is named."""

    version: Version | None = None
    events: Events = 10_000
    topic: Topic = "*"
    filter: Cel = ""


class TriedOut(BaseModel):
    """What a dry run found. Samples hold at most 20 events, newest first."""

    over: str = Field(description="events, or anomalies for what acts on those")
    evaluated: int
    hits: int
    errors: int = Field(description="events that it could not tell, as when a field is absent")
    took_ms: float
    events_per_s: float | None
    oldest: AwareDatetime | None
    newest: AwareDatetime | None
    sample: list[dict[str, Any]]
    unclear: list[dict[str, Any]]
    note: str


class ExpressionIn(BaseModel):
    """An expression to be checked."""

    expression: Cel
    over: Annotated[str, Field(pattern="^(event|anomaly)$")] = "event"


class FieldItem(BaseModel):
    """Something that an expression may name."""

    name: str
    type: str
    meaning: str


class Checked(BaseModel):
    """A sound expression: what it names."""

    fields: list[str]
    lists: list[str]
    enrichments: list[str]


class VersionItem(BaseModel):
    """One version; it never changes."""

    version: int
    spec: dict[str, Any]
    spec_hash: str
    why: str
    created_by: str
    created_at: AwareDatetime


class ChangeItem(BaseModel):
    """What was done to a processor."""

    action: str
    version: int | None
    actor: str
    why: str
    at: AwareDatetime


class ProcessorItem(BaseModel):
    """A processor; `live_version` null: it does not act."""

    processor: str
    kind: str
    description: str
    live_version: int | None
    newest_version: int
    live_spec: dict[str, Any] | None
    newest_spec: dict[str, Any]
    created_by: str
    created_at: AwareDatetime


class ListedProcessor(ProcessorItem):
    """A processor with what it did in the last 24 hours."""

    segments: list[str]
    evaluated_24h: int
    hit_24h: int
    errors_24h: int


class ProcessorDetail(ProcessorItem):
    """A processor with its versions and its history, newest first (at most 100 each)."""

    segments: list[str]
    versions: list[VersionItem]
    changes: list[ChangeItem]


class ProcessorPage(BaseModel):
    """Processors by name."""

    items: list[ListedProcessor]
    next: str | None


class OutcomeItem(BaseModel):
    """What a version said in one hour: evaluated = hit + missed + errors."""

    version: int
    segment: str
    hour: AwareDatetime
    evaluated: int
    hit: int
    missed: int
    errors: int
    kept: int
    queued: int
    overflowed: int


class OutcomePage(BaseModel):
    """Outcomes, newest hour first."""

    items: list[OutcomeItem]
    next: str | None


class HitItem(BaseModel):
    """An event that a rule hit; its texts are untrusted."""

    hit_id: str
    processor: str
    version: int
    segment: str
    kind: str
    event_id: str
    event_time: AwareDatetime
    entity: str
    case_id: str | None
    lane: str | None
    severity: float
    event: dict[str, Any]
    answer: dict[str, Any] | None
    created_at: AwareDatetime


class HitPage(BaseModel):
    """Hits, newest first."""

    items: list[HitItem]
    next: str | None
