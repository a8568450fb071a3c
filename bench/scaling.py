"""The tables of docs/scaling.md, computed from the measured figures in bench/scaling.toml.

    .venv/bin/python -m bench.scaling [--write | --check | --json]

Without an option it prints them. A test compares the page with what comes out, so that neither can go stale alone.
"""

import argparse
import json
import math
import sys
import tomllib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
FIGURES, PAGE = ROOT / "bench" / "scaling.toml", ROOT / "docs" / "scaling.md"
FACTORS = (1, 10, 100, 1_000)
BUSY = 0.5  # share of a core or worker that the load may take: the rest is for catching up and for peaks
EXECUTOR_CORES = 4
SHARDS_PER_CORE = 8
ROW_BYTES = 11 * 8  # a metric row on its way to the driver: eleven numbers
DRIVER_BYTES = 1_000_000_000  # of one batch's findings that a driver of 4 GB can hold
MARK = "<!-- computed by bench/scaling.py: {} -->"
END = "<!-- end -->"


@dataclass(frozen=True)
class Load:
    """1 times. Every event is a transaction: a point of its account and one of its counterparty."""

    events_per_s: float
    accounts: float
    counterparties: float
    case_every_events: float
    batch_s: float

    def times(self, factor: float) -> "Load":
        more = {"events_per_s": self.events_per_s * factor, "accounts": self.accounts * factor,
                "counterparties": self.counterparties * factor}  # fmt: skip
        return Load(**(asdict(self) | more))

    @property
    def entities(self) -> float:
        return self.accounts + self.counterparties

    def rows_per_s(self, every_s: float | None = None) -> float:
        """Metric rows a second when each entity that was active has one row every so many seconds (default: a batch).

        Activity is taken as even over entities, which is the worst case: where few are busy, more events share a row.
        """
        every = self.batch_s if every_s is None else every_s
        return sum(kind * -math.expm1(-self.events_per_s * every / kind) for kind in (self.accounts, self.counterparties)) / every


@dataclass(frozen=True)
class Need:
    """What a load takes."""

    events_per_s: float
    entities: float
    ingest_cores: int
    detect_cores: int
    executors: int
    shards: int
    state_bytes: float
    driver_bytes: float
    rows_per_s: float
    writers: float
    wal_bytes_per_s: float
    day_bytes: float
    cases_per_s: float
    workers: int
    tokens_per_s: float


def need(load: Load, figures: dict[str, float]) -> Need:
    cores = max(
        math.ceil(load.events_per_s / (figures["fold_per_core_s"] * BUSY)),
        math.ceil(load.entities / figures["entities_per_core"]),
    )
    rows, cases = load.rows_per_s(), load.events_per_s / load.case_every_events
    return Need(
        events_per_s=load.events_per_s, entities=load.entities,
        ingest_cores=math.ceil(load.events_per_s / (figures["ingest_per_core_s"] * BUSY)),
        detect_cores=cores, executors=math.ceil(cores / EXECUTOR_CORES), shards=shards(cores),
        state_bytes=load.entities * figures["state_bytes_per_entity"], driver_bytes=rows * load.batch_s * ROW_BYTES,
        rows_per_s=rows, writers=rows / figures["rows_per_s"], wal_bytes_per_s=rows * figures["wal_bytes_per_row"],
        day_bytes=load.rows_per_s(3_600) * 86_400 * figures["table_bytes_per_row"],
        cases_per_s=cases, workers=math.ceil(cases / (figures["cases_per_worker_s"] * BUSY)),
        tokens_per_s=cases * figures["tokens_per_case"],
    )  # fmt: skip


def shards(cores: int) -> int:
    """A power of two with several shards a core, so that cores can be added later.

    >>> [shards(1), shards(20), shards(700)]
    [64, 256, 8192]
    """
    return max(64, 1 << math.ceil(math.log2(cores * SHARDS_PER_CORE)))


def breaks(load: Load, figures: dict[str, float]) -> list[tuple[str, float]]:
    """(what, at how many times the load it is used up), the first first."""
    one = need(load, figures)
    found = [
        ("one Postgres writes every batch's rows", figures["rows_per_s"] / one.rows_per_s),
        ("the driver holds a batch's metric rows", DRIVER_BYTES / one.driver_bytes),
        ("one Postgres writes, rows gathered in the shards for a minute", figures["rows_per_s"] / load.rows_per_s(60)),
        ("twenty council workers by rules", 20 * figures["cases_per_worker_s"] * BUSY / one.cases_per_s),
        ("65,536 shards at eight a core", 65_536 / SHARDS_PER_CORE / (one.entities / figures["entities_per_core"])),
    ]
    return sorted(found, key=lambda pair: pair[1])


def short(number: float) -> str:
    """
    >>> [short(n) for n in (0.04, 0.26, 7, 999, 12_345, 5_000_000)]
    ['0.04', '0.3', '7', '999', '12 k', '5 M']
    """
    for size, unit in ((1e12, " T"), (1e9, " G"), (1e6, " M"), (1e4, " k")):
        if number >= size:
            scaled = number / min(size, 1e3 if unit == " k" else size)
            return f"{scaled:,.0f}{unit}" if scaled >= 10 or scaled == round(scaled) else f"{scaled:.1f}{unit}"
    return f"{number:,.0f}" if number >= 1 or number == 0 else f"{number:.1f}" if number >= 0.1 else f"{number:.2g}"


ROWS: tuple[tuple[str, str, str], ...] = (
    ("events a second", "events_per_s", ""), ("entities (accounts and counterparties)", "entities", ""),
    ("cores of ingest, at least as many Kafka partitions", "ingest_cores", ""), ("cores of detect", "detect_cores", ""),
    (f"executors of {EXECUTOR_CORES} cores", "executors", ""), ("shards", "shards", ""), ("state", "state_bytes", "B"),
    ("of each batch through the driver", "driver_bytes", "B"), ("metric rows a second into Postgres", "rows_per_s", ""),
    ("the same in single writers", "writers", ""), ("Postgres' log a second", "wal_bytes_per_s", "B"),
    ("hourly metrics a day", "day_bytes", "B"), ("cases a second", "cases_per_s", ""),
    ("council workers by rules", "workers", ""),
    ("tokens a second when a model rules every case", "tokens_per_s", ""),
)  # fmt: skip


def tables(load: Load, figures: dict[str, dict[str, Any]]) -> dict[str, str]:
    """Name of each computed part of the page → its Markdown."""
    values = {name: float(one["value"]) for name, one in figures.items()}
    needs = [asdict(need(load.times(factor), values)) for factor in FACTORS]
    heads = [f"{factor:,} ×" for factor in FACTORS]
    takes = [["", *heads], ["---", *["---:"] * len(heads)]]
    takes += [[text, *(short(one[field]) + unit for one in needs)] for text, field, unit in ROWS]
    measured = [["figure", "value", "told by"], ["---", "---:", "---"]]
    measured += [[one["what"], f"{one['value']:,}", one["by"]] for one in figures.values()]
    first = [["used up", "at"], ["---", "---:"], *([text, f"{short(factor)} ×"] for text, factor in breaks(load, values))]
    return {"figures": lines(measured), "needs": lines(takes), "breaks": lines(first)}


def lines(rows: list[list[str]]) -> str:
    return "\n".join(f"| {' | '.join(cells)} |" for cells in rows)


def filled(page: str, parts: dict[str, str]) -> str:
    """The page with its computed parts replaced. Raises ValueError for one whose mark is not there."""
    for name, text in parts.items():
        mark = MARK.format(name)
        before, found, rest = page.partition(mark)
        if not found:
            raise ValueError(f"docs/scaling.md lacks {mark}")
        page = f"{before}{mark}\n{text}\n{END}{rest.partition(END)[2]}"
    return page


def read() -> tuple[Load, dict[str, dict[str, Any]]]:
    held = tomllib.loads(FIGURES.read_text(encoding="utf-8"))
    return Load(**held["load"]), held["figures"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="put the tables into docs/scaling.md")
    parser.add_argument("--check", action="store_true", help="exit code 1 when the page is not what comes out")
    parser.add_argument("--json", action="store_true", help="the needs as one JSON object")
    args = parser.parse_args()
    load, figures = read()
    if args.json:
        values = {name: float(one["value"]) for name, one in figures.items()}
        print(json.dumps({factor: asdict(need(load.times(factor), values)) for factor in FACTORS}))
        return
    held = PAGE.read_text(encoding="utf-8")
    made = filled(held, tables(load, figures))
    if args.write:
        PAGE.write_text(made, encoding="utf-8")
    elif args.check:
        sys.exit("docs/scaling.md is not what bench/scaling.py makes: run it with --write" if made != held else 0)
    else:
        print("\n\n".join(tables(load, figures).values()))


if __name__ == "__main__":
    main()
