"""The forms that people read outside of chat (mail as text and HTML, a short text), and the JSON of webhooks."""

from collections.abc import Mapping
from html import escape
from typing import Any

from notify.wording import readable, sentence, tame, template

SUBJECT_CAP = 150


def webhook(content: Mapping[str, Any], delivery_id: str, action: str, tenant: str) -> dict[str, Any]:
    """What a generic webhook gets: the content as it is, and which delivery of which tenant it is."""
    return {"version": 1, "delivery_id": delivery_id, "tenant": tenant, "action": action, **content}


def subject(content: Mapping[str, Any]) -> str:
    """A mail's subject: one line."""
    return tame(f"[{content['level']}] {content['title']}", SUBJECT_CAP)


def mail_text(content: Mapping[str, Any], delivery_id: str, unsure: bool) -> str:
    lines = [_line(line) for line in content["lines"]] + ([f"\n{content['text']}"] if content["text"] else [])
    return template("email.txt").substitute(
        title=content["title"], summary=content["summary"], lines="\n".join(["", *lines]), delivery=delivery_id,
        more=f"{sentence('more', count=format(content['more'], ','))}\n" if content["more"] else "",
        link=f"\n{_link_words(content)}: {content['link']}\n" if content["link"] is not None else "", again=_again(unsure),
    )  # fmt: skip


def mail_html(content: Mapping[str, Any], delivery_id: str, unsure: bool) -> str:
    """The same as HTML; every value is escaped."""
    link = ""
    if content["link"] is not None:
        link = f'<p><a href="{escape(content["link"])}" style="color:#2f5d8a">{escape(_link_words(content))}</a></p>'
    return template("email.html").substitute(
        title=escape(content["title"]), summary=escape(content["summary"]),
        lines="\n".join(_item(line) for line in content["lines"]),
        text=f'<div style="white-space:pre-wrap">{escape(content["text"])}</div>' if content["text"] else "",
        more=f"<p>{escape(sentence('more', count=format(content['more'], ',')))}</p>" if content["more"] else "",
        link=link, delivery=escape(delivery_id), again=escape(_again(unsure)),
    )  # fmt: skip


def short_text(content: Mapping[str, Any], unsure: bool) -> str:
    """For services of apprise, as plain text."""
    more = sentence("more", count=f"{content['more']:,}") if content["more"] else ""
    parts = [content["summary"], *map(_line, content["lines"]), content["text"], more, content["link"], _again(unsure).strip()]
    return "\n".join(part for part in parts if part)


def _line(line: Mapping[str, Any]) -> str:
    times = f" ({sentence('grown', count=line['count'])})" if line["count"] > 1 else ""
    about = ", ".join(part for part in (line["words"], line["level"], line["entity"], readable(line["at"])) if part)
    return f"- {line['title']}{times}\n  {about}" + (f"\n  {line['detail']}" if line["detail"] else "")


def _item(line: Mapping[str, Any]) -> str:
    title, *rest = (escape(part.strip()) for part in _line(line)[2:].split("\n"))
    if line["link"] is not None:
        title = f'<a href="{escape(line["link"])}" style="color:#1c1c1a">{title}</a>'
    return f'<li style="margin-bottom:8px"><strong>{title}</strong>' + "".join(f"<br>{part}" for part in rest) + "</li>"


def _link_words(content: Mapping[str, Any]) -> str:
    return sentence("link_case" if content["case_id"] is not None else "link_all")


def _again(unsure: bool) -> str:
    return f" {sentence('again')}" if unsure else ""
