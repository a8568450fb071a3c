"""The rows of a table as a file."""

from collections.abc import Callable
from typing import Any

import streamlit as st

from dashboard import export, reading
from trust import audit
from trust.roles import Role

PARQUET = "application/vnd.apache.parquet"


def offer(rows: list[dict[str, Any]], name: str) -> None:
    """What is shown as CSV and Parquet, for those who may export; a file is made when asked for, and audited."""
    who, place = reading.caller(), reading.tenant()
    if not rows or not who.may(Role.analyst, "reports"):
        return

    def made(write: Callable[[list[dict[str, Any]]], bytes], form: str) -> bytes:
        with place.connection() as connection:
            audit.record(connection, who.tenant, who.actor, "table.export", name, {"rows": len(rows), "format": form})
        return write(rows)

    with st.popover("Download", icon=":material/download:", type="tertiary", key=f"download-{name}"):
        st.caption(f"{len(rows)} rows of {name.replace('-', ' ')}, times in UTC, personal data in text masked")
        st.download_button(
            "CSV", lambda: made(export.as_csv, "csv"), f"{name}.csv", "text/csv", key=f"csv-{name}", on_click="ignore"
        )
        st.download_button(
            "Parquet",
            lambda: made(export.as_parquet, "parquet"),
            f"{name}.parquet",
            PARQUET,
            key=f"parquet-{name}",
            on_click="ignore",
        )
