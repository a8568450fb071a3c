"""The nightly jobs as an Airflow DAG, for installations whose schedules live there.

Set CONCLAVE_SCHEDULE__INSTALL_DEFAULTS=false then, and put this file into Airflow's DAG folder. `conclave` must be on the
workers' PATH, its settings in their environment. Each task is a command that may be repeated.
"""

from datetime import datetime, timedelta

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG

RETRY = {"retries": 2, "retry_delay": timedelta(minutes=5), "execution_timeout": timedelta(hours=1)}


def task(job: str) -> BashOperator:
    return BashOperator(task_id=job, bash_command=f"conclave nightly {job}", append_env=True)


with DAG(
    dag_id="conclave_nightly",
    schedule="10 2 * * *",
    start_date=datetime(2026, 1, 1),
    catchup=False,
    max_active_runs=1,
    default_args=RETRY,
    tags=["conclave"],
) as dag:
    task("retention") >> task("reindex") >> task("proposals")
    task("compact") >> task("quality") >> [task("retrain"), task("digest")]
