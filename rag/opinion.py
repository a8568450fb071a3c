"""A member's opinion: its strict form, what it may not say, and how its references become numbers. Pure."""

import json
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from rag.errors import NotAnOpinion
from rag.items import Brief, say
from rag.quoting import plain

Role = Literal["analyst", "auditor", "strategist"]
Vote = Literal["confirm", "dismiss", "unsure"]
Action = Literal["block_account", "step_up_auth", "hold_terminal", "open_incident", "watch", "none"]
Confidence = Literal["low", "medium", "high"]
ROLES: tuple[Role, ...] = ("analyst", "auditor", "strategist")

# What each member is shown: the votes of members who saw the same would be one vote counted three times.
SLICES: dict[Role, frozenset[str]] = {
    "analyst": frozenset({"episode", "anomaly", "window", "hits"}),
    "auditor": frozenset({"episode", "window", "impact", "section", "neighbour", "topology", "text", "history"}),
    "strategist": frozenset({"episode", "impact", "neighbour", "topology", "history", "similar", "section"}),
}
FITTING: dict[str, frozenset[str]] = {
    "account": frozenset({"block_account", "step_up_auth", "watch", "none"}),
    "counterparty": frozenset({"hold_terminal", "watch", "none"}),
    "service": frozenset({"open_incident", "watch", "none"}),
    "series": frozenset({"open_incident", "watch", "none"}),
}

REFERENCE = re.compile(r"\{\{\s*(e\d+)\.(\w+)\s*\}\}")
CITED = re.compile(r"\be\d+\b")
NUMBER_WORDS = re.compile(
    r"\b(two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|\w+teen|twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety"
    r"|hundreds?|thousands?|millions?|billions?|dozens?)\b",
    re.IGNORECASE,
)
Reason = Annotated[str, StringConstraints(min_length=3, max_length=400)]


class Opinion(BaseModel):
    """One member's answer about one case; numbers in `reasons` stand as references, {{e3.value}}."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    case_id: str
    vote: Vote
    reasons: Annotated[list[Reason], Field(min_length=1, max_length=4)]
    citations: Annotated[list[str], Field(min_length=1, max_length=8)]
    action: Action
    confidence: Confidence
    veto: bool = False


@dataclass(frozen=True)
class Spoken:
    """An opinion and whose it is."""

    role: Role
    opinion: Opinion


@dataclass(frozen=True)
class Answers:
    """What one answer held: opinions by case, and for the other cases why there is none."""

    opinions: dict[str, Opinion]
    faults: dict[str, str]


def answer_schema(briefs: Sequence[Brief], role: Role) -> dict[str, Any]:
    """The JSON schema of an answer about these cases, as the model is held to it; only offered items can be cited."""
    case_ids = [brief.case_id for brief in briefs]
    one = Opinion.model_json_schema()
    one["properties"]["case_id"] = {"enum": case_ids}
    citable = {item_id for brief in briefs for item_id in offered(role, brief)}
    one["properties"]["citations"]["items"] = {"enum": sorted(citable, key=lambda item_id: int(item_id[1:]))}
    one["required"] = list(one["properties"]) if role == "auditor" else [name for name in one["properties"] if name != "veto"]
    if role != "auditor":
        one["properties"].pop("veto")
    listed = {"type": "array", "items": one, "minItems": len(case_ids), "maxItems": len(case_ids)}
    return {"type": "object", "properties": {"opinions": listed}, "required": ["opinions"], "additionalProperties": False}


def read_answer(text: str, role: Role, briefs: Sequence[Brief]) -> Answers:
    """Parse an answer strictly; an opinion with a fault is none, and says which."""
    by_id = {brief.case_id: brief for brief in briefs}
    try:
        listed = strict_json(text)["opinions"]
        if not isinstance(listed, list):
            raise NotAnOpinion("`opinions` is not a list")
    except (NotAnOpinion, KeyError, TypeError) as error:
        why = f"no `opinions` in it ({error})" if isinstance(error, KeyError | TypeError) else str(error)
        return Answers({}, dict.fromkeys(by_id, why))
    opinions: dict[str, Opinion] = {}
    faults = dict.fromkeys(by_id, "the answer has no opinion about this case")
    for given in listed:
        case_id = given.get("case_id") if isinstance(given, dict) else None
        if not isinstance(case_id, str) or case_id not in by_id:
            continue
        try:
            if case_id in opinions:
                raise NotAnOpinion("two opinions about the same case")
            opinions[case_id] = read_opinion(given, role, by_id[case_id])
            faults.pop(case_id, None)
        except NotAnOpinion as error:
            opinions.pop(case_id, None)
            faults[case_id] = str(error)
    return Answers(opinions, faults)


def strict_json(text: str) -> Any:
    """JSON without repeated keys, NaN or anything around it; raises NotAnOpinion."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len({key for key, _ in pairs}) < len(pairs):
            raise NotAnOpinion("a key stands twice in one object")
        return dict(pairs)

    def refuse(name: str) -> None:
        raise NotAnOpinion(f"{name} is no JSON")

    try:
        return json.loads(text, object_pairs_hook=once, parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        raise NotAnOpinion(f"not JSON: {error}") from None


def read_opinion(given: dict[str, Any], role: Role, brief: Brief) -> Opinion:
    """Validate one opinion for a case and role; raises NotAnOpinion with the first fault in words."""
    try:
        opinion = Opinion.model_validate(given)
    except ValidationError as error:
        fault = error.errors()[0]
        raise NotAnOpinion(f"{'.'.join(str(part) for part in fault['loc'])}: {fault['msg']}") from None
    if opinion.veto and role != "auditor":
        raise NotAnOpinion("veto: only the auditor may veto")
    if opinion.action not in FITTING[brief.kind]:
        raise NotAnOpinion(f"action: {opinion.action} does not fit {brief.kind}; one of {', '.join(sorted(FITTING[brief.kind]))}")
    if invented := free_numbers(opinion.reasons, {item.id for item in brief.items}):
        raise NotAnOpinion(f"reasons: write numbers as references such as {{{{e1.hits}}}}, not {invented[0]!r}")
    return opinion


def free_numbers(reasons: Iterable[str], known: set[str]) -> list[str]:
    """Digits and number words in a text that do not come from the evidence; ids of known items are no numbers.

    >>> free_numbers(["{{e1.hits}} hits, p95 up, see e1, 40 more"], {"e1"})
    ['40']
    """
    found = []
    for reason in reasons:
        bare = re.sub(r"\bp(50|95)\b", "", REFERENCE.sub("", reason))
        bare = CITED.sub(lambda match: "" if match[0] in known else match[0], bare)
        found += [word for word in bare.split() if any(unicodedata.category(c)[0] == "N" for c in word)]
        found += NUMBER_WORDS.findall(bare)
    return found


def references(opinion: Opinion) -> list[tuple[str, str]]:
    """The (item, field) pairs that the reasons refer to, in order and once each."""
    return list(dict.fromkeys((match[1], match[2]) for reason in opinion.reasons for match in REFERENCE.finditer(reason)))


def render(reason: str, brief: Brief) -> str:
    """A reason with its references as numbers from the evidence; one that does not resolve stays visible as unknown."""
    parts, at = [], 0
    for match in REFERENCE.finditer(reason):
        item = brief.item(match[1])
        known = item is not None and match[2] in item.fields
        parts += [plain(reason[at : match.start()], 400), say(item, match[2]) if item is not None and known else "(unknown)"]
        at = match.end()
    said = " ".join(part for part in [*parts, plain(reason[at:], 400)] if part)
    return re.sub(r" ([.,;:!?)])", r"\1", re.sub(r"\( ", "(", said))


def offered(role: Role, brief: Brief) -> set[str]:
    """The ids of the items that a member was shown."""
    return {item.id for item in brief.items if item.kind in SLICES[role]}
