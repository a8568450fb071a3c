"""PagerDuty's Events API v2, Opsgenie's Alert API, Prometheus Alertmanager's API v2: open, acknowledge, resolve one incident."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

from notify.wording import stamp

PAGERDUTY_SEVERITY = {"critical": "critical", "high": "error", "medium": "warning", "low": "info"}
OPSGENIE_PRIORITY = {"critical": "P1", "high": "P2", "medium": "P3", "low": "P4"}
SUMMARY_CAP, KEY_CAP, MESSAGE_CAP, LONG_CAP, ALIAS_CAP = 1024, 255, 130, 15_000, 512
Request = tuple[str, dict[str, Any] | list[Any]]


def pagerduty(content: Mapping[str, Any], action: str, thread: str, routing_key: str) -> dict[str, Any]:
    """An event; only a trigger says what happened."""
    event: dict[str, Any] = {"routing_key": routing_key, "event_action": verb(action), "dedup_key": thread[:KEY_CAP]}
    if verb(action) != "trigger":
        return event
    worst = content["lines"][0]
    event["payload"] = {
        "summary": content["title"][:SUMMARY_CAP], "source": _source(content), "severity": PAGERDUTY_SEVERITY[content["level"]],
        "timestamp": content["last_at"], "component": worst["entity"] or "conclave", "class": worst["kind"],
        "custom_details": details(content),
    }  # fmt: skip
    event["client"] = "Conclave"
    if content["link"] is not None:
        event |= {"client_url": content["link"], "links": [{"href": content["link"], "text": "Conclave"}]}
    return event


def opsgenie(content: Mapping[str, Any], action: str, thread: str, key: str) -> Request:
    """The path after the address, and the body; `key` makes a repeated request known."""
    alias = thread[:ALIAS_CAP]
    if verb(action) != "trigger":
        way = "acknowledge" if action == "acknowledge" else "close"
        return f"/v2/alerts/{quote(alias, safe='')}/{way}?identifierType=alias", {
            "source": "Conclave",
            "note": content["title"][:1000],
        }
    return "/v2/alerts", {
        "message": content["title"][:MESSAGE_CAP], "alias": alias, "description": text(content)[:LONG_CAP],
        "priority": OPSGENIE_PRIORITY[content["level"]], "source": "Conclave", "entity": content["lines"][0]["entity"][:512],
        "tags": sorted({line["kind"] for line in content["lines"]})[:20],
        "details": {name: str(value)[:1000] for name, value in details(content).items()} | {"delivery": key},
    }  # fmt: skip


def alertmanager(content: Mapping[str, Any], action: str, thread: str, now: datetime, lasts: timedelta) -> list[dict[str, Any]]:
    """One alert. Its labels name the incident and never change; it is resolved by an end that is past. None to acknowledge."""
    if action == "acknowledge":
        return []
    annotations = {"summary": content["title"], "description": text(content)[:LONG_CAP], "severity": content["level"]}
    alert: dict[str, Any] = {
        "labels": {"alertname": "Conclave", "incident": thread}, "annotations": annotations,
        "endsAt": stamp(now if action == "resolve" else now + lasts),
    }  # fmt: skip
    if action != "resolve":
        alert["startsAt"] = content["first_at"]
    return [alert | ({"generatorURL": content["link"]} if content["link"] is not None else {})]


def verb(action: str) -> str:
    return action if action in ("acknowledge", "resolve") else "trigger"


def details(content: Mapping[str, Any]) -> dict[str, Any]:
    """What is counted, and the lines."""
    return {
        "total": content["total"], "summary": content["summary"],
        "kinds": {one["words"]: one["count"] for one in content["kinds"]},
        "lines": [line["title"] for line in content["lines"]], "more": content["more"],
    }  # fmt: skip


def text(content: Mapping[str, Any]) -> str:
    """The bundle as plain lines."""
    lines = [f"- {line['title']}" + (f" ×{line['count']}" if line["count"] > 1 else "") for line in content["lines"]]
    details = [content["lines"][0]["detail"]] if content["total"] == 1 and content["lines"][0]["detail"] else []
    more = [f"and {content['more']:,} more"] if content["more"] else []
    return "\n".join([content["summary"], *details, *lines, *more])


def _source(content: Mapping[str, Any]) -> str:
    return content["lines"][0]["entity"] if content["entities"] == 1 and content["lines"][0]["entity"] else "conclave"
