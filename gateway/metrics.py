"""What the gateway counts about itself, in Prometheus' words; a collector of its own for each application."""

from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from observe.telemetry import catalogue

METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"})
SECONDS = (0.005, 0.02, 0.1, 0.5, 2, 10)


class Metrics:
    """Counters of one application. With several workers each scrape of the gateway's /metrics meets one of them."""

    def __init__(self) -> None:
        self.collected, self._shared = CollectorRegistry(), False
        own: dict[str, Any] = {"registry": self.collected}
        labels = ["method", "route", "status"]
        self._requests = Counter("conclave_gateway_requests_total", "Requests answered.", labels, **own)
        self._seconds = Histogram(
            "conclave_gateway_request_seconds", "From a request to its answer.", ["route"], buckets=SECONDS, **own
        )
        self._events = Counter("conclave_gateway_events_total", "Events by outcome.", ["outcome"], **own)
        self._ready = Gauge("conclave_gateway_ready", "1 when a dependency was well at the last look.", ["name"], **own)
        self._streams = Gauge("conclave_gateway_streams", "Open event streams.", **own)

    def answered(self, method: str, route: str, status: int, took_s: float) -> None:
        self._requests.labels(method if method in METHODS else "other", route, str(status)).inc()
        self._seconds.labels(route).observe(took_s)

    def events(self, outcome: str, count: int) -> None:
        self._events.labels(outcome).inc(count)

    def ready(self, name: str, well: bool) -> None:
        self._ready.labels(name).set(1 if well else 0)

    def stream_opened(self) -> None:
        self._streams.inc()

    def stream_closed(self) -> None:
        self._streams.dec()

    def text(self) -> bytes:
        """These, and what any process of ours counts (observe.telemetry)."""
        return (b"" if self._shared else generate_latest(self.collected)) + generate_latest(catalogue.REGISTRY)

    def share(self) -> None:
        """Let the process's own /metrics show these, too: with several workers that is where each one is met for certain."""
        catalogue.REGISTRY.register(self.collected)
        self._shared = True
