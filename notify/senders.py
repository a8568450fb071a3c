"""One bundle to one channel, in its form: the edge to every kind of receiver (mail, apprise and Kafka have their own files)."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from notify import kinds, signing
from notify.addresses import Reach
from notify.credentials import Vault
from notify.errors import Refused
from notify.kinds import Kind
from notify.payloads import incidents, plain, slack
from notify.wire import Receipt, post
from store.settings import Settings

Messages = Callable[[], Sequence[Mapping[str, Any]]]
MISSING = frozenset({404})
UNTRIED = "(only `conclave operate` reaches it, and only while the model is enabled; a test does not)"


@dataclass(frozen=True)
class Outgoing:
    """A delivery under way. `key` is the same for every attempt; `unsure`: an earlier attempt may have arrived."""

    tenant: str
    delivery_id: str
    key: str
    action: str
    thread: str
    content: Mapping[str, Any]
    unsure: bool
    messages: Messages  # the bundle's, whole; read only by those who pass each of them on


@dataclass(frozen=True)
class Tools:
    """What sending needs; `processor(tenant, name, messages, key)` and `model(question, delivery)` reach the other packages."""

    settings: Settings
    vault: Vault
    reach: Reach
    now: datetime
    processor: Callable[[str, str, Sequence[Mapping[str, Any]], str], str] | None = None
    model: Callable[[str, Outgoing], str] | None = None

    @property
    def timeout_s(self) -> float:
        return self.settings.notify.timeout_s

    def address(self, given: str) -> str:
        """A web address, or the one that a reference holds."""
        return given if "://" in given else self.vault.value(given)


Send = Callable[[Any, Outgoing, Tools], Receipt]


def send(kind: Kind, outgoing: Outgoing, tools: Tools) -> Receipt:
    """Send it; raises Again or Refused, or another ConclaveError for what must be mended first."""
    return SENDERS[type(kind)](kind, outgoing, tools)


def encoded(payload: Any) -> bytes:
    return json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def to_slack(kind: kinds.Slack, out: Outgoing, tools: Tools) -> Receipt:
    body = slack.payload(out.content, buttons=kind.buttons, unsure=out.unsure)
    return post(tools.address(kind.url), encoded(body), {}, tools.reach, tools.timeout_s)


def to_webhook(kind: kinds.Webhook, out: Outgoing, tools: Tools) -> Receipt:
    """Signed anew at each attempt, with the same key."""
    body, timestamp = encoded(plain.webhook(out.content, out.delivery_id, out.action, out.tenant)), int(tools.now.timestamp())
    own = {
        name: tools.vault.value(value) if value.startswith(("env:", "file:")) else value for name, value in kind.headers.items()
    }
    signature = signing.sign(tools.vault.value(kind.secret), timestamp, body)
    signed = {signing.SIGNATURE: f"v1={signature}", signing.TIMESTAMP: str(timestamp), signing.KEY: out.key}
    return post(tools.address(kind.url), body, own | signed, tools.reach, tools.timeout_s)


def to_pagerduty(kind: kinds.PagerDuty, out: Outgoing, tools: Tools) -> Receipt:
    event = incidents.pagerduty(out.content, out.action, _thread(out), tools.vault.value(kind.routing_key))
    return post(kind.url, encoded(event), {}, tools.reach, tools.timeout_s)


def to_opsgenie(kind: kinds.Opsgenie, out: Outgoing, tools: Tools) -> Receipt:
    """Closing what is not there (any longer) is as good as closing it."""
    path, body = incidents.opsgenie(out.content, out.action, _thread(out), out.key)
    headers = {"Authorization": f"GenieKey {tools.vault.value(kind.api_key)}"}
    expected = MISSING if incidents.verb(out.action) != "trigger" else frozenset[int]()
    return post(kind.url.rstrip("/") + path, encoded(body), headers, tools.reach, tools.timeout_s, expected=expected)


def to_alertmanager(kind: kinds.Alertmanager, out: Outgoing, tools: Tools) -> Receipt:
    alerts = incidents.alertmanager(out.content, out.action, _thread(out), tools.now, timedelta(seconds=kind.lasts_s))
    if not alerts:
        return Receipt(None, "Alertmanager knows no acknowledging; nothing was sent.")
    headers = {} if kind.token is None else {"Authorization": f"Bearer {tools.vault.value(kind.token)}"}
    return post(kind.url.rstrip("/") + "/api/v2/alerts", encoded(alerts), headers, tools.reach, tools.timeout_s)


def to_table(kind: kinds.Table, out: Outgoing, tools: Tools) -> Receipt:
    return Receipt(None, "Kept in the table of deliveries.")


def to_email(kind: kinds.Email, out: Outgoing, tools: Tools) -> Receipt:
    from notify.mail import deliver

    return deliver(kind, out, tools)


def to_apprise(kind: kinds.Apprise, out: Outgoing, tools: Tools) -> Receipt:
    from notify.others import deliver

    return deliver(kind, out, tools)


def to_kafka(kind: kinds.Kafka, out: Outgoing, tools: Tools) -> Receipt:
    from notify.kafka import deliver

    return deliver(kind, out, tools)


def to_processor(kind: kinds.Processor, out: Outgoing, tools: Tools) -> Receipt:
    if tools.processor is None:
        raise Refused(UNTRIED)
    return Receipt(None, tools.processor(out.tenant, kind.processor, out.messages(), out.key))


def to_model(kind: kinds.ModelCall, out: Outgoing, tools: Tools) -> Receipt:
    if tools.model is None:
        raise Refused(UNTRIED)
    return Receipt(None, tools.model(kind.prompt, out))


def _thread(out: Outgoing) -> str:
    """A test's incident is its own."""
    return out.thread or f"conclave/{out.tenant}/test/{out.delivery_id}"


SENDERS: dict[type[Kind], Send] = {
    kinds.Slack: to_slack, kinds.Webhook: to_webhook, kinds.PagerDuty: to_pagerduty, kinds.Opsgenie: to_opsgenie,
    kinds.Alertmanager: to_alertmanager, kinds.Email: to_email, kinds.Apprise: to_apprise, kinds.Table: to_table,
    kinds.Kafka: to_kafka, kinds.Processor: to_processor, kinds.ModelCall: to_model,
}  # fmt: skip
