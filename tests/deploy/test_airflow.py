"""The Airflow DAG runs the jobs there are; it is imported for real where Airflow is installed."""

import importlib.util
import re
from pathlib import Path

import pytest

from schedule.registry import SUMMARIES

DAG = Path(__file__).parents[2] / "deploy" / "airflow" / "conclave_nightly.py"


def test_every_task_is_a_job_there_is() -> None:
    named = set(re.findall(r'task\("(\w+)"\)', DAG.read_text()))
    assert named
    assert named <= set(SUMMARIES)


def test_airflow_accepts_it() -> None:
    pytest.importorskip("airflow", reason="Airflow is not installed")
    spec = importlib.util.spec_from_file_location("conclave_nightly", DAG)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert {task.task_id for task in module.dag.tasks} <= set(SUMMARIES)
    assert not module.dag.test_cycle() if hasattr(module.dag, "test_cycle") else True
