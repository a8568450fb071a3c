"""Every setting of Conclave in one frozen object, read once from `conclave.toml` and `CONCLAVE_*` variables.

A section's field is set by `CONCLAVE_<SECTION>__<FIELD>` or by `[section] field = …` in the file named by
`CONCLAVE_CONFIG` (default `conclave.toml` in the working directory, if there is one). Variables win over the file.
An unknown name is refused with the nearest known one.
"""

import difflib
import os
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from store.errors import BadSettings

Positive = Annotated[int, Field(gt=0)]
Seconds = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(ge=0, le=1)]


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


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
    trigger_s: float = Field(0.5, ge=0, description="least time between batches")


class Detect(Section):
    """Windows, detectors and the stateful query."""

    shards: int = Field(
        64, ge=1, le=65_536, description="fixed at the first checkpoint; more shards, more cores can share the work"
    )
    window: int = Field(100, ge=8, le=250, description="points kept per entity")
    warm_up: int = Field(20, ge=2, description="points an entity needs before it is judged")
    recent_ids: int = Field(32, ge=0, le=128, description="event ids remembered per entity, to know duplicates")
    lateness_s: float = Field(3600, ge=0, description="an event older than its entity's newest by more than this is late")
    idle_s: Seconds = Field(30 * 86_400, description="a gap longer than this starts a fresh window")
    max_entities_per_shard: Positive = 100_000
    detectors: tuple[str, ...] = Field(
        ("amount_z", "amount_robust_z", "velocity", "error_rate", "latency", "value_z", "difference_z")
    )
    thresholds: dict[str, float] = Field({}, description="detector → score that flags, over its default")
    min_count: Positive = Field(20, description="requests before a service's error rate or latency is judged")
    min_error_rate: Share = 0.2
    service_buckets: Positive = Field(60, description="closed minutes kept per service as its baseline")
    episode_quiet_s: Seconds = Field(1800, description="an episode ends after this long without a hit")
    episode_max_s: Seconds = Field(86_400, description="an episode is cut at this length")
    max_files_per_trigger: Positive = Field(64, description="bronze files per micro-batch")
    trigger_s: float = Field(0.5, ge=0)
    database_wait_s: Seconds = Field(600, description="how long a batch waits for a database that is away before the job stops")


class Council(Section):
    """Docket, lanes and the three members."""

    triage_bar: Share = Field(0.52, description="a case below this is filed unheard; 0.5: one detector at its threshold")
    immediate_bar: Share = Field(0.85, description="from this severity a case goes to the immediate lane")
    immediate_batch: Positive = 5
    immediate_wait_ms: Positive = 150
    batch_batch: Positive = 10
    batch_wait_ms: Positive = 300
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

    metrics_days: Positive = 30
    anomalies_days: Positive = 90
    rulings_days: Positive = 365
    tool_audit_days: Positive = 30
    batches_days: Positive = 90
    quarantine_days: Positive = 90
    every_s: Seconds = Field(3600, description="how often the council's maintenance removes old rows")


class Dashboard(Section):
    """The pages."""

    host: str = "127.0.0.1"
    port: int = Field(8501, ge=1, le=65_535)
    refresh_s: Seconds = 2


class Spark(Section):
    """The Spark session."""

    master: str = Field("", description="default: local[cores], or what spark-submit says")
    driver_memory: str = "2g"
    shuffle_partitions: Positive = Field(4, description="state partitions; fixed at the first checkpoint")
    arrow_rows: Positive = Field(100_000, description="rows per Arrow batch")
    options: dict[str, str] = Field({}, description="any further Spark setting")


class Settings(BaseSettings):
    """All settings. `home` holds everything Conclave writes unless a more precise one says otherwise."""

    model_config = SettingsConfigDict(env_prefix="CONCLAVE_", env_nested_delimiter="__", extra="forbid", frozen=True)

    home: Path = Field(
        Path("var"), description="folder of everything written: Delta tables, checkpoints, embedded database, logs"
    )
    tenant: str = "main"
    database_url: SecretStr | None = Field(
        None, description="a Postgres; without it libpq's PG* variables, else the embedded one"
    )
    pool_size: Positive = 4
    seed: int = 7
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    source: Source = Source()
    ingest: Ingest = Ingest()
    detect: Detect = Detect()
    council: Council = Council()
    model: Model = Model()
    retention: Retention = Retention()
    dashboard: Dashboard = Dashboard()
    spark: Spark = Spark()

    @property
    def landing(self) -> Path:
        """Folder that the file source watches."""
        return self.source.folder or self.home / "landing"

    @property
    def bronze(self) -> str:
        return str(self.home.absolute() / "delta" / "bronze")

    @property
    def quarantine(self) -> str:
        return str(self.home.absolute() / "delta" / "quarantine")

    def checkpoint(self, job: str) -> str:
        return str(self.home.absolute() / "checkpoints" / job)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        file = Path(os.environ.get("CONCLAVE_CONFIG", "conclave.toml"))
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, file)


def known_variables() -> set[str]:
    """Every environment variable that means something."""
    names = {"CONCLAVE_CONFIG", "CONCLAVE_JARS"}
    for name, field in Settings.model_fields.items():
        names.add(f"CONCLAVE_{name.upper()}")
        if isinstance(field.annotation, type) and issubclass(field.annotation, Section):
            names |= {f"CONCLAVE_{name.upper()}__{inner.upper()}" for inner in field.annotation.model_fields}
    return names


def read(**given: Any) -> Settings:
    """Read and check the settings; `given` wins over variables and file.

    Raises BadSettings with one line per fault, naming the key.
    """
    known = known_variables()
    unknown = sorted(
        name
        for name in os.environ
        if name.startswith("CONCLAVE_") and not name.startswith("CONCLAVE_TEST_") and name not in known
    )
    if unknown:
        hints = [
            f"{name} (did you mean {near[0]}?)" if (near := difflib.get_close_matches(name, known, 1)) else name
            for name in unknown
        ]
        raise BadSettings("unknown setting: " + ", ".join(hints))
    try:
        return Settings(**given)
    except ValidationError as error:
        faults = [f"{'.'.join(str(part) for part in fault['loc'])}: {fault['msg']}" for fault in error.errors()]
        raise BadSettings("; ".join(faults)) from None


@cache
def settings() -> Settings:
    """The process's settings, read once."""
    return read()
