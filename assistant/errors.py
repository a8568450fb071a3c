"""What can go wrong with answers and documents; each docstring is the message that a person reads."""

from typing import Any

from store.errors import ConclaveError


class UnknownReference(ConclaveError):
    """A sentence refers to an exhibit that was not offered."""


class UnknownZone(ConclaveError):
    """This is no time zone; give one such as `Europe/Berlin`."""

    field = "zone"


class EmptyQuestion(ConclaveError):
    """There is no word in the question; ask in words."""

    field = "question"


class UnknownConversation(ConclaveError):
    """There is no such conversation, or it is another person's."""


class UnknownDocument(ConclaveError):
    """There is no such document; GET /v1/documents lists them."""


class UnreadableDocument(ConclaveError):
    """The document cannot be read."""

    field = "file"


class DocumentTooLarge(ConclaveError):
    """The document is too large; cut it, or raise assistant.max_upload_bytes (or max_pages, max_sections)."""

    field = "file"


class UnknownFormat(ConclaveError):
    """Documents are taken as markdown, text, html or pdf; name the format, or give the file its usual ending."""

    field = "format"


class BadName(ConclaveError):
    """A document needs a name with a letter or a digit in it."""

    field = "name"


class UnknownProposal(ConclaveError):
    """There is no such proposal; GET /v1/proposals lists them."""


class NotResolved(ConclaveError):
    """A section can be proposed from a case that has been ruled on and is resolved or confirmed; this one is not."""

    field = "case_id"


class ProposalDecided(ConclaveError):
    """The proposal has been decided already; make a new one, or edit the document."""


class ProposalChanged(ConclaveError):
    """Somebody changed the proposal meanwhile; look at it again, then repeat."""

    def __init__(self, newest: dict[str, Any]) -> None:
        super().__init__(f"It is at version {newest['version']} now.")
        self.more = {"newest": newest}
