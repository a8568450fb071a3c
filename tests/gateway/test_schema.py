"""Requests made up from the API's own description, sound and broken ones: whatever comes, no 500.

The time is bounded, so each day begins elsewhere among the routes; CONCLAVE_TEST_SCHEMA_S=300 goes through all of them.
"""

import os
import random
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
import schemathesis
from fastapi import FastAPI
from gateway_keys import key_of
from gateway_rows import found
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.generation import GenerationMode

from store.database import Database
from store.settings import Settings, read

BUDGET_S = float(os.environ.get("CONCLAVE_TEST_SCHEMA_S", "6"))
EXAMPLES = 4
ENDLESS = "/v1/stream"


@pytest.fixture
def gateway_settings(tmp_path: Path) -> Settings:
    return read(home=tmp_path, gateway={"requests_per_minute": 1_000_000}, model={"enabled": False})


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_no_request_is_answered_by_a_fault(
    api: Callable[..., object], gateway: FastAPI, database: Database, mode: GenerationMode
) -> None:
    found(database, 2)
    headers = {"Authorization": f"Bearer {key_of(database, 'admin')}"}
    schema = schemathesis.openapi.from_asgi("/openapi.json", gateway)
    operations = [result.ok() for result in schema.get_all_operations()]
    random.Random(datetime.now(UTC).toordinal()).shuffle(operations)
    begun, faults, tried = time.monotonic(), [], 0
    for operation in operations:
        if operation.path == ENDLESS or time.monotonic() - begun > BUDGET_S:
            continue
        tried += 1

        @given(case=operation.as_strategy(generation_mode=mode))
        @settings(
            max_examples=EXAMPLES, derandomize=True, deadline=None, database=None, phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        def send(case: schemathesis.Case) -> None:
            answer = case.call(headers=headers)
            if answer.status_code >= 500 and answer.status_code != 503:
                faults.append(f"{case.method} {case.formatted_path}: {answer.status_code} {answer.text[:300]}")

        try:
            send()
        except schemathesis.errors.InvalidSchema:
            raise
        except Exception as error:
            if "Unsatisfiable" not in type(error).__name__ and "negative" not in str(error).lower():
                raise
    assert faults == []
    assert tried >= min(8, len(operations) - 1)
    print(f"{tried} of {len(operations)} operations")
