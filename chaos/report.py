"""What a run of faults came to, as text and as one object."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from chaos.campaign import Outcome
from chaos.oracle import Difference

SHOWN_ROWS, SHOWN_LETTERS = 5, 400


def recovery(outcomes: Sequence[Outcome]) -> dict[str, dict[str, Any]]:
    """Per kind of fault: how often it struck, seconds to the next commit and until all was done (median and longest)."""
    by_kind: dict[str, list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        by_kind[outcome.kind].append(outcome)
    return {kind: _row(found) for kind, found in sorted(by_kind.items())}


def _row(found: Sequence[Outcome]) -> dict[str, Any]:
    commits = [one.next_commit_s for one in found if one.next_commit_s is not None]
    drained = [one.drained_s for one in found]
    return {
        "faults": len(found), "restarts": sum(one.restarts for one in found),
        "next_commit_p50_s": round(median(commits), 2) if commits else None,
        "next_commit_max_s": round(max(commits), 2) if commits else None,
        "drained_p50_s": round(median(drained), 2), "drained_max_s": round(max(drained), 2),
    }  # fmt: skip


def table(found: Mapping[str, Mapping[str, Any]]) -> str:
    """The recovery times as text."""
    lines = [f"{'fault':<28}{'faults':>7}{'next commit s':>20}{'all done s':>20}{'restarts':>10}"]
    for kind, row in found.items():
        lines.append(
            f"{kind:<28}{row['faults']:>7}{_pair(row['next_commit_p50_s'], row['next_commit_max_s']):>20}"
            f"{_pair(row['drained_p50_s'], row['drained_max_s']):>20}{row['restarts']:>10}"
        )
    return "\n".join([*lines, "(median, longest)"])


def _pair(middle: float | None, longest: float | None) -> str:
    return "-" if middle is None or longest is None else f"{middle:.1f}, {longest:.1f}"


def said(difference: Difference) -> str:
    """The first differing rows of a table."""
    lines = [f"{difference.table}: {len(difference.only_after_faults)} rows only after the faults, "
             f"{len(difference.only_undisturbed)} only undisturbed"]  # fmt: skip
    lines += [f"  after faults  {row[:SHOWN_LETTERS]}" for row in difference.only_after_faults[:SHOWN_ROWS]]
    lines += [f"  undisturbed   {row[:SHOWN_LETTERS]}" for row in difference.only_undisturbed[:SHOWN_ROWS]]
    return "\n".join(lines)
