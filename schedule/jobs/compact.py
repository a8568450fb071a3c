"""Small files of the Delta tables become large ones, in a Spark process of its own: time travel and the streams see no change."""

import subprocess
import sys

from schedule.errors import JobFailed
from schedule.registry import Context, Result
from store.settings import Settings


def mark(context: Context) -> str:
    return ""


def run(context: Context) -> Result:
    said = _spark(context.settings)
    return {"text": said.strip() or "There are no Delta tables yet."}


def _spark(settings: Settings) -> str:
    command = [sys.executable, "-m", "cli.app", "compact"]
    try:
        ended = subprocess.run(command, capture_output=True, text=True, timeout=settings.schedule.report_timeout_s, check=False)
    except subprocess.TimeoutExpired:
        raise JobFailed(f"(it took longer than {settings.schedule.report_timeout_s:.0f} s: schedule.report_timeout_s)") from None
    if ended.returncode != 0:
        raise JobFailed(f"(compact ended with {ended.returncode}: {ended.stderr.strip()[-500:]})")
    return ended.stdout
