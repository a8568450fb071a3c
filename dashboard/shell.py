"""The frame of every page: who reads, one way to refresh, and a sentence instead of a traceback."""

import functools
from collections.abc import Callable
from datetime import UTC, datetime, tzinfo

import plotly.graph_objects as go
import streamlit as st

from dashboard import look, markup, people, reading, visitor, words
from dashboard.errors import NotAllowed
from dashboard.look import Palette
from dashboard.words import escaped
from store.errors import ConclaveError, DatabaseAway
from store.settings import settings
from trust.roles import Caller, Role

RETRY_S = 3.0
OUTCOME = "outcome_of_change"


def begin() -> Caller:
    """Style the page, open the database and see who reads; without one of these, say so and stop here."""
    st.html(look.SHEET)
    try:
        settings()
        reading.database()
        who = _enter()
    except ConclaveError as error:
        tell(error)
        st.fragment(_try_again, run_every=RETRY_S)()
        st.stop()
    visitor.pass_on_cookie()
    if who is None:
        from dashboard.panels import sign_in

        sign_in.show()
        st.stop()
    _outcome()
    return who


def _enter() -> Caller | None:
    """Find the reader, and let everything drawn from here on be theirs: rows of their tenant, times of their zone."""
    who = visitor.caller()
    if who is not None:
        reading.READER.set(who)
        words.ZONE.set(visitor.zone(who))
        people.NAMES.set(visitor.names(who))
    return who


def _try_again() -> None:
    try:
        reading.database()
        _enter()
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
    """`render` for whoever reads now, which says in a sentence when the database fails."""

    @functools.wraps(render)
    def drawn() -> None:
        try:
            if _enter() is None or OUTCOME in st.session_state:  # a change made in a part concerns the whole page
                st.rerun()
            render()
        except ConclaveError as error:
            tell(error)

    return drawn


def live(render: Callable[[], None]) -> None:
    """Draw a part of the page now, and again each `dashboard.refresh_s` seconds."""
    st.fragment(guarded(render), run_every=settings().dashboard.refresh_s)()


def still(render: Callable[[], None]) -> None:
    """Draw a part with fields that somebody fills in: it is drawn anew only when they do something."""
    st.fragment(guarded(render))()


def may(role: Role, what: str, scope: str = "") -> bool:
    """Whether the reader has the role; otherwise a sentence says who may do `what`."""
    who = reading.caller()
    if who.may(role, scope):
        return True
    st.html(markup.note(f"<b>{escaped(what)}</b> needs the role {role.name}; yours is {escaped(who.role.name)}."))
    return False


def change(what: Callable[[], object], done: str, *, role: Role = Role.analyst, scope: str = "") -> None:
    """Make a change, as a widget's callback, if the reader's role allows it now; the page is drawn anew and says how it went."""
    try:
        who = _enter()
        if who is None or not who.may(role, scope):
            raise NotAllowed(f"It needs the role {role.name}.")
        what()
        st.session_state[OUTCOME] = (True, done)
    except ConclaveError as error:
        st.session_state[OUTCOME] = (False, str(error))
    reading.forget()


def _outcome() -> None:
    """What became of the last change: briefly when it was made, to stay when it was not."""
    good, said = st.session_state.pop(OUTCOME, (True, ""))
    if said:
        st.toast(
            words.visible(said if good else f"Not done. {said}", 200), icon=":material/check:" if good else ":material/block:"
        )
    if not good:
        st.html(markup.note(f"<b>Not done.</b> {escaped(said, 900)}", fault=True))


def refused(error: ConclaveError) -> None:
    """Why something cannot be done, in the error's own words."""
    st.html(markup.note(f"<b>Not done.</b> {escaped(error, 900)}", fault=True))


def now() -> datetime:
    return datetime.now(UTC)


def zone() -> tzinfo:
    """The reader's time zone."""
    return words.ZONE.get()


def colours() -> Palette:
    return look.palette(st.context.theme.type)


def chart(figure: go.Figure, key: str, alt: str) -> None:
    """A figure with its description for screen readers; the key keeps it in place between refreshes."""
    st.plotly_chart(figure, key=key, alt=alt, theme=None, config={"displayModeBar": False, "responsive": True})
