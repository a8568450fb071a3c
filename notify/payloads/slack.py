"""Slack's Block Kit. Free text stands in `plain_text` only, where nothing of it is read as markup, a link or a mention."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from notify.wording import readable, sentence

VERBS = {"acknowledge": "Acknowledge", "confirm": "Confirm", "dismiss": "Dismiss"}
ACTION = "conclave_case"
TITLE_CAP, TEXT_CAP = 150, 3000


def escaped(text: str) -> str:
    """Text in a place that reads mrkdwn: without &, < and > there are no links and no mentions.

    >>> escaped("<!channel> & co")
    '&lt;!channel&gt; &amp; co'
    """
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def payload(content: Mapping[str, Any], *, buttons: bool = True, unsure: bool = False) -> dict[str, Any]:
    """The body for an incoming webhook: heading, lines, when, and buttons whose value names case and verb."""
    blocks = [_heading(content["title"]), _text(content["summary"]), *(_text(_line(line)) for line in content["lines"])]
    blocks += [_text(content["text"][at : at + TEXT_CAP]) for at in range(0, len(content["text"]), TEXT_CAP)]
    if content["more"]:
        blocks.append(_text(sentence("more", count=f"{content['more']:,}")))
    blocks.append(_when(content, unsure))
    if actions := _actions(content, buttons):
        blocks.append({"type": "actions", "elements": actions})
    return {"text": escaped(content["title"])[:TEXT_CAP], "blocks": blocks, "unfurl_links": False, "unfurl_media": False}


def _heading(title: str) -> dict[str, Any]:
    return {"type": "header", "text": {"type": "plain_text", "text": _cut(title, TITLE_CAP), "emoji": False}}


def _text(text: str) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "plain_text", "text": _cut(text, TEXT_CAP), "emoji": False}}


def _line(line: Mapping[str, Any]) -> str:
    times = f" ({sentence('grown', count=line['count'])})" if line["count"] > 1 else ""
    about = f"{line['words']}, {line['level']}" + (f", {line['entity']}" if line["entity"] else "")
    return f"• {line['title']}{times}\n{about}" + (f"\n{line['detail']}" if line["detail"] else "")


def _when(content: Mapping[str, Any], unsure: bool) -> dict[str, Any]:
    """In the reader's own time zone: Slack fills the dates in."""
    first, last = date(content["first_at"]), date(content["last_at"])
    said = first if first == last else sentence("span", first=first, last=last)
    elements = [{"type": "mrkdwn", "text": said}]
    return {"type": "context", "elements": elements + ([{"type": "mrkdwn", "text": sentence("again")}] if unsure else [])}


def date(at: str) -> str:
    """A moment as Slack renders it in the reader's zone, with words for where it cannot."""
    epoch = int(datetime.fromisoformat(at).timestamp())
    return f"<!date^{epoch}^{{date_short_pretty}} {{time}}|{readable(at)}>"


def _actions(content: Mapping[str, Any], buttons: bool) -> list[dict[str, Any]]:
    case_id, link = content["case_id"], content["link"]
    words = sentence("link_case" if case_id is not None else "link_all")
    opened = [_button(words, {"url": link, "action_id": "conclave_open"})] if link is not None else []
    if case_id is None or not buttons:
        return opened
    return opened + [
        _button(label, {"action_id": f"{ACTION}_{verb}", "value": json.dumps({"case_id": case_id, "verb": verb})})
        for verb, label in VERBS.items()
    ]


def _button(label: str, more: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "button", "text": {"type": "plain_text", "text": label, "emoji": False}, **more}


def _cut(text: str, cap: int) -> str:
    return (text if len(text) <= cap else text[: cap - 1] + "…") or "–"
