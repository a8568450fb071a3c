"""Sections and remembered cases of another embedder get a vector of today's."""

from rag import runbook
from rag.embed import EMBEDDER
from schedule.registry import Context, Result


def mark(context: Context) -> str:
    return ""


def run(context: Context) -> Result:
    done = runbook.reembed(context.database, tenant=context.tenant)
    return {"text": f"{done:,} texts embedded again with {EMBEDDER}." if done else "Every text has its vector.", "embedded": done}
