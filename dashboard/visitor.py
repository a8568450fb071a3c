"""Who reads the page: by an API key kept in a session, by OpenID Connect, or the one person of a machine without sign-in."""

import importlib.util
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import streamlit as st

from dashboard import reading
from dashboard.session import COOKIE, Sessions, drop_cookie, put_cookie
from store.settings import settings
from trust import keys
from trust.oidc import Expected, caller_of
from trust.roles import Caller, Role

TOKEN = "signed_in"  # noqa: S105 - the name of a place, not a secret
PENDING = "cookie_script"
SIGNED_OUT = "signed_out"
VERIFIED_S = 5.0
LOOPBACK = ("127.0.0.1", "localhost", "::1")


@st.cache_resource(show_spinner=False)
def sessions() -> Sessions:
    return Sessions(timedelta(hours=settings().dashboard.session_hours))


def is_open() -> bool:
    """Whether nobody needs to sign in: only by the setting, and only while no other machine can reach the pages."""
    return settings().dashboard.sign_in == "off" and st.get_option("server.address") in LOOPBACK


def caller() -> Caller | None:
    """Who this is, or None: show the sign-in. Raises ConclaveError when the database does not answer."""
    if is_open():
        return Caller(settings().tenant, "local:dashboard", "This machine", Role.admin)
    return _by_key() or _by_token_of_provider()


def _by_key() -> Caller | None:
    token = st.session_state.get(TOKEN) or ("" if st.session_state.get(SIGNED_OUT) else st.context.cookies.get(COOKIE))
    key = sessions().key(token, datetime.now(UTC)) if isinstance(token, str) and token else None
    return None if key is None else _verified(key)


@st.cache_data(ttl=VERIFIED_S, show_spinner=False, max_entries=2_000)
def _verified(key: str) -> Caller | None:
    return keys.verify(reading.database(), key, datetime.now(UTC))


def _by_token_of_provider() -> Caller | None:
    """What OpenID Connect said, where `st.login` is configured; tenant and role come from the claims that the settings name."""
    if not provider() or not getattr(st.user, "is_logged_in", False):
        return None
    wanted = settings().gateway
    expected = Expected(
        wanted.oidc_issuer or "", wanted.oidc_audience or "", wanted.oidc_role_claim, wanted.oidc_tenant_claim, wanted.oidc_roles
    )
    return caller_of(st.user.to_dict(), expected)


def provider() -> bool:
    """Whether signing in by OpenID Connect can be offered: a section [auth] in Streamlit's secrets, and Authlib installed."""
    try:
        return "auth" in st.secrets and importlib.util.find_spec("authlib") is not None
    except FileNotFoundError:
        return False


def sign_in(key: str) -> bool:
    """Open a session for a key; False when it opens nothing."""
    if _verified(key) is None:
        _verified.clear(key)
        return False
    token = sessions().open(key, datetime.now(UTC))
    st.session_state[TOKEN] = token
    st.session_state.pop(SIGNED_OUT, None)
    st.session_state[PENDING] = put_cookie(token, settings().dashboard.session_hours, _secure())
    return True


def sign_out() -> None:
    """End the session here and in the memory of the process; of a provider's, too."""
    token = st.session_state.pop(TOKEN, None) or st.context.cookies.get(COOKIE)
    if token:
        sessions().close(token)
    st.session_state[SIGNED_OUT] = True
    st.session_state[PENDING] = drop_cookie(_secure())
    if provider() and getattr(st.user, "is_logged_in", False):
        st.logout()


def pass_on_cookie() -> None:
    """Hand the browser the cookie that an earlier run wanted; a page that is drawn anew does not do it again."""
    if script := st.session_state.get(PENDING):
        st.html(script, unsafe_allow_javascript=True)


def _secure() -> bool:
    return str(st.context.url or "").startswith("https:")


def zone(who: Caller) -> tzinfo:
    """The reader's time zone: chosen by hand, else the browser's, else UTC."""
    chosen = reading.of(who.tenant, "dashboard_zone", owner=who.actor)
    return zone_named(chosen[0]["zone"] if chosen and chosen[0]["zone"] else st.context.timezone)


def names(who: Caller) -> dict[str, str]:
    """How the tenant's keys are called, by the actor that each is; the reader's own is `you`."""
    found = reading.of(who.tenant, "keys_of_tenant")
    return {f"key:{row['key_id']}": row["name"] for row in found} | {who.actor: "you"}


def zone_named(name: Any) -> tzinfo:
    try:
        return ZoneInfo(name) if name else UTC
    except (ZoneInfoNotFoundError, ValueError):
        return UTC
