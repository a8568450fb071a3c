"""The cases of the seeded day, as plain values; hostile text included."""

from datetime import UTC, datetime
from typing import Any

NOON = datetime(2026, 3, 4, 14, 0, tzinfo=UTC)  # the newest event; weeks before the clock, as in a replay
HOSTILE = '<script>alert(1)</script> **bold** $x^2$ [click](javascript:alert(1)) <img src=x onerror="alert(2)"> `code`'
SECTIONS = (
    (
        "runbook#payments-card-testing",
        ["Payments", "Card testing"],
        "Many small amounts at one terminal: somebody tries stolen cards.",
    ),
    (
        "runbook#payments-card-testing-checks",
        ["Payments", "Card testing", "Checks"],
        "1. Compare the amounts: testing stays under $5 and $10.\n2. Count distinct cards.\n\n**Do not act** on a single card.",
    ),
    ("runbook#payments-takeover", ["Payments", "Account takeover"], "A new device, then an amount far over the usual."),
    (
        "runbook#services-pool",
        ["Services", "Connection pool exhaustion"],
        "Latency rises first, errors follow.\n\n- Look at waiting connections.\n- Compare with the last deploy.",
    ),
)


def case(
    entity: str, ordinal: int, detector: str, unit: str, numbers: tuple[float, float, float, float], **more: Any
) -> dict[str, Any]:
    value, expected, low, high = numbers
    return {
        "entity": entity,
        "id": f"ep{ordinal:02d}",
        "detector": detector,
        "unit": unit,
        "value": value,
        "expected": expected,
        "low": low,
        "high": high,
        "hits": 1,
        "severity": 0.9,
        "outcome": None,
        "action": "none",
        "message": "",
        "before_min": 90,
        "context": {},
        "council": "rules",
        **more,
    }


def cases() -> list[dict[str, Any]]:
    account = {
        "n": 100,
        "mean": 41.2,
        "std": 12.9,
        "median": 39.0,
        "mad": 8.1,
        "recent": [38.2, 44.0, 21.5, 60.4],
        "rate_per_h": 0.4,
    }
    service = {"n": 37, "errors": 19, "baseline_n": 2400, "baseline_error_rate": 0.004, "baseline_p95_ms": 180, "p95_ms": 2100}
    return [
        case(
            "counterparty:T137/EUR",
            1,
            "velocity",
            "events",
            (44, 3, 0, 9),
            hits=41,
            severity=0.99,
            outcome="confirmed",
            action="hold_terminal",
            context={**account, "burst": 44, "span_s": 376},
            before_min=185,
            message="POS 4.1 batch",
            cause="44 events in 6 min at terminal T137 where 3 are usual; 41 different cards, amounts between 1.00 and 4.90 EUR. "
            "This is the pattern of card testing.",
            section="runbook#payments-card-testing-checks",
        ),
        case(
            "account:A13/EUR",
            2,
            "amount_z",
            "amount",
            (1240.0, 41.2, 8.0, 84.0),
            severity=0.97,
            outcome="confirmed",
            action="block_account",
            context=account,
            before_min=130,
            message=HOSTILE,
            council="model",
            cause="One payment of 1,240.00 EUR where this account pays 41.20 EUR, soon after its card was tried at T137.",
            section="runbook#payments-takeover",
        ),
        case(
            "service:payments",
            3,
            "error_rate",
            "error rate",
            (0.514, 0.004, 0, 0.03),
            hits=10,
            severity=0.96,
            outcome="confirmed",
            action="open_incident",
            context=service,
            before_min=131,
            cause="51.4% of requests fail where 0.4% are usual, and p95 rose from 180 ms to 2,100 ms. checkout suffers with it.",
            section="runbook#services-pool",
        ),
        case(
            "service:checkout",
            4,
            "latency",
            "ms",
            (2100, 180, 90, 400),
            hits=9,
            severity=0.9,
            outcome="unresolved",
            context=service,
            before_min=132,
            cause="p95 of 2,100 ms where 180 ms are usual, while payments below it fails: a consequence, or a cause of its own.",
            section="runbook#services-pool",
        ),
        case(
            "account:<b>x</b>/EUR",
            5,
            "amount_robust_z",
            "amount",
            (310.0, 52.0, 5.0, 120.0),
            severity=0.71,
            outcome="dismissed",
            context=account,
            before_min=300,
            message=HOSTILE,
            cause="310.00 EUR is over this account's usual 52.00 EUR. " + HOSTILE,
            section="runbook#payments-takeover",
        ),
        case(
            "series:catalog/cpu",
            6,
            "value_z",
            "value",
            (79.3, 42.0, 33.1, 51.0),
            hits=3,
            severity=0.88,
            before_min=740,
            context={"n": 100, "mean": 42.0, "std": 3.1},
        ),
        case(
            "account:A21/EUR", 7, "amount_z", "amount", (140.0, 44.0, 10.0, 118.0), severity=0.52, before_min=60, context=account
        ),
    ]
