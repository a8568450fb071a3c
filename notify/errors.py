"""What can go wrong with channels and deliveries; each docstring is the message that a person reads."""

from store.errors import ConclaveError


class BadChannel(ConclaveError):
    """The channel cannot be used as it is written; mend what is named."""


class BadRoute(ConclaveError):
    """The route, alert topic or subscription cannot be used as it is written; mend what is named."""


class BadFile(ConclaveError):
    """The file of channels and routes cannot be used; mend what is named, then try `conclave notify check FILE`."""


class NotFound(ConclaveError):
    """There is nothing of this name; list what there is."""


class InFile(ConclaveError):
    """This is written in the file of channels and routes, which wins over the pages: change it there."""


class InUse(ConclaveError):
    """Something still depends on this; remove that first, or say that it goes too."""


class Changed(ConclaveError):
    """Somebody else changed this meanwhile; look at it again, then repeat."""


class NotReplayable(ConclaveError):
    """Only a delivery that was sent, skipped or given up can be sent again; this one is still under way."""


class SecretMissing(ConclaveError):
    """The secret that the channel refers to is not there; set the variable or write the file, then try again."""


class SecretForbidden(ConclaveError):
    """A channel may not refer to this; see the settings notify.secret_variables and notify.secrets_folder."""


class AddressForbidden(ConclaveError):
    """A channel may not reach this address; see the settings notify.allow_loopback, allow_http and allow_networks."""


class AddressUnknown(ConclaveError):
    """The address cannot be found by name."""


class Again(ConclaveError):
    """The receiver could not take it now."""

    def __init__(self, said: str = "", *, status: int | None = None, after_s: float | None = None) -> None:
        super().__init__(said)
        self.status, self.after_s = status, after_s


class Refused(ConclaveError):
    """The receiver refused it, and would again."""

    def __init__(self, said: str = "", *, status: int | None = None) -> None:
        super().__init__(said)
        self.status = status
