"""Settings of observe/telemetry: what our own processes tell about themselves."""

from pydantic import Field, SecretStr

from store.sections.base import Positive, Seconds, Section, Share


class Telemetry(Section):
    """Metrics for Prometheus and traces for OpenTelemetry, of our own processes."""

    metrics_port: int = Field(
        9464, ge=0, le=65_535, description="first port of /metrics; a process takes the next free one of 32; 0: no /metrics"
    )
    metrics_host: str = Field("127.0.0.1", description="0.0.0.0 lets a scraper on another machine in; the numbers need no key")
    fresh_s: Seconds = Field(5, description="how old the numbers that `operate` reads from the database may be")
    audit_every_s: Seconds = Field(3600, description="how often `operate` follows the audit log from its first entry")
    planned_entities: Positive = Field(
        300_000, description="entities that the cores of detect are planned for (150,000 a core); above it an alert fires"
    )
    otlp_endpoint: str | None = Field(
        None, description="base address of an OTLP/HTTP receiver; default: OTEL_EXPORTER_OTLP_ENDPOINT, else no traces"
    )
    otlp_headers: dict[str, SecretStr] = Field({}, description="headers of each request to it, as Authorization")
    otlp_timeout_s: Seconds = Field(5, description="of one request; spans that cannot be sent are dropped and counted")
    trace_share: Share = Field(1.0, description="share of batches whose way is traced")
