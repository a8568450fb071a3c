"""Alert rules and their alerts: checked by the loop, acknowledged and resolved by people, each step kept and told."""

import json
from dataclasses import asdict
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from observe.errors import BadRule, Changed, UnknownAlert, UnknownProject
from observe.measure import METRICS
from observe.scores import SCORER
from observe.watch import CHANGE, LEVEL, WEEK, Finding, Rule, check, sentence, stretch, worse
from store.database import Connection, Database, Queries, fetch, run
from store.outbox import Message, publish
from store.settings import Settings
from trust import audit

ROW = dict[str, Any]
ACTOR = "system:observe"
MOST_ROWS = 50_000  # newest traces of a rule's stretch that are looked at
MOST_TRACES = 1_000  # kept with an alert
AT_ONCE = 10
FIELDS = ("project", "model", "metric", "comparison", "threshold", "window_s", "least", "severity", "enabled", "title")


def rules(queries: Queries, tenant: str, only: frozenset[str] | None = None) -> list[ROW]:
    """The tenant's rules; of some projects only when given."""
    return queries.fetch("llm_rules", tenant=tenant, only=None if only is None else sorted(only))


def create(connection: Connection, tenant: str, rule_id: str, values: ROW, actor: str) -> ROW:
    """A new rule. Raises BadRule, UnknownProject."""
    kept = {"model": None, "severity": 0.6, "enabled": True, "title": "", "least": 20} | values
    _sound(kept)
    if not fetch(connection, "trace_project", tenant=tenant, project=kept["project"]):
        raise UnknownProject(f"(`{kept['project']}`)")
    if run(connection, "put_llm_rule", tenant=tenant, rule_id=rule_id, actor=actor, **kept) == 0:
        raise BadRule(f"(there is a rule `{rule_id}` already)")
    audit.record(connection, tenant, actor, "llm_rule.create", rule_id, kept)
    return fetch(connection, "llm_rule", tenant=tenant, rule_id=rule_id)[0]


def change(connection: Connection, tenant: str, rule_id: str, values: ROW, version: int, actor: str) -> ROW:
    """Change some fields of the version that was looked at. Raises UnknownAlert, BadRule, Changed."""
    old = _rule(connection, tenant, rule_id, version)
    kept = {name: old[name] for name in FIELDS} | values
    _sound(kept)
    if not fetch(connection, "trace_project", tenant=tenant, project=kept["project"]):
        raise UnknownProject(f"(`{kept['project']}`)")
    changed = fetch(connection, "change_llm_rule", tenant=tenant, rule_id=rule_id, **kept)[0]
    audit.record(connection, tenant, actor, "llm_rule.change", rule_id, values)
    return changed


def delete(connection: Connection, tenant: str, rule_id: str, actor: str, now: datetime) -> None:
    """Remove a rule; its open alerts are resolved, its history stays. Raises UnknownAlert."""
    _rule(connection, tenant, rule_id, None)
    for firing in fetch(connection, "open_firings_of", tenant=tenant, rule_id=rule_id):
        _resolve(connection, firing, actor, "its rule was removed", now)
    run(connection, "drop_llm_rule", tenant=tenant, rule_id=rule_id)
    audit.record(connection, tenant, actor, "llm_rule.delete", rule_id)


def _rule(connection: Connection, tenant: str, rule_id: str, version: int | None) -> ROW:
    rows = fetch(connection, "llm_rule", tenant=tenant, rule_id=rule_id)
    if not rows:
        raise UnknownAlert(f"(rule `{rule_id}`)")
    if version is not None and rows[0]["version"] != version:
        raise Changed(f"(it has version {rows[0]['version']}, you saw {version})")
    return rows[0]


def _sound(values: ROW) -> None:
    if unknown := set(values) - set(FIELDS):
        raise BadRule(f"(unknown: {', '.join(sorted(unknown))})")
    if missing := [name for name in FIELDS if name not in values]:
        raise BadRule(f"(missing: {', '.join(missing)})")
    if values["metric"] not in METRICS:
        raise BadRule(f"(metric is one of {', '.join(METRICS)})")
    if values["comparison"] not in (*LEVEL, *CHANGE):
        raise BadRule(f"(comparison is one of {', '.join((*LEVEL, *CHANGE))})")
    if not values["window_s"] > 0 or values["window_s"] > WEEK.total_seconds():
        raise BadRule("(window_s is more than 0 and at most a week)")
    if values["comparison"] == "drop" and not 0 < values["threshold"] < 1:
        raise BadRule("(the threshold of a drop is a share of last week's value, between 0 and 1)")
    if values["threshold"] < 0 or values["least"] < 1 or not 0 <= values["severity"] <= 1:
        raise BadRule("(threshold is not negative, least is 1 or more, severity lies in 0 to 1)")


def work(database: Database, settings: Settings, now: datetime) -> int:
    """Look at the rules that are due, of all tenants; how many alerts opened or ended."""
    before = now - timedelta(seconds=settings.observe.check_every_s)
    changed = 0
    with database.connection() as connection:
        for row in fetch(connection, "take_llm_rules", before=before, limit=AT_ONCE):
            changed += _check(connection, row, now)
            run(connection, "llm_rule_checked", tenant=row["tenant"], rule_id=row["rule_id"], now=now)
    return changed


def _check(connection: Connection, row: ROW, now: datetime) -> int:
    rule = Rule(*(row[name] for name in ("metric", "comparison", "threshold", "window_s", "least", "model")))
    _, since = stretch(rule, now)
    rows = fetch(
        connection, "measures", tenant=row["tenant"], project=row["project"], only=None, model=rule.model, since=since,
        until=now + timedelta(seconds=1), scorer=SCORER, limit=MOST_ROWS,
    )  # fmt: skip
    return sum(_settle(connection, row, rule, finding, now) for finding in check(rule, rows, now))


def _settle(connection: Connection, row: ROW, rule: Rule, finding: Finding, now: datetime) -> bool:
    """Open, continue or end the alert of one model; whether it opened or ended."""
    place = {"tenant": row["tenant"], "rule_id": row["rule_id"], "model": finding.model}
    standing = fetch(connection, "open_firing", **place)
    if finding.holds and finding.value is not None:
        if not standing:
            settled = fetch(connection, "settled_by_hand", **place, since=now - timedelta(seconds=rule.window_s))
            return not settled and _open(connection, row, rule, finding, now)
        _continue(connection, standing[0], finding, now)
    elif finding.holds is False and standing:
        run(connection, "log_firing", **_log(standing[0], ACTOR, "recovered", "", finding.value, now))
        _end(connection, standing[0], ACTOR, "the value is back", now)
        return True
    return False


def _open(connection: Connection, row: ROW, rule: Rule, finding: Finding, now: datetime) -> bool:
    name = f"{row['tenant']}\0{row['rule_id']}\0{finding.model}\0{now.isoformat()}"
    firing_id = "llm-" + sha256(name.encode()).hexdigest()[:16]
    begin, _ = stretch(rule, now)
    found = {name: value for name, value in asdict(finding).items() if name in ("model", "value", "baseline", "counted")}
    kept = {name: row[name] for name in ("tenant", "rule_id", "project", "metric", "comparison", "threshold")}
    if run(connection, "put_firing", firing_id=firing_id, now=now, from_at=begin, **kept, **found) == 0:
        return False
    firing = {"tenant": row["tenant"], "firing_id": firing_id}
    _put_traces(connection, firing, finding)
    run(connection, "log_firing", **_log(firing, ACTOR, "opened", "", finding.value, now))
    title = row["title"] or sentence(rule, finding, row["project"])
    payload = {
        "state": "open", "rule_id": row["rule_id"], "said": sentence(rule, finding, row["project"]), "project": row["project"],
        "traces": [trace_id for trace_id, _ in finding.traces[:20]], "trace_count": len(finding.traces), **found,
        "metric": rule.metric, "threshold": rule.threshold,
    }  # fmt: skip
    publish(connection, _message(row["tenant"], firing_id, row["severity"], title, "open", payload))
    return True


def _continue(connection: Connection, firing: ROW, finding: Finding, now: datetime) -> None:
    assert finding.value is not None
    is_worse = worse(firing["comparison"], finding.value, firing["worst"])
    values = {"value": finding.value, "baseline": finding.baseline, "counted": finding.counted}
    worst = finding.value if is_worse else firing["worst"]
    run(connection, "continue_firing", tenant=firing["tenant"], firing_id=firing["firing_id"], worst=worst, now=now, **values)
    _put_traces(connection, firing, finding)
    if is_worse:
        run(connection, "log_firing", **_log(firing, ACTOR, "worse", "", finding.value, now))


def _put_traces(connection: Connection, firing: ROW, finding: Finding) -> None:
    rows = json.dumps([{"trace_id": trace_id, "value": value} for trace_id, value in finding.traces[:MOST_TRACES]])
    run(connection, "put_firing_traces", tenant=firing["tenant"], firing_id=firing["firing_id"], rows=rows)


def _log(firing: ROW, actor: str, action: str, note: str, value: float | None, now: datetime) -> ROW:
    place = {"tenant": firing["tenant"], "firing_id": firing["firing_id"]}
    return place | {"actor": actor, "action": action, "note": note, "value": value, "now": now}


def _message(tenant: str, firing_id: str, severity: float, title: str, state: str, payload: ROW) -> Message:
    return Message(tenant, "llm", "llm.alert", firing_id, severity, title, f"{firing_id}:{state}", payload=payload)


def listed(
    queries: Queries, tenant: str, *, state: str | None = None, project: str | None = None,
    only: frozenset[str] | None = None, after: tuple[datetime, str] | None = None, limit: int = 50,
) -> list[ROW]:  # fmt: skip
    """Alerts, the newest first; `after`: the last one's (opened_at, firing_id)."""
    at, firing_id = after or (None, None)
    return queries.fetch(
        "llm_firings", tenant=tenant, state=state, project=project, only=None if only is None else sorted(only), after_at=at,
        after_id=firing_id, limit=limit,
    )  # fmt: skip


def get(queries: Queries, tenant: str, firing_id: str, traces: int = 200) -> ROW:
    """One alert with `log` and the `traces` that made it. Raises UnknownAlert."""
    rows = queries.fetch("llm_firing_read", tenant=tenant, firing_id=firing_id)
    if not rows:
        raise UnknownAlert(f"(`{firing_id}`)")
    log = queries.fetch("llm_firing_log", tenant=tenant, firing_id=firing_id)
    return rows[0] | {
        "log": log,
        "traces": queries.fetch("llm_firing_traces", tenant=tenant, firing_id=firing_id, limit=traces),
    }


def acknowledge(
    connection: Connection, tenant: str, firing_id: str, actor: str, now: datetime, version: int | None = None
) -> None:  # fmt: skip
    """Say that one looks after it; nothing when that was said, whatever version was seen. Raises UnknownAlert, Changed."""
    if _firing(connection, tenant, firing_id, None)["state"] != "open":
        return
    firing = _firing(connection, tenant, firing_id, version)
    run(connection, "acknowledge_firing", tenant=tenant, firing_id=firing_id, actor=actor, now=now)
    run(connection, "log_firing", **_log(firing, actor, "acknowledged", "", None, now))
    audit.record(connection, tenant, actor, "llm_alert.acknowledge", firing_id)


def resolve(
    connection: Connection, tenant: str, firing_id: str, actor: str, note: str, now: datetime, version: int | None = None
) -> None:  # fmt: skip
    """End it; it may open again once a window of its rule has passed. Raises UnknownAlert, Changed."""
    if _firing(connection, tenant, firing_id, None)["state"] != "resolved":
        _resolve(connection, _firing(connection, tenant, firing_id, version), actor, note, now)
        audit.record(connection, tenant, actor, "llm_alert.resolve", firing_id, {"note": note})


def _resolve(connection: Connection, firing: ROW, actor: str, note: str, now: datetime) -> None:
    run(connection, "log_firing", **_log(firing, actor, "resolved", note, None, now))
    _end(connection, firing, actor, note, now)


def _end(connection: Connection, firing: ROW, actor: str, note: str, now: datetime) -> None:
    place = {"tenant": firing["tenant"], "firing_id": firing["firing_id"]}
    run(connection, "resolve_firing", **place, actor=actor, note=note, now=now)
    payload = {
        "state": "resolved",
        "rule_id": firing["rule_id"],
        "project": firing["project"],
        "model": firing["model"],
        "by": actor,
    }
    title = f"over: {METRICS[firing['metric']].words} of {firing['model'] or 'unknown model'} in {firing['project']}"
    publish(connection, _message(firing["tenant"], firing["firing_id"], 0.1, title, "resolved", payload))


def _firing(connection: Connection, tenant: str, firing_id: str, version: int | None) -> ROW:
    rows = fetch(connection, "llm_firing", tenant=tenant, firing_id=firing_id)
    if not rows:
        raise UnknownAlert(f"(`{firing_id}`)")
    if version is not None and rows[0]["version"] != version:
        raise Changed(f"(it has version {rows[0]['version']}, you saw {version})")
    return rows[0]
