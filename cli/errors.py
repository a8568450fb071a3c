"""What can go wrong on the command line; each docstring is the message that a person reads."""

from store.errors import ConclaveError


class PartMissing(ConclaveError):
    """This command is not part of this installation; run scripts/setup again, or report it."""


class DemoFailed(ConclaveError):
    """The demo did not finish:"""


class NoSuchKey(ConclaveError):
    """No key with this id can still be used; `conclave keys list` shows them:"""


class TourFailed(ConclaveError):
    """The tour did not get through:"""
