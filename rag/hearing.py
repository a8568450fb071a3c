"""A batch of cases before the council: evidence, opinions, ruling; nothing is written here."""

from collections.abc import Sequence
from dataclasses import dataclass

from rag import rules
from rag.audit import Call
from rag.bench import Bench
from rag.brief import build
from rag.council import Hearing, Ruling, rule
from rag.gather import Gatherer
from rag.items import Brief
from rag.opinion import ROLES
from rag.prompting import packs
from store.sections.core import Council

AGAIN_WHEN_BACK_S = 0.0
AGAIN_AFTER_NONSENSE_S = 3600.0  # a model that answers, but nothing usable, is not asked about the same case at once


@dataclass(frozen=True)
class Heard:
    """A ruling, and in how many seconds a model may hear the case again (None: it was a model's)."""

    ruling: Ruling
    again_s: float | None


@dataclass(frozen=True)
class Hearings:
    """A batch heard; `missing` are cases whose episode is gone."""

    heard: tuple[Heard, ...]
    calls: tuple[Call, ...]
    missing: tuple[str, ...]


def hear(case_ids: Sequence[str], gatherer: Gatherer, bench: Bench, council: Council) -> Hearings:
    """Judge the cases with the model if it can be had, with rules where not."""
    facts, calls = gatherer.gather(case_ids)
    briefs = [build(one, council.brief_tokens) for one in facts]
    heard: list[Heard] = []
    for pack in packs(briefs, bench.settings):
        if absence := bench.absence():
            heard += by_rules(pack, absence, AGAIN_WHEN_BACK_S)
            continue
        found, made = by_model(pack, bench)
        heard += found
        calls += made
    known = {brief.case_id for brief in briefs}
    return Hearings(tuple(heard), tuple(calls), tuple(case_id for case_id in case_ids if case_id not in known))


def by_rules(briefs: Sequence[Brief], why: str, again_s: float) -> list[Heard]:
    """The three rule members' ruling on each brief."""
    said = f"ruled by rules: {why}"
    return [Heard(rule(Hearing(brief, rules.convene(brief), "rules", why=said)), again_s) for brief in briefs]


def by_model(briefs: Sequence[Brief], bench: Bench) -> tuple[list[Heard], list[Call]]:
    """The model's ruling on each brief; rules where the model failed or not one member gave an opinion."""
    session = bench.hear(briefs)
    calls = [call for testimony in session["testimonies"] for call in testimony.calls]
    if (failure := session["failure"]) is not None:
        return by_rules(briefs, str(failure), AGAIN_WHEN_BACK_S), [*calls, *failure.calls]
    heard: list[Heard] = []
    for brief, ruling in zip(briefs, session["rulings"], strict=True):
        silent = [opinion["fault"] for opinion in ruling.opinions if opinion["vote"] is None]
        if len(silent) == len(ROLES):
            heard += by_rules([brief], f"the model gave no usable opinion ({silent[0]})", AGAIN_AFTER_NONSENSE_S)
        else:
            heard.append(Heard(ruling, None))
    return heard, calls
