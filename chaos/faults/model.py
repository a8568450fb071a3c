"""The model misbehaves for a while; its manner is part of the moment (chaos/moments.py)."""

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from chaos.schedule import Fault

if TYPE_CHECKING:
    from chaos.plant import Plant

BAD_S = 4.0


@dataclass(frozen=True)
class Misbehave:
    """Hanging, refusing, or talking nonsense, for longer than the council waits for an answer."""

    def strike(self, plant: "Plant", fault: Fault) -> None:
        time.sleep(BAD_S)

    def heal(self, plant: "Plant", fault: Fault) -> None:
        """The moment's end lets it speak well again."""
