"""Settings of notify/."""

from store.sections.base import Section


class Notify(Section):
    """Channels, routes and deliveries."""
