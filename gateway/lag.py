"""How far ingest is behind what was given to it; readiness and the event routes ask."""

from jobs.lag import Lag, Watch, broker_ends, waiting_files

__all__ = ["Lag", "Watch", "broker_ends", "waiting_files"]
