"""The root cause in plain English and the next steps, from the brief alone: every digit comes from the evidence. Pure."""

from rag.items import Brief, Item, duration, measured, say, short
from rag.signals import LIKELY, signals

MOST_STEPS = 6


def root_cause(brief: Brief, outcome: str, reason: str) -> str:
    """What happened, then what the council made of it."""
    worst = next((item for item in brief.of("anomaly") if item.title == "worst hit"), None)
    if worst is None:
        return f"{brief.entity}: nothing measured is in the brief."
    what = {"service": _service, "series": _series}.get(brief.kind, _payments)(brief, worst)
    verdict = {
        "confirmed": _likely(brief),
        "dismissed": " The council takes it for ordinary.",
        "unresolved": f" Left open: {reason}.",
    }
    return what + verdict.get(outcome, "")


def _likely(brief: Brief) -> str:
    """What the pattern suggests, and the nearest corroboration."""
    said = LIKELY.get(signals(brief).pattern, "")
    near = brief.of("neighbour")[:1] if brief.kind in ("account", "counterparty") else []
    said += "".join(f" At the same time {say(one, 'entity')} ({say(one, 'relation')}) is anomalous, too." for one in near)
    return f" {said.strip()}" if said else ""


def _payments(brief: Brief, worst: Item) -> str:
    """An account or counterparty."""
    where = "at" if brief.kind == "counterparty" else "by"
    hits = brief.revision
    if worst.fields.get("unit") == "events":
        window = brief.first("window")
        span = window.number("span_s") if window else None
        usual = window.number("usual_span_s") if window else None
        pace = f" in {duration(span)}" if span is not None else ""
        slow = f", which usually takes {duration(usual)}" if usual else ""
        return f"{say(worst, 'value')} {where} {brief.entity}{pace}{slow}{_often(brief)}.{_amounts(brief)}"
    return (
        f"A payment of {say(worst, 'value')} {where} {brief.entity}, where {say(worst, 'expected')} is usual "
        f"({say(worst, 'low')} to {say(worst, 'high')} over {say(worst, 'window_size')} payments)"
        f"{_often(brief) if hits > 1 else ''}.{_amounts(brief) if hits > 1 else ''}"
    )


def _often(brief: Brief) -> str:
    episode = brief.first("episode")
    span = episode.number("span_s") if episode else None
    return f"; {short(brief.revision)} hits within {duration(span)}" if span and brief.revision > 1 else ""


def _amounts(brief: Brief) -> str:
    impact = brief.first("impact")
    if impact is None or impact.number("amount_at_stake") is None:
        return ""
    said = f" At stake in the hits kept: {say(impact, 'amount_at_stake')} in {say(impact, 'payments')} payments"
    if brief.kind == "counterparty" and impact.number("accounts") is not None:
        said += f" from {say(impact, 'accounts')} accounts"
    return said + "."


def _service(brief: Brief, worst: Item) -> str:
    what = {
        "error rate": f"{say(worst, 'value')} of the requests to {brief.entity} fail, {say(worst, 'expected')} is usual",
        "ms": f"{brief.entity} answers slowly: p95 is {say(worst, 'value')}, {say(worst, 'expected')} is usual",
    }.get(str(worst.fields.get("unit")), f"{brief.entity} left its range: {say(worst, 'value')}")
    return f"{what}{_often(brief)}.{_explained(brief)}"


def _explained(brief: Brief) -> str:
    """Whether something beneath the service explains it."""
    topology = brief.first("topology")
    if topology is None:
        return ""
    if deepest := str(topology.fields.get("deepest", "")):
        return f" The cause lies in {deepest}, the deepest anomalous service beneath it ({' → '.join(topology.words('chain'))})."
    callers = topology.words("anomalous_callers")
    named = topology.words("named_callees")
    own = f" Nothing watched that it calls is anomalous; its messages name {', '.join(named)}, which it calls."
    own = own if named else " Nothing it calls is anomalous, so the cause is its own or outside."
    return own + (f" It takes {', '.join(callers)} with it." if callers else "")


def _series(brief: Brief, worst: Item) -> str:
    expected, low, high = (measured(worst.number(name) or 0.0, "value") for name in ("expected", "low", "high"))
    return f"{brief.entity} read {say(worst, 'value')} where {expected} was expected ({low} to {high}){_often(brief)}."


def next_steps(brief: Brief, citations: list[str], action: str) -> list[dict[str, str]]:
    """The actions of the cited runbook sections: of those that recommend what was ruled, else of all that recommend acting."""
    cited = [item for cited in citations if (item := brief.item(cited)) is not None and item.kind == "section"]
    useful = [item for item in cited if item.fields.get("action") != "none"]
    fitting = [item for item in useful if item.fields.get("action") == action] or useful
    steps = [{"text": step, "section_id": str(item.fields["section_id"])} for item in fitting for step in item.words("steps")]
    return steps[:MOST_STEPS]


def target(brief: Brief) -> str:
    """Whom a command is about: the entity's subject, or the anomalous service that explains it."""
    topology = brief.first("topology")
    deepest = str(topology.fields.get("deepest", "")) if topology else ""
    if brief.kind in ("service", "series"):
        return f"service:{deepest}" if deepest else brief.entity
    return brief.entity
