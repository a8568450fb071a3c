"""The council that needs no model: the same three members, ruling from the same brief by stated rules. Pure.

Every reason names its numbers by reference, as a model must; thresholds are about shape (how far, how often, how
many agree, who is near), never about a name.
"""

import re
from collections.abc import Callable

from rag.items import Brief, Item
from rag.opinion import Action, Confidence, Opinion, Role, Spoken, Vote
from rag.signals import Signals, signals

THIN_WINDOW = 30  # points; below this the window's spread is uncertain
MILD = 0.56  # severity under which one hit alone is a near miss
CLEAR = 0.75  # severity at which one hit speaks for itself
ROUTINE = 4  # earlier episodes within the looked-at days that make a metric's excursion routine
CONFIRM, DISMISS = 1.2, 0.5  # the Analyst's sum over and under which it votes
PATIENCE = 3  # hits of a service that are more than a stumble

ACTIONS: dict[str, Action] = {
    "spree": "block_account",
    "large payment": "step_up_auth",
    "test payment": "step_up_auth",
    "card testing": "hold_terminal",
    "errors": "open_incident",
    "slowness": "open_incident",
}


def convene(brief: Brief) -> tuple[Spoken, ...]:
    """The three opinions; none when the brief holds nothing measured."""
    if not brief.of("anomaly"):
        return ()
    figures = signals(brief)
    members: dict[Role, Callable[[Brief, Signals], Opinion]] = {"analyst": analyst, "auditor": auditor, "strategist": strategist}
    return tuple(Spoken(role, member(brief, figures)) for role, member in members.items())


def analyst(brief: Brief, figures: Signals) -> Opinion:
    """Strength of the signal, agreement of detectors, persistence, and how far the amounts lie from the usual."""
    episode, worst = brief.first("episode"), brief.of("anomaly")[0]
    score = weight(figures)
    vote: Vote = "confirm" if score >= CONFIRM else "dismiss" if score < DISMISS else "unsure"
    reasons = [f"The worst hit reads {_ref(worst, 'value')} against an expected {_ref(worst, 'expected')}."]
    if episode is not None:
        reasons.append(f"Hits in the episode: {_ref(episode, 'hits')}; detectors that fired: {_ref(episode, 'detectors')}.")
    if figures.window < THIN_WINDOW:
        reasons.append(f"The window is thin: {_ref(worst, 'window_size')} points.")
    cited = [item for item in (worst, episode, brief.first("hits")) if item is not None]
    return _opinion(
        brief, vote, reasons, cited, ACTIONS.get(figures.pattern, "watch"), "high" if score >= 2 * CONFIRM else "medium"
    )


def weight(figures: Signals) -> float:
    """The Analyst's sum: 0 for a single hit at its threshold, about 1 for each clear reason to believe it."""
    strength = min(max(figures.strength - 1, 0) * 3, 2)
    agreement = min(0.8 * (figures.agreement - 1), 1.6)
    persistence = min(0.5 * (figures.hits.bit_length() - 1), 2)
    far = (
        0.0
        if figures.over_usual is None
        else 0.6
        if not 0.125 < figures.over_usual < 8
        else 0.3
        if not 0.25 < figures.over_usual < 4
        else 0
    )
    return strength + agreement + persistence + far - (0.4 if figures.window < THIN_WINDOW else 0)


def auditor(brief: Brief, figures: Signals) -> Opinion:
    """Contradictions first, then corroboration: what the runbook says not to act on, routine, thin evidence, neighbours."""
    episode = brief.of("episode")
    objections = [found for rule in OBJECTIONS if (found := rule(brief, figures)) is not None]
    cited = [*episode, *(item for _, items, _ in objections for item in items)]
    if objections:
        veto = any(veto for _, _, veto in objections)
        return _opinion(
            brief, "dismiss", [reason for reason, _, _ in objections], cited, "none", "high" if veto else "medium", veto
        )
    near = corroborating(brief)
    policy = [section for section in brief.of("section") if section.fields.get("action") != "none"][:1]
    if near:
        reasons = [f"Corroborated: {_ref(near[0], 'entity')} ({_ref(near[0], 'relation')}) is anomalous at the same time."]
        return _opinion(brief, "confirm", reasons, [*episode, *near[:3], *policy], _policy_action(policy, brief), "high")
    well_measured = figures.window >= THIN_WINDOW or figures.hits > 1 or brief.severity >= CLEAR
    solid = (brief.severity >= MILD and well_measured) or figures.hits > 2
    reasons = [
        "Nothing in the runbook, the window or the neighbours speaks against it." if solid else "Nothing corroborates a mild hit."
    ]
    return _opinion(
        brief, "confirm" if solid else "unsure", reasons, [*episode, *policy], _policy_action(policy, brief), "medium"
    )


Objection = tuple[str, list[Item], bool]  # the reason, what it rests on, and whether it is worth a veto


def usual_amounts(brief: Brief, figures: Signals) -> Objection | None:
    """A busy place: many payments, each of a usual size, from many accounts."""
    impact = brief.first("impact")
    if figures.pattern != "burst" or figures.kind != "counterparty" or impact is None or figures.over_usual is None:
        return None
    return (
        f"The payments are many but usual in size ({_ref(impact, 'over_usual_ratio')} of the usual): a busy place.",
        [impact],
        True,
    )


def routine(brief: Brief, figures: Signals) -> Objection | None:
    """A metric that leaves its range every few days is noisy, and paging for it teaches people to ignore pages."""
    history = brief.first("history")
    earlier = history.number("earlier_episodes") if history else None
    if figures.kind != "series" or history is None or earlier is None or earlier < ROUTINE:
        return None
    return (
        f"Routine for this metric: {_ref(history, 'earlier_episodes')} earlier episodes. Recalibrate it instead.",
        [history],
        False,
    )


def lone_near_miss(brief: Brief, figures: Signals) -> Objection | None:
    """One hit just over one threshold, with nothing near it."""
    episode = brief.first("episode")
    if figures.hits > 1 or brief.severity >= MILD or episode is None or corroborating(brief):
        return None
    return f"A single mild hit (severity {_ref(episode, 'severity')}) that nothing corroborates.", [episode], False


def honest_label(brief: Brief, figures: Signals) -> Objection | None:
    """The event is labelled with what a runbook section names in its heading as a reason not to act: a person must look."""
    text = brief.first("text")
    if text is None or figures.hits > 1:
        return None
    labels = {word for label in text.words("labels") for word in label.lower().split("_")}
    for section in brief.of("section"):
        if section.fields.get("action") == "none" and labels & set(re.findall(r"[a-z]{4,}", section.title.lower())):
            return (
                f"The event is labelled {_ref(text, 'labels')}, which the runbook asks not to act on unseen.",
                [section, text],
                True,
            )
    return None


OBJECTIONS = (usual_amounts, routine, lone_near_miss, honest_label)


def corroborating(brief: Brief) -> list[Item]:
    """Related episodes at the same time."""
    return brief.of("neighbour")


def strategist(brief: Brief, figures: Signals) -> Opinion:
    """Is it worth acting, and how: what is at stake, who else is touched, what became of earlier cases."""
    episode, impact, topology, sections = (brief.of(kind) for kind in ("episode", "impact", "topology", "section"))
    near, history = corroborating(brief), brief.of("history")
    vote, reason, certain = _worth(brief, figures, near)
    action = ACTIONS.get(figures.pattern, "watch") if vote == "confirm" else "watch"
    reasons = [reason]
    if topology and topology[0].fields.get("deepest"):
        reasons.append(f"It is explained from below: {_ref(topology[0], 'chain')}.")
    useful = [section for section in sections if section.fields.get("action") != "none"]
    cited = [*impact, *near[:2], *topology, *_fitting(useful, action)[:2], *history[:1]] or episode
    return _opinion(brief, vote, reasons, cited, action, certain)


def _worth(brief: Brief, figures: Signals, near: list[Item]) -> tuple[Vote, str, Confidence]:
    impact, history = brief.first("impact"), brief.first("history")
    if figures.kind == "series":
        earlier = (history.number("earlier_episodes") if history else None) or 0
        if earlier >= ROUTINE and history is not None:
            return "dismiss", f"It came {_ref(history, 'earlier_episodes')} times before and passed.", "medium"
        certain: Confidence = "medium" if figures.hits > 1 else "low"
        return "confirm", "A measured series left its range; someone should look before it becomes an outage.", certain
    if figures.kind == "service":
        grave = figures.hits >= PATIENCE or brief.severity >= CLEAR
        said = (
            f"Requests affected: {_ref(impact, 'requests')}."
            if impact is not None and "requests" in impact.fields
            else "Users feel it."
        )
        return ("confirm", said, "high") if grave else ("unsure", "It may pass by itself; too few hits to act on.", "low")
    if impact is None or figures.over_usual is None:
        return "unsure", "What is at stake is not known.", "low"
    if figures.pattern in ("spree", "card testing"):
        return "confirm", f"At stake already: {_ref(impact, 'amount_at_stake')} in {_ref(impact, 'payments')} payments.", "high"
    if figures.pattern == "test payment":
        if near:
            return (
                "confirm",
                f"A test payment: {_ref(near[0], 'entity')} shows the same pattern; the next one will be dear.",
                "high",
            )
        return "unsure", "A small odd payment; harmless unless others follow.", "low"
    if figures.over_usual >= 8 or near:
        return (
            "confirm",
            f"At stake: {_ref(impact, 'amount_at_stake')}, {_ref(impact, 'over_usual_ratio')} times the usual.",
            "medium",
        )
    return "unsure", "Little is at stake and nobody else is touched.", "low"


def _policy_action(policy: list[Item], brief: Brief) -> Action:
    """What the first section recommends, if it fits the kind of entity."""
    wanted = str(policy[0].fields.get("action", "")) if policy else ""
    fitting: dict[str, tuple[Action, ...]] = {
        "account": ("block_account", "step_up_auth"),
        "counterparty": ("hold_terminal",),
        "service": ("open_incident",),
        "series": ("open_incident",),
    }
    return next((action for action in fitting[brief.kind] if action == wanted), "watch")


def _fitting(sections: list[Item], action: Action) -> list[Item]:
    """Sections whose action is the proposed one come first."""
    return sorted(sections, key=lambda section: section.fields.get("action") != action)


def _ref(item: Item, name: str) -> str:
    return f"{{{{{item.id}.{name}}}}}"


def _opinion(
    brief: Brief, vote: Vote, reasons: list[str], cited: list[Item], action: Action, confidence: Confidence, veto: bool = False
) -> Opinion:
    citations = list(dict.fromkeys(item.id for item in cited))[:8]
    return Opinion(
        case_id=brief.case_id,
        vote=vote,
        reasons=reasons[:4],
        citations=citations,
        action=action,
        confidence=confidence,
        veto=veto,
    )
