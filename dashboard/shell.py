"""The frame of every page: one way in, one way to refresh, and a sentence instead of a traceback."""

import functools
from collections.abc import Callable

import plotly.graph_objects as go
import streamlit as st

from dashboard import look, markup, reading
from dashboard.look import Palette
from dashboard.words import escaped
from store.errors import ConclaveError, DatabaseAway
from store.settings import settings

RETRY_S = 3.0


def begin() -> None:
    """Style the page and open the database; without one, say so in a sentence, try again by itself and stop here."""
    st.html(look.SHEET)
    try:
        settings()
        reading.database()
    except ConclaveError as error:
        tell(error)
        st.fragment(_try_again, run_every=RETRY_S)()
        st.stop()


def _try_again() -> None:
    try:
        reading.database()
    except ConclaveError:
        return
    st.rerun()


def tell(error: ConclaveError) -> None:
    """One sentence on what is wrong and how to mend it."""
    what = "No database." if isinstance(error, DatabaseAway) else "This cannot be shown now."
    st.html(
        markup.note(f"<b>{what}</b> {escaped(type(error).__doc__ or error, 400)} This page tries again by itself.", fault=True)
    )


def guarded(render: Callable[[], None]) -> Callable[[], None]:
    """`render`, which says in a sentence when the database fails."""

    @functools.wraps(render)
    def drawn() -> None:
        try:
            render()
        except ConclaveError as error:
            tell(error)

    return drawn


def live(render: Callable[[], None]) -> None:
    """Draw a part of the page now, and again each `dashboard.refresh_s` seconds."""
    st.fragment(guarded(render), run_every=settings().dashboard.refresh_s)()


def colours() -> Palette:
    return look.palette(st.context.theme.type)


def chart(figure: go.Figure, key: str, alt: str) -> None:
    """A figure with its description for screen readers; the key keeps it in place between refreshes."""
    st.plotly_chart(figure, key=key, alt=alt, theme=None, config={"displayModeBar": False, "responsive": True})
