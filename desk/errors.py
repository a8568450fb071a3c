"""What can go wrong on the desk; each docstring is the message that a person reads."""

from typing import Any

from store.errors import ConclaveError


class DeskError(ConclaveError):
    """The desk cannot do this."""

    field: str | None = None


class UnknownCase(DeskError):
    """There is no such case on the desk: look for it in the inbox, or see whether its ruling was dismissed."""


class UnknownCommand(DeskError):
    """There is no such command: list the commands of the case."""


class UnknownSubject(DeskError):
    """There is no such anomaly or ruling to give feedback on; it may have passed its retention."""


class UnknownWindow(DeskError):
    """There is no such maintenance window: list them."""


class NotPossible(DeskError):
    """This cannot be done with the case as it is."""


class BadDetail(DeskError):
    """The action needs something else."""

    def __init__(self, field: str, said: str) -> None:
        super().__init__(f"{field}: {said}")
        self.field = field


class CaseChanged(DeskError):
    """Somebody changed the case meanwhile; nothing was done. Look at what changed and try again."""

    def __init__(self, case_id: str, version: int, changes: list[dict[str, Any]]) -> None:
        super().__init__(f"It is at version {version} now: " + "; ".join(f"{c['who']} {c['what']}" for c in changes[-5:]))
        self.case_id, self.version, self.changes = case_id, version, changes

    @property
    def more(self) -> dict[str, Any]:
        """Further members of the gateway's problem document."""
        return {"case_id": self.case_id, "version": self.version, "changes": self.changes}


class CommandChanged(DeskError):
    """The command is no longer as you saw it; nothing was done."""


class NotSigned(DeskError):
    """The callback's signature does not hold: check desk.slack_secret and the clock of this machine."""


class NotKnownHere(DeskError):
    """This Slack user may not press buttons: an administrator names them in desk.slack_users."""
