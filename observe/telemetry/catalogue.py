"""Every metric of every process. A process shows those that it has touched; labels have few values, never an id or a tenant.

No label is called `job`, `instance` or `process`: these are the scraper's own.
"""

from collections.abc import Sequence
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics

REGISTRY = CollectorRegistry()
HERE: dict[str, Any] = {"registry": REGISTRY}
OWN: dict[str, object] = {}  # collectors of this process that are there once
QUICK_S = (0.005, 0.02, 0.1, 0.5, 2, 10)
BATCH_S = (0.05, 0.1, 0.25, 0.5, 1, 2, 4, 8, 16, 32, 64, 128)
MODEL_S = (0.25, 0.5, 1, 2, 4, 8, 16, 32, 64, 128)


def counter(name: str, meaning: str, *labels: str) -> Counter:
    return Counter(name, meaning, labels, **HERE)


def gauge(name: str, meaning: str, *labels: str) -> Gauge:
    return Gauge(name, meaning, labels, **HERE)


def histogram(name: str, meaning: str, buckets: Sequence[float], *labels: str) -> Histogram:
    return Histogram(name, meaning, labels, buckets=buckets, **HERE)


BUILD = gauge("conclave_build_info", "1; the version that this process runs.", "version")
ERRORS = counter("conclave_errors_total", "What went wrong, by part and by the error's class.", "part", "kind")
LOGGED = counter("conclave_log_messages_total", "Log messages of level warning and above.", "level")

# The stream: each batch once, after its commit.
EVENTS = counter(
    "conclave_events_total",
    "Events of committed batches: ingest accepted or quarantined them; detect folded them, and found some of these late, "
    "duplicate, in conflict with an earlier one, or of no kind that has a window.",
    "stream", "outcome",
)  # fmt: skip
ANOMALIES = counter("conclave_anomalies_total", "Hits over a detector's threshold.", "stream")
EPISODES = counter("conclave_episodes_total", "Episodes that a batch began or went on with.", "stream")
EVICTED = counter("conclave_evicted_entities_total", "Entities that left the state, idle or over a shard's cap.", "why")
BATCHES = counter("conclave_batches_total", "Batches committed.", "stream")
BATCH_SECONDS = histogram(
    "conclave_batch_seconds",
    "Time of a batch by stage: `trigger` is the whole; `source`, `plan` and `log` are Spark's; `write` is ours, the others its "
    "parts.",
    BATCH_S, "stream", "stage",
)  # fmt: skip
STATE_ENTITIES = gauge("conclave_state_entities", "Entities in the shards that a batch visited; most of the last 50.", "stream")
STATE_BYTES = gauge("conclave_state_bytes", "Bytes of these shards' packed state; most of the last 50 batches.", "stream")
STATE_PLANNED = gauge("conclave_state_planned_entities", "Entities that telemetry.planned_entities allows for.", "stream")
LAG_OFFSETS = gauge("conclave_lag_offsets", "Offsets or files that the source has and the job has not taken.", "stream")

# The council.
RULINGS = counter("conclave_rulings_total", "Rulings written.", "outcome", "council")
HEARING_SECONDS = histogram("conclave_hearing_seconds", "From taking a batch of cases to its rulings.", MODEL_S, "lane")
CALLS = counter("conclave_model_calls_total", "Calls of a language model.", "asked_by", "outcome")
CALL_SECONDS = histogram("conclave_model_call_seconds", "A call of a language model.", MODEL_S, "asked_by")
TOKENS = counter("conclave_model_tokens_total", "Tokens of calls whose server said how many.", "asked_by", "direction")
BREAKER = gauge("conclave_breaker_state", "1 at the state in which a council worker's circuit breaker is.", "state")
SHED = counter("conclave_cases_shed_total", "Cases filed unheard since the docket was full; each has a receipt.", "lane")
ANSWERS = counter("conclave_answers_total", "Questions answered.", "source", "spoken_by")
ANSWER_SECONDS = histogram("conclave_answer_seconds", "From a question to its answer.", MODEL_S, "source")

# What works beside the stream.
DELIVERIES = counter("conclave_deliveries_total", "Attempts to deliver: sent, again, dead or skipped.", "channel", "outcome")
DELIVERY_SECONDS = histogram("conclave_delivery_seconds", "An attempt to deliver.", QUICK_S, "channel")
COMMANDS = counter("conclave_commands_total", "Attempts to carry out a command: done, again or failed.", "action", "outcome")
RUNS = counter("conclave_schedule_runs_total", "Runs of scheduled jobs.", "name", "state")
RUN_SECONDS = histogram("conclave_schedule_run_seconds", "A run of a scheduled job.", BATCH_S, "name")
SCORED = counter("conclave_traces_scored_total", "Traces of language model calls scored.", "outcome")
WORK = counter("conclave_work_total", "What the parts of `conclave operate` have done.", "part")
STEP_SECONDS = histogram(
    "conclave_step_seconds", "A step of a part of `conclave operate` that had something to do.", BATCH_S, "part"
)
PAGES = histogram("conclave_page_seconds", "A page of the dashboard drawn.", QUICK_S, "page")
SPANS = counter("conclave_spans_total", "Spans sent to the OTLP receiver, and dropped since it was away.", "outcome")

STARTS: dict[str, Sequence[tuple[Counter, Sequence[Sequence[str]]]]] = {
    "ingest": ((EVENTS, (("ingest", "accepted"), ("ingest", "quarantined"))), (BATCHES, (("ingest",),))),
    "detect": (
        (EVENTS, [("detect", outcome) for outcome in ("folded", "late", "duplicate", "conflict", "unwatched")]),
        (BATCHES, (("detect",),)), (ANOMALIES, (("detect",),)), (EPISODES, (("detect",),)), (EVICTED, (("idle",), ("cap",))),
    ),
    "council": (
        (RULINGS, [(outcome, by) for outcome in ("confirmed", "dismissed", "unresolved") for by in ("rules", "model")]),
        (CALLS, [("council", outcome) for outcome in ("ok", "no_opinion", "timeout", "refused", "error")]),
        (TOKENS, (("council", "in"), ("council", "out"))), (SHED, (("immediate",), ("batch",))),
    ),
    "operate": ((SCORED, (("kept",), ("dropped",), ("failed",))),),
}  # fmt: skip
SERIOUS = ("warning", "error", "critical")


def begin(process: str, version: str, planned_entities: int) -> None:
    """Counters whose labels are known begin at 0: what springs from nothing to 1 is no increase to Prometheus."""
    disable_created_metrics()  # type: ignore[no-untyped-call]
    BUILD.labels(version).set(1)
    for level in SERIOUS:
        LOGGED.labels(level)
    parts = ("ingest", "detect") if process == "streams" else (process,)
    if "detect" in parts:
        STATE_PLANNED.labels("detect").set(planned_entities)
    for part in parts:
        for metric, known in STARTS.get(part, ()):
            for labels in known:
                metric.labels(*labels)


def failed(part: str, error: BaseException) -> None:
    """Count an error; its class says the kind, which is as many as the code has."""
    ERRORS.labels(part, type(error).__name__).inc()
