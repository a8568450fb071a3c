"""Settings of pipelines/."""

from pydantic import Field

from store.sections.base import Days, Positive, Seconds, Section


class Pipelines(Section):
    """Topics, segments and processors."""

    hits_per_batch: Positive = Field(1000, description="hits of a rule kept with their event, of one batch; all are counted")
    messages_per_batch: Positive = Field(50, description="entities of a rule that get a message of their own in one batch")
    list_items: Positive = Field(200_000, description="most items of a data list")
    dry_run_events: Positive = Field(200_000, description="most events of a dry run")
    keep_days: Days = Field(30, description="counts per batch, pins and finished work; totals per hour and hits stay longer")
    totals_days: Days = Field(365, description="totals per hour, hits and suppressions")
    pool_size: Positive = Field(2, description="calls at the same time in a worker pool that was not configured")
    pool_queue: Positive = Field(1000, description="waiting items of such a pool; what comes above is counted as overflowed")
    pool_timeout_s: Seconds = Field(30, description="of one call in such a pool")
    pool_attempts: Positive = Field(3, description="tries of one item in such a pool")
    http_hosts: tuple[str, ...] = Field(
        (), description="hosts (`name` or `name:port`) that an http processor may call; none: no calls"
    )
    model_prompt_chars: Positive = Field(4000, description="characters of an event that a model call is shown at most")
