"""What the gateway counts about itself, in Prometheus' words; a collector of its own for each application."""

from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"})
SECONDS = (0.005, 0.02, 0.1, 0.5, 2, 10)


class Metrics:
    """Counters of one process. With several workers each scrape meets one of them."""

    def __init__(self) -> None:
        self.collected = CollectorRegistry()
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
        return generate_latest(self.collected)
