"""Conditions on messages, and routes made of them."""

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as run_settings
from hypothesis import strategies as st

from notify.errors import BadRoute
from notify.matchers import matches, parse
from notify.routes import AlertTopic, Route, Rule, chosen, read_rule
from store.outbox import Message

few = run_settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])

PAYLOAD = {"tags": ["vip", "eu"], "project": {"name": "checkout"}, "hits": 12, "flag": True}
MESSAGE = Message("main", "cases", "case.opened", "case-1", 0.8, "Card testing", "k", "account:17", PAYLOAD)


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("kind=case.opened", True), ("kind=case.open", False), ("kind!=case.opened", False), ("kind~case.*|ruling.*", True),
        ("kind~ruling.*|llm.*", False), ("entity~account:*", True), ("entity!~account:1?", False), ("entity!~service:*", True),
        ("severity>=0.8", True), ("severity>0.8", False), ("severity<0.9", True), ("severity <= 0.79", False), ("tag=vip", True),
        ("tag=us", False), ("tag!=us", True), ("tag!=vip", False), ("tag~e*", True), ("payload.project.name=checkout", True),
        ("payload.hits>=10", True), ("payload.hits<10", False), ("payload.flag>=0", False), ("payload.nothing=x", False),
        ("payload.nothing!=x", True), ("payload.nothing>=0", False), (" topic = cases ", True), ("title=Card testing", True),
    ],
)  # fmt: skip
def test_a_condition(text: str, holds: bool) -> None:
    assert parse(text).holds(MESSAGE) is holds


@pytest.mark.parametrize(
    "text", ["", "kind", "colour=red", "severity=0.5", "severity>=high", "payload=1", "=x", "kind=" + "x" * 400]
)
def test_what_is_none_says_so(text: str) -> None:
    with pytest.raises(BadRoute):
        parse(text)


@few
@given(st.text(max_size=30), st.sampled_from(["=", "~"]))
def test_not_is_the_opposite(value: str, op: str) -> None:
    wanted = value.strip().lstrip("=~")
    yes, no = parse(f"entity{op}{wanted}"), parse(f"entity!{op}{wanted}")
    for entity in ("account:17", value, ""):
        message = replace(MESSAGE, entity=entity)
        assert yes.holds(message) != no.holds(message)


@few
@given(st.text(max_size=200), st.text(alphabet="*?ab[]", max_size=200))
def test_patterns_cannot_hang(value: str, pattern: str) -> None:
    matches((parse("title~x" + pattern),), replace(MESSAGE, title=value * 20))


def test_the_first_that_takes_it_keeps_it() -> None:
    def route(*matchers: str, go_on: bool = False, enabled: bool = True) -> Route:
        return Route(matchers=matchers, channels=("c",), go_on=go_on, enabled=enabled)

    routes = [
        ("off", route(enabled=False)),
        ("log", route("topic=cases", go_on=True)),
        ("none", route("severity>=0.9")),
        ("cases", route()),
        ("rest", route()),
    ]
    assert chosen(routes, MESSAGE) == ["log", "cases"]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"channels": []}, "channels"), ({"channels": ["a"], "matchers": ["x"]}, "matchers"), ({"channels": ["A B"]}, "channels"),
        ({"channels": ["a"], "group_by": ["colour"]}, "group_by"),
        ({"channels": ["a"], "per_route": {"count": -1, "per_s": 1}}, "count"),
        ({"channels": ["a"], "surprise": 1}, "surprise"), ({}, "channels"),
    ],
)  # fmt: skip
def test_a_wrong_route_names_the_field(given: dict, says: str) -> None:
    with pytest.raises(BadRoute, match=says):
        read_rule(Route, given)


def test_groups_and_limits_of_a_rule() -> None:
    assert Rule(group_by=("topic", "payload.project.name")).group_of(MESSAGE) == "cases|checkout"
    assert Rule(group_by=()).group_of(MESSAGE) == ""
    none = Rule(group_every_s=0, repeat_s=0, per_route={"count": 0, "per_s": 1}, per_entity={"count": 0, "per_s": 1}).limits()
    assert (none.route, none.group, none.repeat, none.entity) == (None, None, None, None)
    assert not AlertTopic(matchers=("tag=us",)).takes(MESSAGE)
