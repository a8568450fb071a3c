"""Settings of assistant/."""

from store.sections.base import Section


class Assistant(Section):
    """Inference, chat and documents."""
