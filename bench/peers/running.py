"""Peers as processes: started side by side, watched to their end, and their reports made into figures."""

import json
import os
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

from bench.usage import Watch

ROOT = Path(__file__).resolve().parents[2]
COLD_BATCHES = 2
LONGEST_S = 3_600
Figures = dict[str, Any]


def programs(folder: Path, name: str, commands: list[list[str]], outs: list[Path] | None = None, **more: str) -> Figures:
    """Run a peer's processes side by side to their end and put their reports together."""
    outs, log = outs or [folder / f"{name}.out"], folder / f"{name}.log"
    began, clean = time.time(), {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    with log.open("wb") as said:
        running = [subprocess.Popen(one, cwd=ROOT, env=clean | more, stdout=said, stderr=said) for one in commands]
        with Watch([process.pid for process in running]) as watch:
            codes = [finished(process, running) for process in running]
    if any(codes):
        words = [line for line in log.read_text(errors="replace").splitlines() if line.strip() and not line.startswith("\tat ")]
        raise subprocess.SubprocessError(" … ".join(words[-3:]))
    reports = [json.loads(out.read_text()) for out in outs]
    ended = max(report["ended"] for report in reports)
    return {
        "warm_events_per_s": round(warm(reports)), "with_start_events_per_s": round(counted(reports) / (ended - began)),
        "events": counted(reports), "cpu_s_per_million": round(watch.cpu_s() / counted(reports) * 1e6, 2),
        "peak_rss_mb": round(sum(watch.peak_rss().values()) / 1e6), "processes": len(commands),
        "flagged": [row for report in reports for row in report["flagged"]],
    } | ({"note": reports[0]["note"]} if reports[0]["note"] else {})  # fmt: skip


def finished(process: subprocess.Popen[bytes], all_of_them: list[subprocess.Popen[bytes]]) -> int:
    """The exit code; when one fails the others would wait for it for ever."""
    try:
        code = process.wait(LONGEST_S)
    except subprocess.TimeoutExpired:
        code = 1
    if code != 0:
        for other in all_of_them:
            other.kill()
            other.wait()
    return code


def counted(reports: list[Figures]) -> int:
    return sum(sum(report["events"].values()) for report in reports)


def warm(reports: list[Figures]) -> float:
    """Events a second without the start: since the first read, or since the third batch was read; the better of the two."""
    ended = max(report["ended"] for report in reports)
    whole: float = counted(reports) / (ended - min(min(report["began"].values()) for report in reports))
    later: list[float] = (
        [] if any(len(one["began"]) <= COLD_BATCHES for one in reports) else [later_rate(one, ended) for one in reports]
    )
    return max(whole, sum(later)) if later else whole


def later_rate(report: Figures, ended: float) -> float:
    """One process's share of the rate after its cold batches."""
    events = sum(count for batch, count in report["events"].items() if int(batch) >= COLD_BATCHES)
    return float(events / (ended - report["began"][str(COLD_BATCHES)]))


def free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [int(one.getsockname()[1]) for one in sockets]
    for one in sockets:
        one.close()
    return ports
