"""From the facts about a case to its brief: numbered evidence within a token budget. Pure and deterministic."""

from collections.abc import Iterator

from rag import quoting
from rag.evidence import episode_item, hit_item, hits_item, impact_item, window_item
from rag.facts import Facts
from rag.items import Brief, Item, fit
from rag.surroundings import history_items, nearest, neighbour_item, section_item, similar_item, text_items, topology_items

HEAD_TOKENS = 110  # the line that names the case, and the one that says what was omitted
SIMILAR = 2


def build(facts: Facts, budget_tokens: int) -> Brief:
    """The brief of a case. The same facts and budget give the same brief, whatever the order of the rows beneath.

    What does not fit is counted in `omitted`, the least important first to go.
    """
    case = facts.case
    items, omitted = fit(_by_importance(facts), budget_tokens, HEAD_TOKENS)
    return Brief(
        case_id=case["case_id"], tenant=case["tenant"], entity=quoting.name(case["entity"]), kind=case["kind"],
        revision=case["revision"], severity=round(float(case["severity"]), 6), lane=case["lane"],
        items=tuple(items), omitted=omitted,
    )  # fmt: skip


def _by_importance(facts: Facts) -> Iterator[Item]:
    hits = sorted(facts.hits, key=lambda hit: (hit["ordinal"], hit["anomaly_id"]))
    if not hits:
        return
    worst = max(hits, key=lambda hit: (hit["severity"], -hit["ordinal"]))
    sections = [section_item(section) for section in facts.sections]
    neighbours = [neighbour_item(facts, row) for row in nearest(facts)]
    yield episode_item(facts, hits)
    yield hit_item(facts, worst, "worst hit")
    yield window_item(facts, worst)
    yield hits_item(facts, hits)
    yield impact_item(facts, hits, worst)
    yield from topology_items(facts)
    yield from sections[:1]
    yield from text_items(worst)
    yield from neighbours[:2]
    yield from history_items(facts)[:1]
    yield from sections[1:2]
    if hits[0] is not worst:
        yield hit_item(facts, hits[0], "first hit")
    if hits[-1] is not worst and len(hits) > 1:
        yield hit_item(facts, hits[-1], "newest hit kept")
    yield from neighbours[2:]
    yield from (similar_item(row) for row in facts.similar[:SIMILAR])
    yield from history_items(facts)[1:]
    yield from sections[2:]
