"""Settings of observe/."""

from store.sections.base import Section


class Observe(Section):
    """Traces of language model calls: scoring, sampling, cost, alerts."""
