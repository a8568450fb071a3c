"""Settings that are each in range but make no sense together; every sentence names the keys."""

from collections.abc import Iterator
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

if TYPE_CHECKING:
    from store.settings import Settings

REPLAY_DAYS = 30  # how far back bronze's versions and the ledger go, so that a replay or a rebuild finds both


def found(settings: "Settings") -> list[str]:
    """What contradicts itself, a sentence each; empty when all is well."""
    return [*_of_detect(settings), *_of_council(settings), *_of_serving(settings), *_of_desk(settings), *_of_the_rest(settings)]


def _of_detect(settings: "Settings") -> Iterator[str]:
    detect = settings.detect
    if detect.warm_up > detect.window:
        yield f"detect.warm_up ({detect.warm_up:g}) is more than detect.window ({detect.window:g}): nothing is ever judged"
    if detect.idle_s < detect.lateness_s:
        yield (
            f"detect.idle_s ({detect.idle_s:g}) is less than detect.lateness_s ({detect.lateness_s:g}): "
            "windows would be forgotten while their events may still come"
        )
    if detect.idle_s < settings.ingest.max_future_s:
        yield (
            f"detect.idle_s ({detect.idle_s:g}) is less than ingest.max_future_s ({settings.ingest.max_future_s:g}): "
            "one clock that is ahead would make every other entity look idle"
        )
    if detect.episode_quiet_s > detect.episode_max_s:
        yield (
            f"detect.episode_quiet_s ({detect.episode_quiet_s:g}) is more than "
            f"detect.episode_max_s ({detect.episode_max_s:g}): an episode would be cut before it can end"
        )
    if settings.retention.batches_days < REPLAY_DAYS:
        yield (
            f"retention.batches_days ({settings.retention.batches_days:g}) is less than {REPLAY_DAYS}: a replay or "
            "`detect --rebuild` goes back so many days and needs the ledger of them"
        )


def _of_council(settings: "Settings") -> Iterator[str]:
    council, model = settings.council, settings.model
    if council.triage_bar > council.immediate_bar:
        yield (
            f"council.triage_bar ({council.triage_bar:g}) is more than "
            f"council.immediate_bar ({council.immediate_bar:g}): the lanes' bounds are reversed"
        )
    if model.max_tokens + council.brief_tokens > model.context_tokens:
        yield (
            f"model.context_tokens ({model.context_tokens:g}) has no room for model.max_tokens ({model.max_tokens:g}) "
            f"and council.brief_tokens ({council.brief_tokens:g})"
        )


def _of_serving(settings: "Settings") -> Iterator[str]:
    gateway, dashboard = settings.gateway, settings.dashboard
    if gateway.port == dashboard.port:
        yield f"gateway.port and dashboard.port are both {gateway.port}"
    if (gateway.tls_certificate is None) != (gateway.tls_key is None):
        yield "gateway.tls_certificate and gateway.tls_key: give both, or none"
    if gateway.oidc_issuer is not None and gateway.oidc_audience is None:
        yield "gateway.oidc_audience: must be given with gateway.oidc_issuer, or tokens for other services would open this one"


def _of_desk(settings: "Settings") -> Iterator[str]:
    for limit in settings.desk.limits:
        if limit.acknowledge_min > limit.resolve_min:
            yield f"desk.limits: acknowledge_min ({limit.acknowledge_min}) is more than resolve_min ({limit.resolve_min})"
    if settings.notify.backoff_s > settings.notify.backoff_max_s:
        longest = settings.notify.backoff_max_s
        yield f"notify.backoff_s ({settings.notify.backoff_s:g}) is more than notify.backoff_max_s ({longest:g})"


def _of_the_rest(settings: "Settings") -> Iterator[str]:
    for name, zone in (("assistant.zone", settings.assistant.zone), ("schedule.zone", settings.schedule.zone)):
        if not _is_zone(zone):
            yield f"{name}: there is no time zone {zone!r}; write it as UTC or Europe/Berlin"
    address = settings.database_url.get_secret_value() if settings.database_url is not None else ""
    if address and not address.startswith(("postgresql://", "postgres://")) and "=" not in address:
        yield "database_url: begins with postgresql://"
    if settings.source.kind == "kafka":
        for name in ("kafka_servers", "kafka_topics"):
            if not getattr(settings.source, name).strip(" ,"):
                yield f"source.{name} is empty, and source.kind is kafka"


def _is_zone(name: str) -> bool:
    try:
        return ZoneInfo(name) is not None
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
