"""Settings of notify/."""

from ipaddress import ip_network
from pathlib import Path

from pydantic import Field, field_validator, model_validator

from store.sections.base import Days, Positive, Seconds, Section


class Notify(Section):
    """Channels, routes and deliveries."""

    file: Path | None = Field(
        None, description="a TOML file of channels, routes, alert topics, subscriptions; wins over the pages"
    )
    public_url: str = Field("", description="address of the dashboard as readers reach it; messages link to it")
    secret_variables: tuple[str, ...] = Field(
        ("NOTIFY_*",),
        description="which variables `env:NAME` may name; another tenant's are NOTIFY_TENANT__*",
    )
    secrets_folder: Path | None = Field(None, description="the folder that `file:NAME` reads from; default: HOME/secrets")
    allow_loopback: bool = Field(True, description="whether channels may reach this very machine, also without TLS")
    allow_http: bool = Field(False, description="whether channels may use http without TLS beyond this machine")
    allow_networks: tuple[str, ...] = Field((), description="private networks that channels may reach, as 10.1.0.0/16")
    timeout_s: Seconds = Field(10, description="of one attempt to deliver")
    attempts: Positive = Field(8, description="before a delivery is given up and kept as a dead letter")
    backoff_s: Seconds = Field(5, description="pause after the first failed attempt; doubles, with jitter")
    backoff_max_s: Seconds = 3600
    lease_s: Seconds = Field(120, description="after this long a sender that says nothing is taken for dead; over timeout_s")
    senders: Positive = Field(4, description="deliveries under way at once in a process")
    batch: Positive = Field(2000, description="messages matched in one transaction")
    rate_keys: Positive = Field(50_000, description="keys that a route's limits remember at most; further ones have no limit")
    lines: Positive = Field(10, description="lines of a message before the rest is only counted")
    keep_days: Days = Field(90, description="messages, notices and deliveries are kept so long")

    @field_validator("allow_networks")
    @classmethod
    def _networks(cls, given: tuple[str, ...]) -> tuple[str, ...]:
        for network in given:
            ip_network(network)
        return given

    @field_validator("public_url")
    @classmethod
    def _address(cls, given: str) -> str:
        if given and not given.startswith(("https://", "http://")):
            raise ValueError("begins with https:// or http://")
        return given.rstrip("/")

    @model_validator(mode="after")
    def _lease(self) -> "Notify":
        if self.lease_s < 2 * self.timeout_s:
            raise ValueError("lease_s is at least twice timeout_s, or a slow delivery is taken for a dead one")
        return self
