"""Who asks, put together from the settings: their rows, their clock, the vault's names for accounts, the model's voice."""

from datetime import datetime
from functools import partial

from assistant.conversations import zone_of
from assistant.lookups import Asking
from assistant.voice import Voice, voice_of
from rag import tracing
from store.database import Queries
from store.settings import Settings
from trust.vault import Vault


def asking_of(database: Queries, tenant: str, now: datetime, settings: Settings, zone: str | None = None) -> Asking:
    """The asker of a tenant; `zone` is the reader's, else the settings'. Raises UnknownZone."""
    where, watch = zone_of(zone or settings.assistant.zone), partial(tracing.answered, database, settings, tenant)
    if settings.privacy.identifiers == "plain":
        return Asking(database, tenant, now, where, watch=watch)
    vault = Vault.of(settings, tenant)
    return Asking(database, tenant, now, where, lambda name: vault.find(database, name), watch)


def voice_for(settings: Settings) -> tuple[Voice | None, str]:
    """The process's voice when a call could be made now, else None and why."""
    voice = voice_of(settings.model)
    why = voice.absence()
    return (None, why) if why else (voice, "")
