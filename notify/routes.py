"""Routes in their order, alert topics and subscriptions: which messages go where, grouped how, how often at most."""

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from notify.errors import BadRoute
from notify.kinds import Name, said
from notify.limits import Limit
from notify.matchers import Matcher, matches, parse, read
from notify.plan import Limits
from store.outbox import Message

Label = Annotated[str, Field(pattern=r"^(topic|kind|subject|entity|severity|payload\.[A-Za-z0-9_.-]{1,100})$")]
Condition = Annotated[str, Field(max_length=300)]
Span = Annotated[float, Field(ge=0, le=7 * 86_400)]
Given = TypeVar("Given", bound="Conditions")


class Share(BaseModel):
    """At most `count` at once, refilled evenly over `per_s` seconds; `count` 0: no limit."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    count: int = Field(ge=0, le=100_000)
    per_s: float = Field(gt=0, le=30 * 86_400)

    def limit(self) -> Limit | None:
        return Limit(self.count, self.per_s) if self.count else None


class Conditions(BaseModel):
    """Whom something takes: messages for which all matchers hold."""

    model_config = ConfigDict(extra="forbid", frozen=True, ignored_types=(cached_property,))

    matchers: tuple[Condition, ...] = Field((), max_length=30, description="all must hold: `kind~case.*`, `severity>=0.8`")
    enabled: bool = True

    @field_validator("matchers")
    @classmethod
    def _parsable(cls, given: tuple[str, ...]) -> tuple[str, ...]:
        for text in given:
            try:
                parse(text)
            except BadRoute as error:
                raise ValueError(str(error)) from None
        return given

    @cached_property
    def conditions(self) -> tuple[Matcher, ...]:
        return tuple(parse(text) for text in self.matchers)

    def takes(self, message: Message) -> bool:
        return self.enabled and matches(self.conditions, message)


class Rule(Conditions):
    """What routes and subscriptions share: how they group, how often they tell."""

    group_by: tuple[Label, ...] = Field(("subject",), max_length=6, description="messages alike in these leave together; (): all")
    group_wait_s: Span = Field(5, description="a message waits so long for others of its group")
    group_every_s: Span = Field(60, description="a group causes a message at most so often")
    repeat_s: Span = Field(300, description="the same kind about the same subject causes no second message within this")
    per_route: Share = Share(count=10, per_s=60)
    per_entity: Share = Share(count=5, per_s=3600)

    def group_of(self, message: Message) -> str:
        """The key of the message's group.

        >>> Rule(group_by=("kind", "subject")).group_of(Message("main", "cases", "case.opened", "case-1", 0.5, "", ""))
        'case.opened|case-1'
        """
        return "|".join(",".join(str(value)[:100] for value in read(message, label)) for label in self.group_by)[:400]

    def limits(self) -> Limits:
        group = Limit(1, self.group_every_s) if self.group_every_s else None
        repeat = Limit(1, self.repeat_s) if self.repeat_s else None
        return Limits(self.per_route.limit(), group, repeat, self.per_entity.limit())


class Route(Rule):
    """Routes are asked in their order; the first that takes a message keeps it, unless it says go_on."""

    channels: tuple[Name, ...] = Field(min_length=1, max_length=20)
    go_on: bool = Field(False, description="later routes are asked too")


class AlertTopic(Conditions):
    """A named topic: the messages that it takes are kept in it, to be read from any offset."""

    description: str = Field("", max_length=500)
    retention_days: int = Field(30, ge=1, le=3650)


class Target(BaseModel):
    """What a subscription sets off: a channel by its id, a processor by its name, a model call with its prompt, a Kafka topic."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    kind: Literal["channel", "processor", "model", "kafka"]
    name: str = Field(min_length=1, max_length=4000)

    def channel(self) -> tuple[str, dict[str, Any]]:
        """The kind and configuration of the channel that it is for the senders."""
        field = {"processor": "processor", "model": "prompt", "kafka": "topic"}[self.kind]
        return self.kind, {field: self.name}


class Subscription(Rule):
    """What follows when a message that `matchers` take reaches an alert topic."""

    topic: Name
    target: Target
    repeat_s: Span = 0
    group_every_s: Span = 0
    per_entity: Share = Share(count=0, per_s=3600)


def read_rule(kind: type[Given], given: dict[str, Any]) -> Given:
    """A checked route, alert topic or subscription; raises BadRoute that names the field."""
    try:
        return kind.model_validate(given)
    except ValidationError as error:
        raise BadRoute("; ".join(said(fault) for fault in error.errors())) from None


def chosen(routes: Sequence[tuple[str, Route]], message: Message) -> list[str]:
    """The ids of the routes that the message takes: down to the first that takes it and does not say go_on."""
    found = []
    for route_id, route in routes:
        if route.takes(message):
            found.append(route_id)
            if not route.go_on:
                break
    return found


def topics_of(topics: Iterable[tuple[str, AlertTopic]], message: Message) -> list[str]:
    return [topic_id for topic_id, topic in topics if topic.takes(message)]
