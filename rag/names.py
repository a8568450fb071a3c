"""What a person calls things; the same words in a ruling and on a page."""

DETECTORS = {
    "amount_z": "Unusual amount",
    "amount_robust_z": "Amount far from the usual",
    "velocity": "Burst of activity",
    "error_rate": "Errors",
    "latency": "Slow answers",
    "value_z": "Unusual value",
    "difference_z": "Sudden jump",
}
