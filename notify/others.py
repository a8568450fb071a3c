"""The services of the apprise library, without those that would act on this machine or speak plain HTTP to anywhere."""

import logging
from typing import Any

from notify.errors import AddressForbidden, Again, BadChannel
from notify.kinds import Apprise
from notify.payloads import plain
from notify.senders import Outgoing, Tools
from notify.wire import Receipt

LOCAL = {"dbus", "glib", "kde", "qt", "gnome", "macosx", "windows", "syslog", "rsyslog", "kodi", "growl", "file"}
LEVELS = {"critical": "failure", "high": "failure", "medium": "warning", "low": "info"}


def deliver(kind: Apprise, out: Outgoing, tools: Tools) -> Receipt:
    """Hand the bundle to the service; apprise only says whether it worked. Raises Again, BadChannel, AddressForbidden."""
    import apprise

    service = _service(apprise, tools.vault.value(kind.url), tools)
    body = plain.short_text(out.content, out.unsure)
    for name in ("apprise", "urllib3"):
        logging.getLogger(name).setLevel(logging.CRITICAL)  # their logs hold addresses with their secrets
    try:
        done = service.notify(
            body=body, title=out.content["title"], notify_type=LEVELS[out.content["level"]], body_format=apprise.NotifyFormat.TEXT
        )
    except Exception as error:  # its plugins raise what their services do
        raise Again(f"({type(error).__name__})") from error
    if not done:
        raise Again("(the service did not take it)")
    return Receipt(None, "")


def _service(apprise: Any, url: str, tools: Tools) -> Any:
    """The plugin of an address, if it may be used here."""
    scheme = url.partition("://")[0].lower()
    if scheme in LOCAL or scheme.startswith(("json", "xml", "form")):
        raise AddressForbidden(f"({scheme}: use a channel of kind webhook)")
    service = apprise.Apprise.instantiate(url, suppress_exceptions=True)
    if service is None:
        raise BadChannel("`url`: apprise does not know such an address.")
    service.socket_connect_timeout = service.socket_read_timeout = tools.timeout_s
    if getattr(service, "host", None):
        tools.reach.resolve(service.host, service.port or 443)
        if not service.secure:
            tools.reach.check(f"http://{service.host}:{service.port or 80}")
    return service
