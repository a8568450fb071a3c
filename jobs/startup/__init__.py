"""What a start needs, looked at before Spark is started: each check is one finding, with the fix in the sentence."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

from jobs.errors import NotReady
from jobs.startup import checkpoints, machine, servers
from jobs.startup.finding import Finding
from store.errors import ConclaveError
from store.settings import Settings

Check = Callable[[], Finding | list[Finding]]


def require(settings: Settings, *jobs: str, now: datetime | None = None) -> None:
    """Raises NotReady with every reason why these jobs cannot start here; takes under two seconds when servers answer."""
    faults = [finding for finding in examine(settings, jobs, now or datetime.now(UTC)) if finding.state == "fail"]
    if faults:
        raise NotReady("; ".join(finding.sentence for finding in faults))


def examine(settings: Settings, jobs: tuple[str, ...], now: datetime) -> Iterator[Finding]:
    """Everything that these jobs need, whatever its state; jars are not among it, since a start fetches them."""
    checks: list[tuple[str, Check]] = [
        ("java", machine.java),
        ("folders", lambda: machine.folders(settings, jobs)),
        ("disk", lambda: machine.disk(settings)),
        ("scratch", lambda: machine.scratch(settings)),
        ("files", lambda: machine.open_files(settings)),
        ("database", lambda: servers.database(settings, now)),
    ]
    if "ingest" in jobs and settings.source.kind == "kafka":
        checks.append(("kafka", lambda: servers.kafka(settings)))
    checks += [(f"{job} checkpoint", lambda job=job: checkpoints.pinned_as(settings, job)) for job in jobs]  # type: ignore[misc]
    yield from found(checks)


def found(checks: list[tuple[str, Check]]) -> Iterator[Finding]:
    """Each check's findings; one that breaks on an error of ours is a failure, not the end."""
    for name, check in checks:
        try:
            one = check()
        except ConclaveError as error:
            one = Finding(name, "fail", str(error))
        yield from one if isinstance(one, list) else [one]
