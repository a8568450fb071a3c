"""What a person can do with a case; each as a widget's callback that carries the version the person saw."""

from typing import Any

from dashboard import reading
from desk import cases
from store.settings import settings


def act(case_id: str, version: int, action: str, **detail: Any) -> int:
    """One change of a case under the version that was shown; its new version. Raises CaseChanged when somebody was quicker."""
    with reading.tenant().connection() as connection:
        return cases.act(connection, reading.caller(), case_id, version, action, desk=settings().desk, **detail).version


def act_on_each(case_id: str, version: int, action: str, name: str, chosen: list[str]) -> None:
    """The same change once for each chosen thing, each under the version that the one before left."""
    for one in chosen:
        version = act(case_id, version, action, **{name: one})


def acknowledge(case_id: str, version: int) -> None:
    act(case_id, version, "acknowledge")
