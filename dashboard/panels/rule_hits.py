"""What rules hit, and the pools in which the slow ones work."""

import streamlit as st

from dashboard import markup, pipes, reading
from dashboard.panels import download
from store.settings import settings

NONE = "<b>No hit yet.</b> Hits appear with the batch in which a live rule meets its event."


def show() -> None:
    found = reading.rows("list_hits", processor=None, entity=None, at=None, hit_id=None, limit=100)
    st.html(markup.head("Hits", "newest first; all outcomes are counted under Processors"))
    st.html(pipes.hits(found[:50]) if found else markup.note(NONE))
    download.offer(found, "rule-hits")
    wanted = settings().pipelines
    pools = reading.rows(
        "list_pools",
        size=wanted.pool_size,
        queue_limit=wanted.pool_queue,
        timeout_s=wanted.pool_timeout_s,
        attempts=wanted.pool_attempts,
    )
    if pools:
        st.html(markup.head("Worker pools", "for rules that ask a model or a service") + pipes.pools(pools))
