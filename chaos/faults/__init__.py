"""What can be done to the product: `strike` does it, `heal` ends it as an operator would. One file per thing that is hit."""

from chaos.faults.model import Misbehave
from chaos.faults.network import Cut, Silence
from chaos.faults.processes import Kill, Pause
from chaos.faults.servers import Fill, KillBroker, KillDatabase, PauseDatabase

Blow = Kill | Pause | KillDatabase | PauseDatabase | KillBroker | Fill | Cut | Silence | Misbehave

__all__ = ["Blow", "Cut", "Fill", "Kill", "KillBroker", "KillDatabase", "Misbehave", "Pause", "PauseDatabase", "Silence"]
