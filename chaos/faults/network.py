"""The way to the database breaks, or swallows everything."""

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from chaos.schedule import Fault

if TYPE_CHECKING:
    from chaos.plant import Plant

AWAY_S = 2.0


@dataclass(frozen=True)
class Cut:
    """Every connection breaks and none is taken for a while."""

    def strike(self, plant: "Plant", fault: Fault) -> None:
        plant.proxy.refusing = True
        plant.proxy.cut()

    def heal(self, plant: "Plant", fault: Fault) -> None:
        time.sleep(AWAY_S)
        plant.proxy.refusing = False


@dataclass(frozen=True)
class Silence:
    """Nothing passes and nobody is told; after a while the connections turn out to be dead."""

    def strike(self, plant: "Plant", fault: Fault) -> None:
        plant.proxy.silence()

    def heal(self, plant: "Plant", fault: Fault) -> None:
        time.sleep(plant.pause_s)
        plant.proxy.cut()
        plant.proxy.speak()
