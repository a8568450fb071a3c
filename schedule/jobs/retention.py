"""Old rows go, in the database and of the runs themselves."""

from schedule.registry import Context, Result
from store import retention


def mark(context: Context) -> str:
    return ""


def run(context: Context) -> Result:
    removed = retention.run(context.database, context.settings.retention, context.now)
    if removed is None:
        return {"text": "Another process removes old rows at this moment.", "removed": {}}
    removed["schedule_runs"] = context.database.run("trim_runs", kept=context.settings.schedule.runs_kept)
    gone = {table: rows for table, rows in removed.items() if rows}
    said = "\n".join(f"- {rows:,} {table.replace('_', ' ')}" for table, rows in gone.items())
    return {"text": f"Removed:\n{said}" if gone else "Nothing was past its time.", "removed": removed}
