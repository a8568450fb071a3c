"""The steps of the tour: each does one thing through the public API and says what came of it, or raises TourFailed."""

import gzip
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx

from cli.errors import TourFailed
from cli.tour import story
from cli.tour.receiver import Receiver

LOOK_S = 0.3
PATIENCE_S = 120.0


@dataclass
class Walk:
    """A gateway, a key of an administrator, the receiver of webhooks; `seen` is what later steps need of earlier ones."""

    api: httpx.Client
    receiver: Receiver
    stream: Callable[[], None]  # folds what has arrived
    seen: dict[str, Any] = field(default_factory=dict)

    def ask(self, method: str, path: str, expected: int = 200, **given: Any) -> Any:
        """The answer's JSON (or its bytes when it is none); TourFailed with what was said instead of `expected`."""
        answer = self.api.request(method, path, **given)
        if answer.status_code != expected:
            raise TourFailed(f"{method} {path} answered {answer.status_code}: {answer.text[:500]}")
        is_json = answer.headers.get("content-type", "").startswith("application/json")
        return answer.json() if is_json else answer.content

    def until(self, what: str, look: Callable[[], Any]) -> Any:
        """What `look` finds, asked again and again until it is something."""
        deadline = time.monotonic() + PATIENCE_S
        while not (found := look()):
            if time.monotonic() > deadline:
                raise TourFailed(f"waited {PATIENCE_S:.0f} s in vain for {what}.")
            time.sleep(LOOK_S)
        return found


def steps() -> Iterator[tuple[str, Callable[[Walk], str]]]:
    """Title and function of every step, in order."""
    yield "The door is closed without a key", door
    yield "A channel and a route", channel
    yield "A rule that watches a model's answers", answer_rule
    yield "Events", events
    yield "The case", case
    yield "A question in the chat", chat
    yield "Feedback", feedback
    yield "A command approved, carried out by webhook", approve
    yield "People were told", told
    yield "Two answers of a model, traced and scored", traces
    yield "An alert with the traces that made it", alert
    yield "Behind the token", reveal
    yield "The case on paper", paper
    yield "The case resolved", resolve
    yield "A customer forgotten", erase
    yield "The audit chain", audit


def door(walk: Walk) -> str:
    refused = httpx.get(f"{walk.api.base_url}/v1/cases").status_code
    ready = walk.ask("GET", "/ready")
    if refused != 401:
        raise TourFailed(f"without a key it answered {refused}, not 401.")
    return f"401 without a key; with one, {len(ready['dependencies'])} dependencies are looked at, ready: {ready['ready']}"


def channel(walk: Walk) -> str:
    config = {"url": f"{walk.receiver.url}/told", "secret": "env:NOTIFY_TOUR"}
    walk.ask("PUT", "/v1/channels/tour", json={"kind": "webhook", "config": config})
    tried = walk.ask("POST", "/v1/channels/tour/test")
    route = {"channels": ["tour"], "group_wait_s": 0, "group_every_s": 0, "per_entity": {"count": 0, "per_s": 60}}
    walk.ask("PUT", "/v1/routes/tour", json=route)
    if tried["state"] != "sent" or not walk.receiver.to("/told"):
        raise TourFailed(f"the test message was not delivered: {tried}")
    return f"the test message arrived, signature right, answered {tried['status']}"


def answer_rule(walk: Walk) -> str:
    walk.ask("PUT", "/v1/trace-projects/tour", json={"title": "The tour", "keep_share": 1.0})
    rule = {"project": "tour", "metric": "hallucination_rate", "comparison": "above", "threshold": 0.2, "least": 2}
    made = walk.ask("POST", "/v1/llm-alerts/rules", 201, json=rule)
    return f"rule {made['rule_id']}: alert when more than 20 % of answers say what their context does not"


def events(walk: Walk) -> str:
    now = datetime.now(UTC)
    sent = [
        *story.events(now),
        {"event_id": "tour-broken", "event_time": now.isoformat(), "kind": "transaction", "account_id": "x"},
    ]
    body = gzip.compress(json.dumps(sent).encode())
    headers = {"Content-Encoding": "gzip", "Content-Type": "application/json", "Idempotency-Key": f"tour-{now.timestamp()}"}
    first = walk.ask("POST", "/v1/events", 202, content=body, headers=headers)
    again = walk.ask("POST", "/v1/events", 202, content=body, headers=headers)
    refused = [one for one in first["records"] if one["outcome"] == "refused"]
    if first != again or len(refused) != 1:
        raise TourFailed(f"a repeated request was answered otherwise, or {len(refused)} records were refused and not one.")
    walk.stream()
    why = f"{refused[0]['field']}: {refused[0]['why']}"
    return f"{first['accepted']} accepted, 1 refused ({why}); the same request again: the same answer"


def case(walk: Walk) -> str:
    def look() -> Any:
        found = [one for one in walk.ask("GET", "/v1/cases")["items"] if one["kind"] == "account" and one["proposals"]]
        return found[0] if found else None

    row = walk.until("a case of the account with a proposal", look)
    walk.seen["case"] = row
    loss = f"{row['expected_loss']:,.0f} {row['loss_currency']}" if row["expected_loss"] is not None else "unknown"
    return f"{row['title']}: {row['outcome']}, proposed {row['action']}, {row['hits']} payments flagged, expected loss {loss}"


def chat(walk: Walk) -> str:
    entity = walk.seen["case"]["entity"].split("/")[0]
    said = walk.ask("POST", "/v1/chat", json={"question": f"What happened to {entity} in the last 24 hours?", "stream": False})
    text, cited = " ".join(one["text"] for one in said["sentences"]), said["citations"]
    if not cited:
        raise TourFailed(f"the answer cites nothing: {text}")
    return f"“{' '.join(text.split())[:200]}” ({len(cited)} citations, spoken by {said['spoken_by']})"


def feedback(walk: Walk) -> str:
    whole = walk.ask("GET", f"/v1/cases/{walk.seen['case']['case_id']}")
    walk.seen["whole"] = whole
    ruling = next(one["ruling_id"] for one in whole["all_members"] if one["ruling_id"])
    given = walk.ask("POST", "/v1/feedback", 201, json={"about": "ruling", "subject_id": ruling, "verdict": "confirm"})
    return f"confirmed, kept with the hash of what was shown ({given['shown_hash'][:12]})"


def approve(walk: Walk) -> str:
    case_id = walk.seen["case"]["case_id"]
    command = walk.ask("GET", "/v1/commands", params={"case_id": case_id, "state": "proposed"})["items"][0]
    path = f"/v1/commands/{command['command_id']}"
    walk.ask("POST", f"{path}/approve", json={"reason": "seen in the tour"})
    walk.until("the command to be carried out", lambda: walk.ask("GET", path)["state"] == "executed")
    came = [one for one in walk.receiver.to("/commands") if one["body"]["command_id"] == command["command_id"]]
    if len({one["key"] for one in came}) != 1:
        raise TourFailed(f"the receiver saw {len(came)} requests for one command.")
    return f"{came[0]['body']['action']} on {came[0]['body']['target']}, signature right, one Idempotency-Key"


def told(walk: Walk) -> str:
    titles = walk.until("a message on the case", lambda: walk.receiver.to("/told")[1:])
    log = walk.ask("GET", "/v1/deliveries", params={"state": "sent"})["items"]
    return f"{len(titles)} messages arrived, the delivery log has {len(log)}: {log[0]['title']}"


def traces(walk: Walk) -> str:
    asked = {"project": "tour", "query": "What to do about card testing?", "contexts": [story.CONTEXT], "model": "tour-model"}
    good = {**asked, "trace_id": "tour-good", "response": story.GOOD_ANSWER, "tokens_in": 60, "tokens_out": 22, "latency_ms": 480}
    bad = {**asked, "trace_id": "tour-bad", "response": story.BAD_ANSWER, "tokens_in": 60, "tokens_out": 24, "latency_ms": 510}
    walk.ask("POST", "/v1/traces", 202, json={"traces": [good, bad]})

    first, second = scored(walk, "tour-good"), scored(walk, "tour-bad")
    if first["hallucination"] or not second["hallucination"]:
        raise TourFailed("the scores do not tell the faithful answer from the invented one.")
    cost = "cost unknown" if second["cost"] is None else f"cost {second['cost']}"
    return f"the faithful answer passes, the invented one is marked as a hallucination; {cost} ({second['cost_why']})"


def scored(walk: Walk, trace_id: str) -> Any:
    """The trace, once it has its scores."""

    def look() -> Any:
        found = walk.ask("GET", f"/v1/traces/{trace_id}")
        return found if found["hallucination"] is not None else None

    return walk.until(f"the scores of {trace_id}", look)


def alert(walk: Walk) -> str:
    fired = walk.until("the alert", lambda: walk.ask("GET", "/v1/llm-alerts")["items"])[0]
    detail = walk.ask("GET", f"/v1/llm-alerts/{fired['firing_id']}")
    named = [one["trace_id"] for one in detail["traces"]]
    if named != ["tour-bad"]:
        raise TourFailed(f"the alert names {named}, not the one trace that made it.")
    walk.ask("POST", f"/v1/llm-alerts/{fired['firing_id']}/acknowledge", json={"note": "seen in the tour"})
    return f"{detail['metric']} {detail['value']:.0%} over {detail['threshold']:.0%}, made by exactly {named[0]}; acknowledged"


def reveal(walk: Walk) -> str:
    token = walk.seen["case"]["entity"].removeprefix("account:").split("/")[0]
    shown = walk.ask("POST", "/v1/reveal", json={"tokens": [token], "reason": "call back of the customer"})["values"]
    if shown.get(token) != story.ACCOUNT:
        raise TourFailed(f"{token} stands for {shown}, not for {story.ACCOUNT}.")
    return f"{token} is {story.ACCOUNT}; who looked and why is in the audit log"


def paper(walk: Walk) -> str:
    path = f"/v1/cases/{walk.seen['case']['case_id']}/report"
    text = walk.ask("GET", path, params={"kind": "suspicious-activity"}).decode()
    pdf = walk.ask("GET", path, params={"kind": "suspicious-activity", "format": "pdf"})
    if story.CANARY in text or story.ACCOUNT in text:
        raise TourFailed("personal data stands in the report.")
    return f"suspicious-activity draft: {len(text.splitlines())} lines, {len(pdf):,} bytes as PDF, no personal data in it"


def resolve(walk: Walk) -> str:
    case_id = walk.seen["case"]["case_id"]
    reason = next(iter(walk.ask("GET", "/v1/cases/reasons")["resolve"]))
    version = walk.ask("GET", f"/v1/cases/{case_id}")["version"]
    asked = {"action": "resolve", "version": version, "reason": reason}
    done = walk.ask("POST", f"/v1/cases/{case_id}/actions", json=asked)
    story_lines = walk.ask("GET", f"/v1/cases/{case_id}/timeline")["items"]
    return f"{done['status']} ({reason}); its timeline has {len(story_lines)} entries, from the first hit to this"


def erase(walk: Walk) -> str:
    token = walk.seen["case"]["entity"]
    asked = walk.ask("DELETE", f"/v1/subjects/account:{story.ACCOUNT}", 202)
    path = f"/v1/erasures/{asked['erasure_id']}"
    done = walk.until("the erasure", lambda: (row := walk.ask("GET", path))["state"] in ("done", "failed") and row)
    if done["state"] != "done":
        raise TourFailed(f"the erasure failed: {done['error']}")
    gone = walk.api.get(f"/v1/entities/{token}").status_code
    others = [one for one in walk.ask("GET", "/v1/entities", params={"kind": "account"})["items"] if one["entity"] != token]
    if gone != 404 or not others:
        raise TourFailed(f"the erased account answers {gone}; {len(others)} others are left.")
    kept = sum(line["kept"] for line in done["report"])
    removed = sum(line["removed"] for line in done["report"])
    return (
        f"{removed} rows gone from {len(done['report'])} stores, {kept} kept with a reason; {len(others)} other account untouched"
    )


def audit(walk: Walk) -> str:
    verdict = walk.ask("GET", "/v1/audit/verify")
    if verdict["broken"] is not None:
        raise TourFailed(f"entry {verdict['broken']} does not hold: {verdict['why']}")
    return f"{verdict['entries']} entries, each chained to the one before; head {verdict['head'][:16]}"
