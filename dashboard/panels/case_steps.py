"""What a person can do with a case; each as a widget's callback that carries the version the person saw."""

from typing import Any

from dashboard import reading
from desk import cases


def act(case_id: str, version: int, action: str, **detail: Any) -> None:
    """One change of a case under the version that was shown. Raises CaseChanged when somebody was quicker."""
    with reading.tenant().connection() as connection:
        cases.act(connection, reading.caller(), case_id, version, action, **detail)


def acknowledge(case_id: str, version: int) -> None:
    act(case_id, version, "acknowledge")
