"""Settings of gateway/."""

from pathlib import Path

from pydantic import Field, SecretStr

from store.sections.base import Port, Positive, Seconds, Section


class Gateway(Section):
    """The HTTP interface: `conclave gateway`."""

    host: str = Field("127.0.0.1", description="0.0.0.0 lets other machines in; give it TLS then")
    port: Port = 8600
    workers: Positive = Field(1, description="processes; each keeps its share of the rate limits")
    tls_certificate: Path | None = Field(None, description="PEM file with the certificate chain; with tls_key it serves HTTPS")
    tls_key: Path | None = Field(None, description="PEM file with the private key")
    tls_key_password: SecretStr | None = None
    trusted_proxies: str = Field("", description="addresses of proxies whose X-Forwarded-For is believed, with commas")
    cors_origins: tuple[str, ...] = Field((), description="web origins whose pages may call it; none by default")
    requests_per_minute: Positive = Field(600, description="of one key")
    failures_per_minute: Positive = Field(30, description="failed sign-ins of one address before it has to wait")
    max_body_bytes: Positive = Field(2_000_000, description="of a request, decompressed")
    max_upload_bytes: Positive = Field(33_554_432, description="of a batch of events, traces or a document, decompressed")
    max_events: Positive = Field(5_000, description="events in one request")
    max_lag_s: Seconds = Field(900, description="events are refused (429) while a file has waited longer for ingest")
    max_lag_events: Positive = Field(5_000_000, description="the same for Kafka, in events that ingest has not taken")
    known_ids_s: Seconds = Field(3_600, description="how long the ids of events are known, to answer `duplicate`")
    answers_s: Seconds = Field(86_400, description="how long an Idempotency-Key is known")
    changes_s: Seconds = Field(7 * 86_400, description="how far back /v1/stream can resume")
    kafka_patience_s: Seconds = Field(15, description="how long a request waits for the broker to take its events")
    open_metrics: bool = Field(False, description="/metrics without a key, for a scraper that has none")
    open_docs: bool = Field(True, description="/docs and /openapi.json without a key; they hold no data")
    oidc_issuer: str | None = Field(None, description="address of an OpenID provider whose access tokens are taken")
    oidc_audience: str | None = Field(None, description="what a token's `aud` must hold; needed with oidc_issuer")
    oidc_role_claim: str = Field("roles", description="claim with the role, or a list of them; dots go inwards")
    oidc_roles: dict[str, str] = Field({}, description="a claim's value → viewer, analyst or admin, where they differ")
    oidc_tenant_claim: str = Field("tenant", description="claim with the tenant; a token without it is refused")
    graphql_depth: Positive = Field(8, description="levels of a GraphQL query")
    graphql_aliases: Positive = Field(15, description="aliases in a GraphQL query")
    graphql_cost: Positive = Field(5_000, description="rows times fields that a GraphQL query may ask for")
