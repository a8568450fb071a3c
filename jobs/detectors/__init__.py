"""Every detector by its name. To add one: a file beside these with a DETECTOR, and its name in the list."""

from jobs.detectors import amount_robust_z, amount_z, difference_z, error_rate, latency, value_z, velocity
from jobs.detectors.detector import Detector
from jobs.errors import UnknownDetector

ALL: dict[str, Detector] = {
    module.DETECTOR.name: module.DETECTOR
    for module in (amount_robust_z, amount_z, difference_z, error_rate, latency, value_z, velocity)
}


def chosen(names: tuple[str, ...]) -> list[Detector]:
    """The named detectors, sorted by name; raises UnknownDetector."""
    unknown = sorted(set(names) - set(ALL))
    if unknown:
        raise UnknownDetector(f"{', '.join(unknown)}; known are {', '.join(sorted(ALL))}")
    return [ALL[name] for name in sorted(names)]
