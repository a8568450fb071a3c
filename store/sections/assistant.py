"""Settings of assistant/."""

from pydantic import Field

from store.sections.base import Days, Positive, Seconds, Section, Share


class Assistant(Section):
    """Inference, chat and documents."""

    max_upload_bytes: Positive = Field(8_000_000, description="of one document")
    max_pages: Positive = Field(400, description="of one PDF")
    max_sections: Positive = Field(5_000, description="of one document")
    near_duplicate: Share = Field(0.8, description="share of common word runs from which a document is named a near duplicate")
    document_lease_s: Seconds = Field(300, description="how long a worker may be silent over a document before another takes it")
    document_attempts: Positive = Field(3, description="after so many a document is given up")
    cache_days: Days = Field(7, description="how long an unused cached answer is kept")
    conversation_days: Days = Field(180, description="how long a conversation is kept after its last message")
    max_question: Positive = Field(2_000, description="characters of a question or prompt that are read")
    history_turns: Positive = Field(4, description="earlier turns of a conversation that a model is shown")
    zone: str = Field("UTC", description="time zone in which `last night` is read when the caller names none")
