"""What can go wrong with traces; each docstring is the message that a person reads."""

from store.errors import ConclaveError


class UnknownProject(ConclaveError):
    """There is no such trace project; `conclave traces projects` lists them."""


class UnknownTrace(ConclaveError):
    """There is no such trace: it was never received, dropped by sampling, or removed by retention."""


class UnknownAlert(ConclaveError):
    """There is no such alert or alert rule."""


class NotThisProject(ConclaveError):
    """The key may not send traces to this project; use a key whose scope is `traces` or `traces:PROJECT`."""


class BadProject(ConclaveError):
    """The project cannot be made or changed so."""


class BadRule(ConclaveError):
    """The alert rule cannot be used."""


class BadPrices(ConclaveError):
    """The price table cannot be read; mend the file named by observe.price_file."""


class BadTrace(ConclaveError):
    """The trace cannot be read."""


class Changed(ConclaveError):
    """Somebody else changed it meanwhile; look at it again, then repeat what you wanted."""


class NoTextKey(ConclaveError):
    """The project's texts are to be encrypted, but there is no key for it; see docs/privacy.md, or choose the mode `masked`."""
