"""What can go wrong with settings and the database; each docstring is the message that a person reads."""


class ConclaveError(Exception):
    """Something went wrong."""

    def __str__(self) -> str:
        said = super().__str__()
        first = (type(self).__doc__ or "").strip()
        return f"{first} {said}".strip()


class BadSettings(ConclaveError):
    """The settings cannot be used; mend the named key and start again."""
