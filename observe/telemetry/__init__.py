"""What our own processes tell about themselves: metrics for Prometheus, spans for OpenTelemetry."""
