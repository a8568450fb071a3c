"""Settings of desk/."""

from store.sections.base import Section


class Desk(Section):
    """Cases as people work on them: grouping, SLA, commands."""
