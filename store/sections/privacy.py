"""Settings of privacy/."""

from store.sections.base import Section


class Privacy(Section):
    """Personal data: detection, tokens, keys, erasure."""
