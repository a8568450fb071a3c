"""The set of segments, processor versions and lists that acts on a batch: as JSON to be pinned, and compiled to be run."""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from pipelines import specs
from pipelines.errors import BadExpression, BadSpec, PlanBroken
from pipelines.expression import Expression, compile_expression
from pipelines.fields import ANOMALY, EVENT, Scope

Content = dict[str, Any]  # {"segments": […], "thresholds": […], "specs": {"name@version": …}, "lists": {name: version}}
Load = Callable[[str, str, int], "Listing"]  # tenant, list, version
AT_ANOMALIES = ("allow", "route")  # their outcomes are counted over anomalies, the others' over events
ACTING = ("deny", "watch", "rule", "model", "http")
RESERVED = ("row_id", "tenant", "source")  # read beside the fields


@dataclass(frozen=True)
class Listing:
    """A data list: its keys, and its columns beside them."""

    keys: pa.Array
    columns: Mapping[str, pa.Array]


@dataclass(frozen=True)
class Step:
    """A processor version at its place in a segment."""

    processor: str
    version: int
    spec: Any
    when: Expression | None = None
    listing: Listing | None = None

    @property
    def kind(self) -> str:
        return str(self.spec.kind)


@dataclass(frozen=True)
class Segment:
    """Events of a topic that pass the filter, and what is done with them, in order."""

    segment: str
    topic: str
    filter: Expression | None
    steps: tuple[Step, ...]

    @property
    def reads_events(self) -> bool:
        return any(step.kind in ACTING for step in self.steps)

    def fields(self) -> set[str]:
        """The event fields that it looks at."""
        used: set[str] = set() if self.topic == "*" else {"topic"}
        for expression in (self.filter, *(step.when for step in self.steps)):
            used |= set() if expression is None else expression.fields
        return used | {step.spec.field.partition(".")[0] for step in self.steps if hasattr(step.spec, "field")}


@dataclass(frozen=True)
class TenantPlan:
    """What acts on one tenant's events. `thresholds`: detector, or kind/detector, → score that flags."""

    tenant: str
    set_hash: str
    segments: tuple[Segment, ...]
    thresholds: Mapping[str, float]
    threshold_steps: tuple[tuple[str, int], ...]
    lists: Mapping[str, pa.Array]


@dataclass(frozen=True)
class Plan:
    """What acts on a batch; `hash` over all tenants, '' when nothing does."""

    hash: str
    tenants: Mapping[str, TenantPlan]

    def __bool__(self) -> bool:
        return bool(self.tenants)

    @property
    def reads_events(self) -> bool:
        return any(segment.reads_events for one in self.tenants.values() for segment in one.segments)

    def columns(self) -> list[str]:
        """The columns of bronze that the event stage needs."""
        used = {name for one in self.tenants.values() for s in one.segments if s.reads_events for name in s.fields()}
        return sorted((used & set(EVENT)) - {"topic"} | set(RESERVED))


def digest(value: Any) -> str:
    """16 hexadecimal digits of the value's canonical JSON."""
    return hashlib.blake2b(json.dumps(value, sort_keys=True).encode(), digest_size=8).hexdigest()


def content(segments: Iterable[Mapping[str, Any]], live: Iterable[Mapping[str, Any]], lists: Mapping[str, int]) -> Content:
    """What is pinned for one tenant: enabled segments with the live versions of their processors; {} when nothing acts."""
    held = {one["processor"]: one for one in live}
    chosen = [
        {"segment": one["segment"], "topic": one["topic"], "filter": one["filter"],
         "processors": [[name, held[name]["live_version"]] for name in one["processors"] if name in held]}
        for one in sorted(segments, key=lambda row: str(row["segment"]))
    ]  # fmt: skip
    chosen = [one for one in chosen if one["processors"]]
    thresholds = [[name, one["live_version"]] for name, one in sorted(held.items()) if one["spec"]["kind"] == "thresholds"]
    used = {name for one in chosen for name, _ in one["processors"]} | {name for name, _ in thresholds}
    if not used:
        return {}
    versions = {f"{name}@{held[name]['live_version']}": held[name]["spec"] for name in sorted(used)}
    return {
        "segments": chosen,
        "thresholds": thresholds,
        "specs": versions,
        "lists": dict(sorted(_named(chosen, versions, lists))),
    }


def _named(segments: Iterable[Mapping[str, Any]], versions: Mapping[str, Any], lists: Mapping[str, int]) -> set[tuple[str, int]]:
    """The lists that the set may look at, with their versions."""
    texts = [one["filter"] for one in segments] + [str(spec.get("when", "")) for spec in versions.values()]
    named = {str(spec["list"]) for spec in versions.values() if spec.get("list")}
    named |= {name for name in lists if any(f"lists.{name}" in text or "lists[" in text for text in texts)}
    return {(name, lists[name]) for name in named if name in lists}


def compiled(contents: Mapping[str, Content], load: Load) -> Plan:
    """Make the sets of all tenants ready to run; raises PlanBroken naming the processor at fault."""
    made = {tenant: _tenant(tenant, held, load) for tenant, held in sorted(contents.items()) if held}
    whole = digest({tenant: one.set_hash for tenant, one in made.items()}) if made else ""
    return Plan(whole, made)


def _tenant(tenant: str, held: Content, load: Load) -> TenantPlan:
    listings = {name: load(tenant, name, version) for name, version in held["lists"].items()}
    parsed = {name: specs.read(raw) for name, raw in held["specs"].items()}
    thresholds: dict[str, float] = {}
    for name, version in held["thresholds"]:
        thresholds |= parsed[f"{name}@{version}"].thresholds
    segments = tuple(segment_of(one, parsed, listings) for one in held["segments"])
    steps = tuple((str(name), int(version)) for name, version in held["thresholds"])
    return TenantPlan(tenant, digest(held), segments, thresholds, steps, {name: one.keys for name, one in listings.items()})


def segment_of(row: Mapping[str, Any], parsed: Mapping[str, Any], listings: Mapping[str, Listing]) -> Segment:
    """A segment with its processors compiled, each in the scope of the enrichments before it."""
    enriched: dict[str, tuple[str, ...]] = {}
    names = frozenset(listings)
    steps = []
    for name, version in row["processors"]:
        spec = parsed[f"{name}@{version}"]
        try:
            steps.append(step_of(name, version, spec, listings, Scope(fields_of(spec), names, dict(enriched))))
        except (BadExpression, BadSpec) as error:
            raise PlanBroken(f"`{name}` version {version} in segment `{row['segment']}`: {error}") from error
        if spec.kind == "enrich":
            enriched[spec.name] = tuple(listings[spec.list].columns)
    chosen = compile_expression(row["filter"], Scope(EVENT, names)) if row["filter"] else None
    return Segment(row["segment"], row["topic"], chosen, tuple(steps))


def fields_of(spec: Any) -> Mapping[str, str]:
    return ANOMALY if spec.kind == "route" else EVENT


def step_of(processor: str, version: int, spec: Any, listings: Mapping[str, Listing], scope: Scope) -> Step:
    """Compile one processor; raises BadExpression, or BadSpec when its list is not there."""
    when = compile_expression(spec.when, scope) if hasattr(spec, "when") else None
    name, listing = specs.list_of(spec), None
    if name is not None and name not in listings:
        raise BadSpec(f"list: there is no list `{name}`.", "list")
    if name is not None:
        listing = listings[name]
    elif isinstance(spec, specs.Listed):
        listing = Listing(pa.array(sorted(set(spec.items)), pa.string()), {})
    if spec.kind == "enrich" and listing is not None and not listing.columns:
        raise BadSpec(f"list: the list `{name}` has no columns to enrich with.", "list")
    return Step(processor, version, spec, when, listing)
