"""Real values shown to a person: only to a role that may, only with a reason, and each time with an entry in the audit log."""

from collections.abc import Sequence

from store.database import Connection
from trust import audit
from trust.errors import NotRevealed, ReasonMissing
from trust.roles import Caller, Role
from trust.vault import Vault, Within


def reveal(
    connection: Connection, vault: Vault, caller: Caller, tokens: Sequence[str], reason: str, least: Role = Role.analyst
) -> dict[str, str]:
    """Token → identifier, and sealed text → clear text, of what can be opened; the last thing in the caller's transaction.

    Raises NotRevealed for a lesser role, ReasonMissing without a reason. The audit log names the tokens, never the values.
    """
    if caller.role < least:
        raise NotRevealed(f"It takes the role {least.name}.")
    if not reason.strip():
        raise ReasonMissing
    within = Within(connection)
    asked = sorted(set(tokens))
    sealed = [text for text in asked if text.startswith("sealed:1:")]
    shown = vault.resolve(within, asked) | vault.open(within, sealed)
    detail = {"tokens": [text[:39] for text in asked], "shown": len(shown), "reason": reason.strip()[:500]}
    audit.record(connection, caller.tenant, caller.actor, "subject.reveal", f"{len(asked)} tokens", detail)
    return shown
