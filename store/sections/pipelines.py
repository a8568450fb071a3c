"""Settings of pipelines/."""

from store.sections.base import Section


class Pipelines(Section):
    """Topics, segments and processors."""
