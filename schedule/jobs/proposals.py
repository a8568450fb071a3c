"""Resolved cases become proposed runbook sections; a person accepts, edits or rejects each before it is searched."""

from assistant.asking import asking_of, voice_for
from assistant.proposals import propose_new
from schedule.registry import Context, Result

ACCEPTS = ("limit",)


def mark(context: Context) -> str:
    return ""


def run(context: Context) -> Result:
    voice, why = voice_for(context.settings)
    asking = asking_of(context.database.of(context.tenant), context.tenant, context.now, context.settings)
    made = propose_new(asking, voice, limit=int(context.arguments.get("limit", 20)), why=why)
    lines = [f"- {row['title']} (from {row['case_id']}, worded by {row['drafted_by']})" for row in made]
    text = "\n".join(["Proposed, to be reviewed:", *lines]) if made else "No resolved case without a proposal."
    return {"text": text, "proposals": [row["proposal_id"] for row in made]}
