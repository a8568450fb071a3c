"""Documents of the runbook: what there is and how far each upload is; upload and removal."""

from typing import Any

import streamlit as st

from assistant import documents
from dashboard import markup, reading, shell, words
from dashboard.markup import Column, Html
from dashboard.words import escaped
from store.settings import settings
from trust.roles import Role

Row = dict[str, Any]
KINDS = ["md", "markdown", "txt", "html", "htm", "pdf"]
STATES = {
    "queued": ("Waiting to be read", "unresolved"),
    "reading": ("Being read", "unresolved"),
    "indexing": ("Being indexed", "unresolved"),
    "ready": ("✓ Ready", "dismissed"),
    "failed": ("✕ Failed", "confirmed"),
    "duplicate": ("Duplicate", "quiet"),
    "deleted": ("Deleted", "quiet"),
}
NONE = "<b>No document yet.</b> Upload one below; it is read, cut into sections and searchable within seconds."


def listed() -> None:
    found = documents.listed(reading.tenant(), reading.caller().tenant, limit=200)
    st.html(markup.head("Documents", "the newest version of each; older ones are kept for what cites them"))
    st.html(table(found) if found else markup.note(NONE))


def table(rows: list[Row]) -> str:
    columns = [
        Column("Document", "wide"),
        Column("Version", "right"),
        Column("State", "tight"),
        Column("Sections", "right"),
        Column("Size", "right"),
        Column("Uploaded", "tight"),
        Column("Remark", "wide"),
    ]
    return markup.table("Documents", columns, [_row(row) for row in rows])


def _row(row: Row) -> tuple[str, ...]:
    said, style = STATES.get(row["state"], (row["state"], "quiet"))
    near = "; ".join(f"{one['similarity']:.0%} like {one['doc_id']}" for one in row["near"] or [])
    return (
        row["title"],
        str(row["version"]),
        Html(f'<span class="cv-tag cv-{style}">{escaped(said)}</span>'),
        progress(row),
        words.size(row["size"]),
        words.short(row["uploaded_at"]),
        "; ".join(part for part in (row["why"], near) if part),
    )


def progress(row: Row) -> str:
    """How many sections have been indexed, of how many."""
    if row["sections"] is None:
        return words.UNKNOWN
    return words.count(row["sections"]) if row["done"] >= row["sections"] else f"{row['done']} of {row['sections']}"


def change() -> None:
    """Upload and removal, for those who may."""
    if not shell.may(Role.analyst, "Uploading", "documents"):
        return
    with st.form("upload", border=False, clear_on_submit=True):
        st.file_uploader(
            "Markdown, text, HTML or PDF",
            type=KINDS,
            key="upload-files",
            accept_multiple_files=True,
            max_upload_size=max(1, settings().assistant.max_upload_bytes // 1_000_000),
        )
        st.form_submit_button("Upload", type="primary", on_click=_upload)
    found = documents.listed(reading.tenant(), reading.caller().tenant, limit=200)
    if found and reading.caller().may(Role.analyst, "documents"):
        names = {row["doc_id"]: words.visible(row["title"], 80) for row in found}
        with st.popover("Remove a document", key="open-remove"), st.form("remove", border=False):
            st.selectbox("Document", list(names), format_func=names.__getitem__, key="remove-which")
            st.caption("It is no longer found. What rulings and answers cite of it stays readable.")
            st.form_submit_button("Remove", on_click=_remove)


def _upload() -> None:
    files = list(st.session_state.get("upload-files") or [])

    def upload() -> None:
        for file in files:
            documents.upload(
                reading.tenant(),
                reading.caller(),
                file.name,
                file.getvalue(),
                now=shell.now(),
                settings=settings().assistant,
                media=file.type or "",
            )

    shell.change(upload, f"{len(files)} uploaded; being read.", scope="documents")


def _remove() -> None:
    doc_id = st.session_state["remove-which"]
    shell.change(lambda: documents.delete(reading.tenant(), reading.caller(), doc_id), "It is removed.", scope="documents")
