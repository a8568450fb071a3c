"""What each kind of channel must be told: one model a kind, checked when it is written. Secrets are references only."""

import re
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from notify.addresses import Reach
from notify.errors import BadChannel

Secret = Annotated[str, Field(pattern=r"^(env:[A-Za-z_][A-Za-z0-9_]{0,127}|file:[A-Za-z0-9._/-]{1,200})$")]
"""A reference, `env:NAME` or `file:NAME`; never the secret itself."""
Web = Annotated[str, Field(min_length=8, max_length=2000)]
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,62}$")]
Mail = Annotated[str, Field(pattern=r"^[^\s@<>,;\"]{1,64}@[^\s@<>,;\"]{1,190}$")]
HEADER = r"^[A-Za-z0-9-]{1,64}$"
OURS = {"host", "content-length", "content-type", "transfer-encoding", "connection", "idempotency-key"}


class Kind(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    incidents: ClassVar[bool] = False  # whether it opens incidents that are closed again

    def addresses(self) -> tuple[str, ...]:
        """The web addresses that it names in the clear."""
        return tuple(found for name in ("url",) if isinstance(found := getattr(self, name, None), str) and "://" in found)


class Slack(Kind):
    """An incoming webhook of Slack, or of what speaks its form (Mattermost, Rocket.Chat)."""

    url: Secret = Field(description="the webhook's whole address, which is a secret")
    buttons: bool = Field(True, description="offer acknowledge, dismiss …; Slack's interactivity must point at the gateway")


class Webhook(Kind):
    """Any receiver of JSON, signed: notify/signing.py."""

    url: Web | Secret
    secret: Secret = Field(description="of the signature")
    headers: dict[str, str] = Field({}, max_length=20, description="further headers; a value may be a reference to a secret")

    @field_validator("headers")
    @classmethod
    def _headers(cls, given: dict[str, str]) -> dict[str, str]:
        for name, value in given.items():
            if not re.match(HEADER, name) or name.lower() in OURS or name.lower().startswith("x-conclave"):
                raise ValueError(f"`{name[:64]}` cannot be set here")
            if name.lower() in ("authorization", "x-api-key", "cookie") and not value.startswith(("env:", "file:")):
                raise ValueError(f"`{name}` is a secret: refer to it by env:NAME or file:NAME")
            if not value.isprintable() or len(value) > 1000:
                raise ValueError(f"`{name}` has a value that no header can have")
        return given


class PagerDuty(Kind):
    """PagerDuty's Events API v2: triggers, acknowledges and resolves."""

    routing_key: Secret
    url: Web = "https://events.pagerduty.com/v2/enqueue"
    incidents: ClassVar[bool] = True


class Opsgenie(Kind):
    """Opsgenie's Alert API: creates, acknowledges and closes."""

    api_key: Secret
    url: Web = Field("https://api.opsgenie.com", description="https://api.eu.opsgenie.com in Europe")
    incidents: ClassVar[bool] = True


class Alertmanager(Kind):
    """A Prometheus Alertmanager, API v2; it forgets an alert that is not repeated, so one is sent with an end."""

    url: Web = Field(description="its address without /api/v2")
    token: Secret | None = None
    lasts_s: float = Field(86_400, gt=0, description="an alert ends by itself so long after it was sent")
    incidents: ClassVar[bool] = True


class Email(Kind):
    """Mail by SMTP, as text and as HTML."""

    host: str = Field(pattern=r"^[A-Za-z0-9._:-]{1,253}$")
    port: int = Field(587, ge=1, le=65_535)
    tls: Literal["starttls", "tls", "none"] = Field("starttls", description="none: only to this machine")
    username: str = Field("", max_length=200)
    password: Secret | None = None
    sender: Mail
    to: tuple[Mail, ...] = Field(min_length=1, max_length=50)


class Apprise(Kind):
    """One of the services of the apprise library: Telegram, Teams, Discord, Matrix, Pushover …"""

    url: Secret = Field(description="apprise's address of it, which holds its secrets")


class Table(Kind):
    """Nothing leaves: the delivery itself is the record, to be read in the delivery log and by SQL."""


class Kafka(Kind):
    """A Kafka topic on the brokers of the settings' `source`; every message of a bundle is a record."""

    topic: str = Field(pattern=r"^[A-Za-z0-9._-]{1,200}$")


class Processor(Kind):
    """A processor of pipelines/, run on every message of a bundle."""

    processor: str = Field(min_length=1, max_length=128)


class ModelCall(Kind):
    """A call of the language model about the bundle; its answer is kept with the delivery."""

    prompt: str = Field(min_length=1, max_length=4000, description="what is asked; the messages are added as quoted data")


KINDS: dict[str, type[Kind]] = {
    "slack": Slack, "webhook": Webhook, "pagerduty": PagerDuty, "opsgenie": Opsgenie, "alertmanager": Alertmanager,
    "email": Email, "apprise": Apprise, "table": Table, "kafka": Kafka, "processor": Processor, "model": ModelCall,
}  # fmt: skip


def read_kind(kind: str, config: dict[str, Any], reach: Reach | None = None) -> Kind:
    """The checked configuration; raises BadChannel that names the field, AddressForbidden for an address out of reach."""
    if kind not in KINDS:
        raise BadChannel(f"`kind`: `{kind[:40]}` is none of {', '.join(KINDS)}.")
    try:
        found = KINDS[kind].model_validate(config)
    except ValidationError as error:
        raise BadChannel("; ".join(said(fault) for fault in error.errors())) from None
    for address in found.addresses() if reach is not None else ():
        reach.check(address)  # type: ignore[union-attr]
    return found


def said(fault: Any) -> str:
    """One fault of a model in words, without what was given: it may be a secret."""
    place = ".".join(str(part) for part in fault["loc"]) or "it"
    hint = " (a secret is given as env:NAME or file:NAME)" if fault["type"] == "string_pattern_mismatch" else ""
    return f"`{place}`: {fault['msg'][:200]}{hint}"
