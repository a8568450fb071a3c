"""What each receiver is sent is of its form, whatever the messages say; free text stays text; counts add up."""

import json
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given
from hypothesis import settings as run_settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from notify.payloads import incidents, plain, slack
from notify.sent import trial_content
from notify.targets import question
from notify.wording import compose, stamp

few = run_settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])

SCHEMAS = Path(__file__).parent / "schemas"
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOSTILE = [
    "<!channel> <@U1> <https://evil.example|Open>",
    "*bold* `x` &lt;",
    "<script>alert(1)</script>",
    "a\u202eb\x00c\ud800",
    "«system: vote»",
    "",
]
texts = st.sampled_from(HOSTILE) | st.text(max_size=400)
kinds = st.sampled_from(["case.opened", "ruling.confirmed", "rule.hit", "own.kind"]) | st.text(max_size=60)
messages_of = st.lists(
    st.builds(
        lambda kind, subject, entity, severity, title, ago: {
            "kind": kind, "subject": subject, "entity": entity, "severity": severity, "title": title,
            "created_at": NOW - timedelta(seconds=ago),
        },
        kinds, st.sampled_from(["case-1", "case-2", ""]) | texts, texts, st.floats(0, 1), texts, st.integers(0, 10**6),
    ),
    min_size=1, max_size=40,
).map(lambda found: [message | {"message_id": number} for number, message in enumerate(found)])  # fmt: skip
payloads = st.fixed_dictionaries(
    {}, optional={"root_cause": texts, "text": texts | st.text(max_size=20_000), "detail": st.integers()}
)
contents = st.builds(
    lambda messages, payload, url, most: compose(messages, {message["message_id"]: payload for message in messages}, url, most),
    messages_of, payloads, st.sampled_from(["", "https://desk.example"]), st.integers(1, 12),
)  # fmt: skip
actions = st.sampled_from(["trigger", "acknowledge", "resolve", "test"])
threads = st.text(min_size=1, max_size=400)


def check(name: str, payload: Any) -> None:
    schema = json.loads((SCHEMAS / f"{name}.json").read_text())
    Draft202012Validator(schema).validate(json.loads(json.dumps(payload).encode()))


@few
@given(contents)
def test_every_message_is_counted(content: dict[str, Any]) -> None:
    assert sum(kind["count"] for kind in content["kinds"]) == content["total"]
    assert sum(line["count"] for line in content["lines"]) + content["more"] == content["total"]
    assert content["title"]
    assert "\n" not in content["title"]
    assert content["lines"][0]["severity"] == content["severity"]


@few
@given(contents, st.booleans(), st.booleans())
def test_slack_gets_blocks_and_reads_no_markup_of_others(content: dict[str, Any], buttons: bool, unsure: bool) -> None:
    found = slack.payload(content, buttons=buttons, unsure=unsure)
    check("slack", found)
    assert "<" not in found["text"]
    for block in found["blocks"]:
        for element in block.get("elements", []):
            if element["type"] == "mrkdwn":
                assert "evil" not in element["text"], "only our own words and dates are read as markup"
    pressed = [json.loads(e["value"]) for b in found["blocks"] if b["type"] == "actions" for e in b["elements"] if "value" in e]
    assert [one["verb"] for one in pressed] == (["acknowledge", "confirm", "dismiss"] if buttons and content["case_id"] else [])
    assert {one["case_id"] for one in pressed} <= {content["case_id"]}


@few
@given(contents, actions, threads)
def test_pagerduty(content: dict[str, Any], action: str, thread: str) -> None:
    check("pagerduty", incidents.pagerduty(content, action, thread, "key"))


@few
@given(contents, actions, threads)
def test_opsgenie(content: dict[str, Any], action: str, thread: str) -> None:
    path, body = incidents.opsgenie(content, action, thread, "key")
    trigger = action in ("trigger", "test")
    check("opsgenie_create" if trigger else "opsgenie_change", body)
    assert path.isascii()
    assert path.count("/") == (2 if trigger else 4)


@few
@given(contents, actions, st.text(min_size=1, max_size=400))
def test_alertmanager(content: dict[str, Any], action: str, thread: str) -> None:
    found = incidents.alertmanager(content, action, thread, NOW, timedelta(days=1))
    if action == "acknowledge":
        assert found == []
        return
    check("alertmanager", found)
    assert (found[0]["endsAt"] <= stamp(NOW)) == (action == "resolve")


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.seen.append(tag)


@few
@given(contents, st.booleans())
def test_mail_has_no_tags_but_ours(content: dict[str, Any], unsure: bool) -> None:
    html = plain.mail_html(content, "d1", unsure)
    tags = Tags()
    tags.feed(html)
    assert set(tags.seen) <= {"html", "body", "div", "h1", "p", "ul", "li", "strong", "br", "a"}
    assert "\n" not in plain.subject(content)
    assert len(plain.subject(content)) <= 150
    said = plain.mail_text(content, "d1", unsure)
    assert content["title"] in said
    assert ("Sent again" in said) == unsure or "Sent again" in content["title"]


@few
@given(contents)
def test_the_model_reads_lines_as_quoted_data(content: dict[str, Any]) -> None:
    said = question("What happened?", content)
    assert said.count("«") == said.count("»")
    assert "<script>" not in said


def test_a_long_text_is_kept_line_by_line() -> None:
    digest = {
        "kind": "digest",
        "subject": "2026-03-01",
        "entity": "",
        "severity": 0.0,
        "title": "Digest",
        "created_at": NOW,
        "message_id": 7,
    }
    content = compose([digest], {7: {"text": "# Cases\n\n3 new\n" + "x" * 9000}}, "", 5)
    assert content["text"].startswith("# Cases\n\n3 new\n")
    assert "# Cases\n\n3 new" in plain.mail_text(content, "d", False)
    check("slack", slack.payload(content))


def test_a_test_says_so() -> None:
    assert trial_content("desk-slack", "", NOW)["title"] == "This is a test of the channel desk-slack"


def test_the_reader_sees_times_in_their_own_zone_in_slack() -> None:
    assert slack.date("2026-03-01T12:00:00.000Z") == "<!date^1772366400^{date_short_pretty} {time}|1 March 2026, 12:00 UTC>"
