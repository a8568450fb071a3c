"""Pictures of what was measured, as SVG; runs in .venv-bench, where matplotlib is.

.venv-bench/bin/python -m bench.plots state OUTCOME.json docs/pictures/state.svg
.venv-bench/bin/python -m bench.plots throughput OUTCOME.json docs/pictures/throughput.svg
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt

Outcome = dict[str, Any]
NAMES = {
    "bytewax_2p": "Bytewax, 2 processes", "bytewax_2p_recovery": "Bytewax, 2 processes, recovery",
    "quix": "Quix Streams, memory", "pyflink": "PyFlink, Python function", "pyflink_sql": "PyFlink, SQL window",
    "plain_loop": "plain Python loop", "group_per_account": "one group per account",
}  # fmt: skip
DURABLE = ("group_per_account", "bytewax_2p_recovery")


LINES = (
    (0, "batch_s", "o-", "batch"), (0, "cpu_s", "x:", "CPU"), (1, "state_bytes_per_entity", "o-", "window state"),
    (1, "changelog_bytes_per_entity", "x:", "written a batch"),
)  # fmt: skip


def state(outcome: Outcome) -> Any:
    """Batch time, CPU and bytes against entities per core, a line for each number of shards."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
    by_shards = sorted({step["shards"] for step in outcome["steps"]})
    for number, shards in enumerate(by_shards):
        steps = [step for step in outcome["steps"] if step["shards"] == shards]
        for axes, column, style, what in LINES:
            place = right if axes else left
            values = [step[column] for step in steps]
            place.plot([step["per_core"] for step in steps], values, style, color=f"C{number}", label=f"{shards} shards: {what}")
    left.axhline(outcome["limit_s"], color="grey", linewidth=0.8)
    titled(left, f"a batch of {outcome['events_per_batch']:,} events", "seconds (median)")
    right.axhline(500, color="grey", linewidth=0.8)
    titled(right, "bytes an entity", "bytes")
    return figure


def titled(axes: Any, title: str, unit: str) -> None:
    axes.set(title=title, xlabel="entities per core", ylabel=unit, ylim=(0, None), xlim=(0, None))
    axes.xaxis.set_major_formatter(lambda value, _: f"{value / 1000:,.0f} k")
    axes.legend(fontsize="small")
    axes.grid(alpha=0.3)


def throughput(outcome: Outcome) -> Any:
    """Warm events a second of the product and each peer that ran; what keeps its state through a crash is filled."""
    rates = {name: rate for name, rate in outcome["peers"].items() if isinstance(rate, int | float)}
    bars = [("Conclave, detect job", outcome["warm_events_per_s"], True)]
    bars += [(NAMES.get(name, name), rate, name in DURABLE) for name, rate in sorted(rates.items(), key=lambda one: -one[1])]
    figure, axes = plt.subplots(figsize=(9, 0.5 * len(bars) + 1.2), layout="constrained")
    for place, (name, rate, durable) in enumerate(reversed(bars)):
        colour = "C1" if name.startswith("Conclave") else "C0"
        axes.barh(place, rate, color=colour if durable else "white", edgecolor=colour)
        axes.text(rate, place, f" {rate:,.0f}", va="center", fontsize="small")
    axes.set(yticks=range(len(bars)), yticklabels=[name for name, _, _ in reversed(bars)], xlabel="events a second, warm")
    axes.set_title("the same rolling z-score; filled: state survives a crash", fontsize="medium")
    axes.margins(x=0.12)
    return figure


DRAWN: dict[str, Callable[[Outcome], Any]] = {"state": state, "throughput": throughput}


def main() -> None:
    kind, source, target = sys.argv[1:4]
    mpl.use("svg")
    mpl.rcParams.update({"svg.hashsalt": "conclave", "svg.fonttype": "none", "font.family": "sans-serif"})
    figure = DRAWN[kind](json.loads(Path(source).read_text().strip().splitlines()[-1]))
    figure.savefig(target, metadata={"Date": None})


if __name__ == "__main__":
    main()
