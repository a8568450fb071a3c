"""The rows of a table as a file."""

from typing import Any

import streamlit as st

from dashboard import export

PARQUET = "application/vnd.apache.parquet"


def offer(rows: list[dict[str, Any]], name: str) -> None:
    """Two small buttons: what is shown, as CSV and as Parquet; files are made when asked for."""
    if not rows:
        return
    with st.popover("Download", icon=":material/download:", type="tertiary", key=f"download-{name}"):
        st.caption(f"{len(rows)} rows of {name.replace('-', ' ')}, times in UTC")
        st.download_button("CSV", lambda: export.as_csv(rows), f"{name}.csv", "text/csv", key=f"csv-{name}", on_click="ignore")
        st.download_button(
            "Parquet", lambda: export.as_parquet(rows), f"{name}.parquet", PARQUET, key=f"parquet-{name}", on_click="ignore"
        )
