"""One line of what was looked at."""

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "warn", "fail"]


@dataclass(frozen=True)
class Finding:
    """What was looked at, how it is, and the fix when it is not well. `fail` keeps a job from starting."""

    what: str
    state: State
    said: str
    fix: str = ""

    @property
    def sentence(self) -> str:
        """As one part of an error.

        >>> Finding("disk", "fail", "0.1 GB free", "free some space").sentence
        'disk: 0.1 GB free: free some space'
        """
        return f"{self.what}: {self.said}{f': {self.fix}' if self.fix else ''}"
