"""What can go wrong in the gateway; each docstring is the message that a person reads."""

from jobs.errors import LagUnknown
from store.errors import ConclaveError

__all__ = ["KeyReused", "LagUnknown", "NotTaken"]


class NotTaken(ConclaveError):
    """The events could not be handed to ingest; send them again, with the same Idempotency-Key."""


class KeyReused(ConclaveError):
    """This Idempotency-Key came with another body before; a new batch needs a new key."""

    field = "Idempotency-Key"
