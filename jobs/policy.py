"""What the fold must know, as one frozen value: sizes, times in microseconds, detectors and their thresholds."""

import hashlib
import json
from dataclasses import asdict, dataclass, field
from typing import NamedTuple

from store.sections.core import Detect

STATE_VERSION = 2


class Layout(NamedTuple):
    """The sizes that the state's arrays depend on."""

    window: int
    recent_ids: int
    service_buckets: int


@dataclass(frozen=True)
class Policy:
    """Everything that decides what the fold does. `window` points per entity, `recent_ids` ids, times in µs."""

    window: int = 100
    warm_up: int = 20
    recent_ids: int = 32
    lateness_us: int = 3_600_000_000
    idle_us: int = 30 * 86_400_000_000
    max_entities: int = 100_000
    detectors: tuple[str, ...] = ("amount_z", "amount_robust_z", "velocity", "error_rate", "latency", "value_z", "difference_z")
    thresholds: dict[str, float] = field(default_factory=dict)
    min_count: int = 20
    min_error_rate: float = 0.2
    service_buckets: int = 60
    quiet_us: int = 1_800_000_000
    longest_us: int = 86_400_000_000

    @classmethod
    def of(cls, detect: Detect) -> "Policy":
        return cls(
            window=detect.window,
            warm_up=detect.warm_up,
            recent_ids=detect.recent_ids,
            lateness_us=round(detect.lateness_s * 1e6),
            idle_us=round(detect.idle_s * 1e6),
            max_entities=detect.max_entities_per_shard,
            detectors=tuple(sorted(detect.detectors)),
            thresholds={str(name): score for name, score in detect.thresholds.items()},
            min_count=detect.min_count,
            min_error_rate=detect.min_error_rate,
            service_buckets=detect.service_buckets,
            quiet_us=round(detect.episode_quiet_s * 1e6),
            longest_us=round(detect.episode_max_s * 1e6),
        )

    @property
    def hash(self) -> str:
        """Of every setting that can change a result."""
        return digest(asdict(self))

    @property
    def layout(self) -> Layout:
        """Of what the state's arrays depend on; a state of another layout is resized when it is read."""
        return Layout(self.window, self.recent_ids, self.service_buckets)

    @property
    def detector_hash(self) -> str:
        """Of the detector set, part of every episode's id."""
        return digest([self.detectors, self.thresholds])


def digest(value: object) -> str:
    """16 hexadecimal digits of the value's canonical JSON."""
    return hashlib.blake2b(json.dumps(value, sort_keys=True).encode(), digest_size=8).hexdigest()
