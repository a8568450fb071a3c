"""What the product stands on is killed, stands still, or has no room left."""

import signal
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from chaos.schedule import Fault

if TYPE_CHECKING:
    from chaos.plant import Plant

FULL_S = 4.0


@dataclass(frozen=True)
class KillDatabase:
    """SIGKILL to the postmaster and every backend; then it is started again, as its service manager would."""

    def strike(self, plant: "Plant", fault: Fault) -> None:
        plant.postgres.signal(signal.SIGKILL)

    def heal(self, plant: "Plant", fault: Fault) -> None:
        plant.postgres.start()
        plant.proxy.target = plant.postgres.port


@dataclass(frozen=True)
class PauseDatabase:
    """All of Postgres stands still, with every connection open."""

    def strike(self, plant: "Plant", fault: Fault) -> None:
        plant.postgres.signal(signal.SIGSTOP)

    def heal(self, plant: "Plant", fault: Fault) -> None:
        time.sleep(plant.pause_s)
        plant.postgres.signal(signal.SIGCONT)


@dataclass(frozen=True)
class KillBroker:
    """SIGKILL to the Kafka broker; then it is started again."""

    def strike(self, plant: "Plant", fault: Fault) -> None:
        assert plant.broker is not None
        plant.broker.kill()

    def heal(self, plant: "Plant", fault: Fault) -> None:
        assert plant.broker is not None
        plant.broker.start()


@dataclass(frozen=True)
class Fill:
    """No byte is left on the disk of the streams (Delta and checkpoints) or of the database; later there is room again."""

    disk: Literal["streams", "database"]

    def strike(self, plant: "Plant", fault: Fault) -> None:
        plant.disks[self.disk].fill()

    def heal(self, plant: "Plant", fault: Fault) -> None:
        time.sleep(FULL_S)
        plant.disks[self.disk].free()
        plant.postgres.start()
        plant.proxy.target = plant.postgres.port
