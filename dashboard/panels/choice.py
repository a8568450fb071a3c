"""Choices of a page that live in its address, so that a link shows the same."""

from collections.abc import Callable, Mapping, Sequence

import streamlit as st


def one(label: str, options: Sequence[str], key: str, default: str | None = None, said: Callable[[str], str] = str) -> str:
    """A row of options, one always chosen; the address names it unless it is the default. `said` is how it is written."""
    chosen = st.segmented_control(
        label, list(options), default=default or options[0], required=True, label_visibility="collapsed", key=key,
        bind="query-params", format_func=said,
    )  # fmt: skip
    return str(chosen)


def of(label: str, options: Mapping[str, str | None], key: str) -> str | None:
    """What the chosen name stands for."""
    return options[one(label, list(options), key)]


def typed(label: str, key: str, placeholder: str) -> str:
    """A part of a name; found as it is typed."""
    said = st.text_input(
        label, key=key, placeholder=placeholder, icon=":material/search:", label_visibility="collapsed", bind="query-params",
        max_chars=200,
    )  # fmt: skip
    return (said or "").strip()


def page_of(total: int, per_page: int, key: str) -> int:
    """The first row of the page that is shown; buttons appear when there is more than one page."""
    pages = max(1, -(-total // per_page))
    at = min(_whole(st.query_params.get(key)), pages)
    if pages > 1:
        with st.container(horizontal=True, vertical_alignment="center"):
            if st.button("Newer", key=f"{key}-newer", disabled=at <= 1, shortcut="Left"):
                _go(key, at - 1)
            st.html(f'<div class="cv-soft">Page {at} of {pages}</div>', width="content")
            if st.button("Older", key=f"{key}-older", disabled=at >= pages, shortcut="Right"):
                _go(key, at + 1)
    return (at - 1) * per_page


def _whole(said: str | None) -> int:
    return max(1, int(said)) if said and said.isdigit() and len(said) < 7 else 1


def _go(key: str, page: int) -> None:
    st.query_params[key] = str(page)
    st.rerun()
