"""A process of the product is killed, or stands still for a while."""

import signal
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from chaos.schedule import Fault

if TYPE_CHECKING:
    from chaos.plant import Plant


@dataclass(frozen=True)
class Kill:
    """SIGKILL; of a Spark job all of it, its Python half or its JVM, as the schedule says."""

    process: str

    def strike(self, plant: "Plant", fault: Fault) -> None:
        plant.kill(self.process, fault.part if self.process != "council" else "whole")

    def heal(self, plant: "Plant", fault: Fault) -> None:
        """The watchdog starts it again."""


@dataclass(frozen=True)
class Pause:
    """SIGSTOP, and after a while SIGCONT."""

    process: str

    def strike(self, plant: "Plant", fault: Fault) -> None:
        plant.victim(self.process).signal(signal.SIGSTOP)

    def heal(self, plant: "Plant", fault: Fault) -> None:
        time.sleep(plant.pause_s)
        plant.victim(self.process).signal(signal.SIGCONT)
