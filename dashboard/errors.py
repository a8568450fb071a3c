"""What can go wrong on the pages; the docstring is the message that a person reads."""

from store.errors import ConclaveError


class NotAllowed(ConclaveError):
    """Your role does not allow this, or you are no longer signed in."""


class NotFilled(ConclaveError):
    """Something is missing."""
