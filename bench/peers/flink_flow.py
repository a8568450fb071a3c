"""PyFlink, both ways that its users have, two slots, state on the heap, no checkpoints: everything in memory.

`python`: a KeyedProcessFunction with the account's window as value state. `sql`: the same rule as an OVER window, which never
leaves the JVM. Flink's wheel has no Parquet format, so the columns lie beside the files as CSV, written before the clock
starts; gzip keeps each half of the accounts one split, and with it in order.
"""

import csv
import gzip
import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pyflink.common import Configuration, Types
from pyflink.datastream import KeyedProcessFunction, RuntimeContext, StreamExecutionEnvironment
from pyflink.datastream.state import ValueStateDescriptor
from pyflink.table import StreamTableEnvironment

from bench.peers.rule import FLOOR, THRESHOLD, WARM_UP, WINDOW, Window
from bench.peers.task import Report, Task, chunks

CHUNK, HEAD = 50_000, 2_000
SETTINGS = {
    "parallelism.default": "2",
    "python.fn-execution.bundle.size": "50000",
    "python.state.cache-size": "100000",  # its default of 1,000 keys would go to the JVM for nearly every account
    "taskmanager.memory.managed.size": "512m",
}
TABLE = """create temporary table part_{number} (row_id bigint, account string, code bigint, seen as proctime())
  with ('connector' = 'filesystem', 'path' = '{path}', 'format' = 'csv')"""
UNITED = "select row_id, account, code{seen} from part_0 union all select row_id, account, code{seen} from part_1"
FREEDOM = "cast(n - 1 as double)"
STUDENT = f"(exp(power({THRESHOLD} * (8 * {FREEDOM} + 3) / (8 * {FREEDOM} + 1), 2) / {FREEDOM}) - 1) * {FREEDOM}"
OVER = f"""select row_id from (
  select row_id, code, n, code_sum - code as total, square_sum - code * code as squares from (
    select row_id, code, count(*) over w - 1 as n, sum(code) over w as code_sum, sum(code * code) over w as square_sum
    from events window w as (partition by account order by seen rows between {WINDOW} preceding and current row)))
where n >= {WARM_UP} and power(cast(n * code - total as double), 2) >=
  {STUDENT} * (1 + 1.0e0 / n) * (cast(n * squares - total * total as double) * n / (n - 1) + {FLOOR * FLOOR}e0 * n * n)"""  # noqa: S608


class Account(KeyedProcessFunction):
    """One account's window, kept as bytes."""

    def __init__(self, begun: str) -> None:
        self.begun = begun

    def open(self, runtime_context: RuntimeContext) -> None:
        self.state = runtime_context.get_state(ValueStateDescriptor("window", Types.PICKLED_BYTE_ARRAY()))
        Path(f"{self.begun}.{os.getpid()}.{id(self)}").write_text(str(time.time()))

    def process_element(self, value: Any, ctx: Any) -> Iterator[int]:
        held = self.state.value()
        window = Window() if held is None else Window.restored(held)
        if window.flags(value[2]):
            yield value[0]
        self.state.update(window.snapshot())


def prepare(task: Task) -> None:
    """The columns of each part as CSV, and a few of them to warm up with."""
    for number, files in enumerate(task.parts):
        for size, name in ((HEAD, f"head-{number}"), (None, f"part-{number}")):
            with gzip.open(csv_of(task, name), "wt", compresslevel=1, newline="") as out:
                for columns in chunks(files[:1] if size else files, size or CHUNK, Report()):
                    csv.writer(out).writerows(zip(*columns, strict=True))
                    if size:
                        break


def csv_of(task: Task, name: str) -> Path:
    return Path(f"{task.out}.{name}.csv.gz")


def tables(task: Task, which: str = "part") -> StreamTableEnvironment:
    settings = Configuration()
    for name, value in SETTINGS.items() | {("python.execution-mode", task.options.get("mode", "process"))}:
        settings.set_string(name, value)
    settings.set_string("python.executable", sys.executable)
    settings.set_string("python.client.executable", sys.executable)
    tables = StreamTableEnvironment.create(StreamExecutionEnvironment.get_execution_environment(settings))
    for number in range(len(task.parts)):
        tables.execute_sql(TABLE.format(number=number, path=csv_of(task, f"{which}-{number}")))
    return tables


def by_sql(task: Task, report: Report) -> None:
    flagged_by_sql(tables(task, "head"))  # classes are loaded and compiled before the clock starts
    environment = tables(task)
    report.began[0] = time.time()
    report.flagged += flagged_by_sql(environment)


def flagged_by_sql(environment: StreamTableEnvironment) -> list[int]:
    environment.create_temporary_view("events", environment.sql_query(UNITED.format(seen=", seen")))
    with environment.execute_sql(OVER).collect() as rows:
        return [row[0] for row in rows]


def by_python(task: Task, report: Report) -> None:
    environment = tables(task)
    events = environment.to_data_stream(environment.sql_query(UNITED.format(seen="")))
    flagged = events.key_by(lambda row: row[1], Types.STRING()).process(Account(f"{task.out}.begun"), Types.LONG())
    with flagged.execute_and_collect() as rows:
        report.flagged += list(rows)
    opened = sorted(float(file.read_text()) for file in Path(task.out).parent.glob(f"{Path(task.out).name}.begun.*"))
    report.began[0] = opened[0]


def main() -> None:
    task, report = Task.given(), Report()
    report.events[0] = int(task.options["events"])
    {"sql": by_sql, "python": by_python}[task.options["way"]](task, report)
    report.note = json.dumps({name: task.options[name] for name in ("way", "mode") if name in task.options})
    report.done(task.out)


if __name__ == "__main__":
    if sys.argv[1] == "--prepare":
        sys.argv.pop(1)
        prepare(Task.given())
    else:
        main()
