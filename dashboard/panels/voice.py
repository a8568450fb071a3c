"""Who answers: the reader's question with their zone, and the model where there is one."""

from dataclasses import replace
from zoneinfo import ZoneInfo

from assistant.lookups import Asking
from assistant.voice import Voice, voice_of
from dashboard import reading, shell
from store.settings import settings
from trust.vault import vault_of


def asking() -> Asking:
    """The reader's own rows, now, in their zone."""
    zone = shell.zone()
    vault, place = vault_of(settings(), reading.caller().tenant), reading.tenant()
    asked = Asking(place, reading.caller().tenant, shell.now(), zone if isinstance(zone, ZoneInfo) else ZoneInfo("UTC"))
    return asked if vault is None else replace(asked, alias=lambda name: vault.find(place, name))


def speaker() -> tuple[Voice | None, str]:
    """The model, or why none is asked."""
    if not settings().model.enabled:
        return None, "models are switched off"
    return voice_of(settings().model), ""
