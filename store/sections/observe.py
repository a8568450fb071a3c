"""Settings of observe/."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from store.sections.base import Count, Days, Positive, Seconds, Section, Share

KeptShare = Annotated[float, Field(gt=0, le=1)]


class Observe(Section):
    """Traces of language model calls: scoring, sampling, cost, alerts."""

    own_project: str = Field("conclave", description="the project of our own calls (council, ask, chat); empty: none")
    new_projects: bool = Field(True, description="a key that may send to all projects makes the ones it names")
    text_mode: Literal["plain", "masked", "encrypted", "none"] = Field(
        "masked",
        description="how a new project keeps text: as it is, masked, sealed with the vault's keys, not at all",
    )
    retention_days: Days = Field(30, description="how long a new project keeps its traces")
    keep_share: KeptShare = Field(0.2, description="share of a new project's ordinary traces that is kept")
    full_per_hour: Count = Field(200, description="a project's first traces of an hour are kept whatever they are")
    novel_per_hour: Count = Field(60, description="so many an hour are kept because nothing like them was seen")
    slow_ms: Seconds = Field(20_000, description="from here a trace is slow and always kept; a project may say otherwise")
    costly: float | None = Field(0.1, gt=0, le=1e9, description="from here a trace is costly and always kept")
    hallucination_bar: Share = Field(0.5, description="an answer less faithful than this is a hallucination")
    settle_s: Seconds = Field(15, description="how long the spans of a trace without its root are waited for")
    batch: Positive = Field(50, description="traces scored in one transaction")
    price_file: Path | None = Field(None, description="a price table (TOML) in place of the bundled one")
    toxic_words: Path | None = Field(None, description="a word list in place of the bundled one")
    judge: bool = Field(False, description="let the council's model score beside the words, for every project")
    judge_lease_s: Seconds = Field(180, description="after this long another worker may judge the trace")
    check_every_s: Seconds = Field(30, description="how often each alert rule is looked at")
    tidy_every_s: Seconds = Field(3600, description="how often traces past their project's retention are removed")
    max_spans: Positive = Field(2000, description="spans of one request; more are refused")
    max_text: Positive = Field(32_000, description="characters kept of a question, an answer or a context")
    max_contexts: Positive = Field(50, description="contexts kept of a span")
