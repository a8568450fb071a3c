"""Settings of the main job: source, ingest, detect, council, model, retention, dashboard, Spark."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from store.sections.base import Days, Port, Positive, Seconds, Section, Share, Wait

DetectorName = Literal["amount_z", "amount_robust_z", "velocity", "error_rate", "latency", "value_z", "difference_z"]
Threshold = Annotated[float, Field(gt=0, le=1e9)]


class Source(Section):
    """Where events come from, and how fast they are taken."""

    kind: Literal["files", "kafka"] = Field("files", description="a folder of files, or Kafka topics")
    folder: Path | None = Field(None, description="the folder of files; default: HOME/landing")
    csv_columns: dict[str, str] = Field({}, description="CSV header → event field; unnamed columns keep their name")
    max_files_per_trigger: Positive = 32
    kafka_servers: str = Field("127.0.0.1:9092", description="bootstrap servers")
    kafka_topics: str = Field("events", description="comma-separated topics")
    kafka_options: dict[str, str] = Field(
        {}, description="passed to the Kafka source with `kafka.` before each name: SASL, SSL …"
    )
    max_offsets_per_trigger: Positive = 500_000
    starting_offsets: Literal["earliest", "latest"] = "earliest"


class Ingest(Section):
    """What a record may be."""

    max_record_bytes: Positive = 65_536
    max_future_s: Seconds = Field(3_600, description="an event further ahead of the clock is quarantined")
    trigger_s: Wait = Field(0.5, description="least time between batches")


class Detect(Section):
    """Windows, detectors and the stateful query."""

    shards: int = Field(
        64, ge=1, le=65_536, description="fixed at the first checkpoint; more shards, more cores can share the work"
    )
    window: int = Field(100, ge=8, le=250, description="points kept per entity; when it changes, windows are resized")
    warm_up: int = Field(20, ge=2, le=250, description="points an entity needs before it is judged")
    recent_ids: int = Field(32, ge=0, le=128, description="event ids remembered per entity, to know duplicates")
    lateness_s: Wait = Field(3600, description="an event older than its entity's newest by more than this is late")
    idle_s: Seconds = Field(30 * 86_400, description="a gap longer than this starts a fresh window")
    max_entities_per_shard: Positive = 100_000
    detectors: tuple[DetectorName, ...] = Field(
        ("amount_z", "amount_robust_z", "velocity", "error_rate", "latency", "value_z", "difference_z"), min_length=1
    )
    thresholds: dict[DetectorName, Threshold] = Field({}, description="detector → score that flags, over its default")
    min_count: Positive = Field(20, description="requests before a service's error rate or latency is judged")
    min_error_rate: Share = 0.2
    service_buckets: int = Field(60, ge=1, le=10_000, description="closed minutes kept per service as its baseline")
    episode_quiet_s: Seconds = Field(1800, description="an episode ends after this long without a hit")
    episode_max_s: Seconds = Field(86_400, description="an episode is cut at this length")
    max_files_per_trigger: Positive = Field(64, description="bronze files per micro-batch")
    trigger_s: Wait = Field(0.5, description="least time between batches")
    database_wait_s: Seconds = Field(600, description="how long a batch waits for a database that is away before the job stops")


class Council(Section):
    """Docket, lanes and the three members."""

    triage_bar: Share = Field(0.52, description="a case below this is filed unheard; 0.5: one detector at its threshold")
    immediate_bar: Share = Field(0.85, description="from this severity a case goes to the immediate lane")
    immediate_batch: Positive = 5
    immediate_wait_ms: Positive = 150
    batch_batch: Positive = 10
    batch_wait_ms: Positive = 300
    max_depth: Positive = Field(
        5_000, description="cases that may wait in the batch lane; what is over, by expected loss, is filed and heard later"
    )
    max_immediate: Positive = Field(
        500, description="cases that may wait in the immediate lane; what is over waits in the batch lane"
    )
    lease_s: Seconds = 120
    max_attempts: Positive = 5
    backoff_s: Seconds = Field(2, description="first wait after a failed hearing; doubles, with jitter")
    brief_tokens: Positive = Field(1800, description="budget of a brief")
    sections_per_brief: Positive = 4
    rehear_after_s: Seconds = Field(30, description="how often cases ruled by rules are heard again once a model is back")


class Model(Section):
    """The language model behind the members; none is needed."""

    enabled: bool = Field(True, description="off: the rules council always rules")
    base_url: str = "http://127.0.0.1:11434"
    name: str = "llama3.1:8b"
    temperature: float = Field(0.0, ge=0, le=2)
    timeout_s: Seconds = Field(120, description="of one call, which may be about ten cases")
    max_tokens: Positive = Field(
        2400, description="most tokens of one answer; about 220 a case, so fewer cases a call when lower"
    )
    context_tokens: Positive = Field(
        16_384, description="prompt and answer together; a batch that does not fit is cut into calls"
    )
    calls_per_minute: Positive = 60
    breaker_failures: Positive = Field(3, description="failures in a row that open the circuit")
    breaker_open_s: Seconds = 30


class Retention(Section):
    """Days each table keeps its rows, counted from arrival."""

    metrics_days: Days = 30
    anomalies_days: Days = 90
    rulings_days: Days = 365
    tool_audit_days: Days = 30
    batches_days: Days = 90
    quarantine_days: Days = 90
    every_s: Seconds = Field(3600, description="how often the council's maintenance removes old rows")


class Dashboard(Section):
    """The pages."""

    host: str = "127.0.0.1"
    port: Port = 8501
    refresh_s: Seconds = 2
    sign_in: Literal["required", "off"] = Field(
        "required", description="off: whoever reaches the page is a local admin; only works while served on loopback"
    )
    session_hours: Positive = Field(12, description="a browser that was silent for this long signs in again")


class Spark(Section):
    """The Spark session."""

    master: str = Field("", description="default: local[cores], or what spark-submit says")
    driver_memory: str = Field("2g", pattern=r"^\d+[kmgtKMGT]$", description="as 2g or 1500m")
    shuffle_partitions: Positive = Field(4, description="state partitions; fixed at the first checkpoint")
    arrow_rows: Positive = Field(100_000, description="rows per Arrow batch")
    options: dict[str, str] = Field({}, description="any further Spark setting")
