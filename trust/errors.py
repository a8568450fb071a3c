"""What can go wrong with keys and personal data; each docstring is the message that a person reads."""

from store.errors import ConclaveError


class MasterKeyMissing(ConclaveError):
    """There is no master key: set CONCLAVE_PRIVACY__MASTER_KEY to 32 random bytes in base64, or put them into the file named by
    CONCLAVE_PRIVACY__MASTER_KEY_FILE."""


class MasterKeyBad(ConclaveError):
    """A master key is 32 bytes in base64; make one with `openssl rand -base64 32`."""


class MasterKeyWrong(ConclaveError):
    """The vault was locked with another master key than those given: find that key, for without it no token resolves."""


class MasterKeyGiven(ConclaveError):
    """The master key comes from the environment, so change it there: set it to `new,old`, run this again, then drop the old."""


class NotRevealed(ConclaveError):
    """Your role does not see what tokens stand for."""


class ReasonMissing(ConclaveError):
    """Say why you need to see it: the reason is kept in the audit log."""

    field = "reason"


class NoSubject(ConclaveError):
    """A subject is written as `account:ID` or `counterparty:ID`."""

    field = "entity"


class ErasureFailed(ConclaveError):
    """Something of the subject is still there after erasing."""
