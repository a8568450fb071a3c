"""Settings of desk/."""

from typing import Annotated, Literal

from pydantic import Field, SecretStr

from store.sections.base import Count, Days, Money, Positive, Seconds, Section, Share

Rate = Annotated[float, Field(gt=0, le=1e12)]
Action = Literal["block_account", "step_up_auth", "hold_terminal", "open_incident", "watch"]


class Limit(Section):
    """How soon a case must be acknowledged and closed, from a severity upwards."""

    from_severity: Share
    acknowledge_min: Positive
    resolve_min: Positive


class Level(Section):
    """Whom to tell when a limit has passed for so many minutes and nobody has acted."""

    after_min: Count
    to: str = Field(description="whom: a person, a rota, a channel's name; routes can match it")
    route: str = Field("", description="a route of notify to send it by; empty: the routes that match")


class Approval(Section):
    """Commands that need no person: of this action, from this confidence of a confirmed ruling upwards."""

    action: Action
    min_confidence: Share
    min_severity: Share = 0.0


class Desk(Section):
    """Cases as people work on them: grouping, limits, commands."""

    join_within_s: Seconds = Field(1800, description="cases of one cause join when their hits lie this near in event time")
    same_subject_within_s: Seconds = Field(86_400, description="the same for one account, and for a card tried and then spent")
    recur_within_s: Seconds = Field(7 * 86_400, description="a recurrence after this long is a new case")
    dismissal_days: Days = Field(30, description="how long a dismissal keeps recurrences quiet, unless it says otherwise")
    worse_by: Share = Field(0.1, description="a severity higher by this much breaks a snooze or a dismissal")
    more_times: float = Field(2.0, gt=1, le=1e6, description="so many times the hits break a snooze")
    limits: tuple[Limit, ...] = Field(
        (
            Limit(from_severity=0.9, acknowledge_min=15, resolve_min=240),
            Limit(from_severity=0.7, acknowledge_min=60, resolve_min=1440),
            Limit(from_severity=0.0, acknowledge_min=480, resolve_min=4320),
        ),
        description="time to acknowledge and to close, by severity",
    )
    escalation: tuple[Level, ...] = Field(
        (Level(after_min=0, to="on-call"), Level(after_min=30, to="lead")),
        description="who is told when a limit has passed, level by level",
    )
    currency: str = Field("EUR", description="what losses are reckoned in")
    rates: dict[str, Rate] = Field({}, description="currency → worth of one unit in `currency`; one that is missing is unknown")
    cost_per_request: Money | None = Field(None, description="loss of a failed request; unset: a service's loss is unknown")
    assumed_stake: Money = Field(500, description="only for the inbox's order: stake of a case whose loss is unknown")
    approve: tuple[Approval, ...] = Field((), description="policies that approve commands without a person; off by default")
    webhook_url: str = Field("", description="where approved commands are sent; empty: people carry them out by hand")
    webhook_urls: dict[Action, str] = Field({}, description="action → another address")
    webhook_secret: SecretStr | None = Field(None, description="key of the signature; without it no command is sent")
    webhook_timeout_s: float = Field(10, gt=0, le=120)
    webhook_attempts: Positive = Field(8, description="tries before a command counts as failed")
    webhook_backoff_s: Seconds = Field(2, description="first wait between tries; doubles, to ten minutes at most")
    command_ttl_s: Seconds = Field(86_400, description="an approval that could not be sent for so long is given up")
    undo_within_s: Seconds = Field(86_400, description="how long an executed command can be undone")
    slack_secret: SecretStr | None = Field(None, description="Slack's signing secret; without it button callbacks are refused")
    slack_users: dict[str, str] = Field({}, description="Slack user id → name; who is not named may not press")
    batch: Positive = Field(200, description="rulings taken in one transaction")
