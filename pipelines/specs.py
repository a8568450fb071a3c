"""What a processor may be told: one model per kind. Text that a person writes, checked before it is kept."""

import json
import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from pipelines.errors import BadName, BadSpec

NAME = re.compile(r"[a-z][a-z0-9_-]{0,59}")
COLUMN = re.compile(r"[a-z][a-z0-9_]{0,59}")
TOPIC = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")
Lane = Literal["immediate", "batch"]
Severity = Annotated[float, Field(ge=0, le=1)]
Looked = Literal["account_id", "counterparty_id", "service", "metric", "kind", "currency", "event_id", "topic"]
ItemText = Annotated[str, Field(min_length=1, max_length=200)]


class Spec(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Listed(Spec):
    """A field, and the values that are looked for in it: a data list, or a few written here."""

    field: Looked | Annotated[str, Field(pattern=r"^attributes\.[A-Za-z_][A-Za-z0-9_]{0,59}$")] = Field(
        "account_id", description="a field of the event, or attributes.NAME", examples=["account_id", "attributes.country"]
    )
    list: str | None = Field(None, description="name of a data list", examples=["vip"])
    items: tuple[ItemText, ...] = Field((), max_length=1000, description="values written here")


class Allow(Listed):
    """Its anomalies are kept from the council (recorded as suppressed), its events skip the segment's later processors."""

    kind: Literal["allow"] = "allow"


class Deny(Listed):
    """Every event that is listed is a hit; if it is an anomaly as well, its case goes to the lane at least."""

    kind: Literal["deny"] = "deny"
    severity: Severity = 0.9
    lane: Lane | None = "immediate"
    title: str = Field("", max_length=200, description="of the message; default: the processor's name")


class Watch(Listed):
    """Every event that is listed is a hit."""

    kind: Literal["watch"] = "watch"
    severity: Severity = 0.5
    lane: Lane | None = None
    title: str = Field("", max_length=200)


class Thresholds(Spec):
    """Scores that flag, over those of the settings, from the next batch on: for a detector, or for one kind of entity.

    They act on the whole tenant, in no segment: windows belong to entities, not to segments.
    """

    kind: Literal["thresholds"] = "thresholds"
    thresholds: dict[Annotated[str, Field(pattern=r"^((account|counterparty|service|series)/)?[a-z_]{1,40}$")],
                     Annotated[float, Field(gt=0, le=1e6)]] = Field(
        min_length=1, max_length=100, examples=[{"amount_z": 6.0, "account/velocity": 8.0}]
    )  # fmt: skip


class Enrich(Spec):
    """Columns of a data list, found by a field's value, for the processors after it: `enriched.AS.COLUMN`."""

    kind: Literal["enrich"] = "enrich"
    field: Looked = "counterparty_id"
    list: str = Field(description="name of a data list with columns")
    name: str = Field(alias="as", pattern=r"^[a-z][a-z0-9_]{0,59}$", description="its name in expressions", examples=["merchant"])

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Route(Spec):
    """The lane of the cases whose anomaly the expression is true for; fields of the anomaly may be named, too."""

    kind: Literal["route"] = "route"
    when: str = Field(description="CEL over event and anomaly", examples=['entity_kind == "service" && severity > 0.8'])
    lane: Literal["immediate", "batch", "filed"]


class Rule(Spec):
    """An expression; every event for which it is true is a hit."""

    kind: Literal["rule"] = "rule"
    when: str = Field(description="CEL over the event", examples=['kind == "transaction" && amount > 5000.0'])
    severity: Severity = 0.6
    lane: Lane | None = None
    title: str = Field("", max_length=200)


class Slow(Spec):
    """What takes time and therefore runs in a worker pool, for the events that the expression is true for."""

    when: str = Field(description="CEL over the event; keep it narrow", examples=["amount > 9000.0"])
    pool: str = Field("default", description="worker pool")
    severity: Severity = 0.6
    title: str = Field("", max_length=200)


class Model(Slow):
    """A question to the language model about single events; an answer of yes is a hit."""

    kind: Literal["model"] = "model"
    question: str = Field(min_length=3, max_length=1000, examples=["Does the message ask for a payment outside of the shop?"])


class Http(Slow):
    """The event is posted to a service; its answer is kept, and is a hit when `hit_when` says so of it."""

    kind: Literal["http"] = "http"
    url: str = Field(pattern=r"^https?://[^\s@]{1,500}$", examples=["https://risk.example/score"])
    hit_when: str = Field("answer.hit == true", description="CEL over `answer`, the JSON that came back", max_length=1000)


Any_Spec = Annotated[Allow | Deny | Watch | Thresholds | Enrich | Route | Rule | Model | Http, Field(discriminator="kind")]
ADAPTER: TypeAdapter[Any] = TypeAdapter(Any_Spec)
KINDS = ("allow", "deny", "watch", "thresholds", "enrich", "route", "rule", "model", "http")


def read(raw: dict[str, Any]) -> Any:
    """The configuration as a value of its kind; raises BadSpec naming the field."""
    check_text(raw)
    try:
        spec = ADAPTER.validate_python(raw)
    except ValidationError as error:
        fault = error.errors()[0]
        place = ".".join(str(part) for part in fault["loc"] if part not in KINDS) or "kind"
        raise BadSpec(f"{place}: {fault['msg']}.", place) from None
    if isinstance(spec, Listed) and (spec.list is None) == (not spec.items):
        raise BadSpec("list: name a data list, or write a few items, not both.", "list")
    return spec


def check_text(raw: Any) -> None:
    """JSON may hold texts that Postgres does not take; raises BadSpec."""
    try:
        if "\\u0000" in json.dumps(raw, ensure_ascii=False).encode().decode():
            raise BadSpec("it holds a zero byte.")
    except UnicodeEncodeError:
        raise BadSpec("a text holds half of a surrogate pair.") from None


def written(spec: Any) -> dict[str, Any]:
    """As JSON, the way it is kept."""
    found: dict[str, Any] = spec.model_dump(mode="json", by_alias=True)
    return found


def check_name(name: str) -> str:
    """A name that may stand in expressions, URLs and files; raises BadName."""
    if not NAME.fullmatch(name):
        raise BadName(f"`{name[:80]}`.")
    return name


def list_of(spec: Any) -> str | None:
    """The data list that a configuration names."""
    return getattr(spec, "list", None)
