"""What can go wrong in the gateway; each docstring is the message that a person reads."""

from store.errors import ConclaveError


class NotTaken(ConclaveError):
    """The events could not be handed to ingest; send them again, with the same Idempotency-Key."""


class KeyReused(ConclaveError):
    """This Idempotency-Key came with another body before; a new batch needs a new key."""

    field = "Idempotency-Key"


class LagUnknown(ConclaveError):
    """How far ingest is behind cannot be told now; send the events again soon."""
