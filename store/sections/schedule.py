"""Settings of schedule/."""

from store.sections.base import Section


class Schedule(Section):
    """Jobs by cron or interval."""
