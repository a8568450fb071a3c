"""The OpenAPI document as one page that people read: no script, nothing loaded from elsewhere."""

import json
import re
from html import escape
from typing import Any

STYLE = """
body{font:16px/1.55 system-ui,sans-serif;max-width:60rem;margin:0 auto;padding:1.5rem;color:#1a2330;background:#fff}
h1{margin:0 0 .3rem}
h2{margin:2.2rem 0 .4rem;padding-bottom:.2rem;border-bottom:1px solid #d6dce4}
summary{cursor:pointer;padding:.35rem 0}
code,pre{font:14px/1.45 ui-monospace,monospace;background:#f2f5f8;border-radius:4px}
code{padding:.1rem .3rem}
pre{padding:.7rem;overflow:auto}
.m{display:inline-block;min-width:4.2rem;font-weight:600}
.q{color:#586474}
details>div{margin:.2rem 0 1rem 1rem}
table{border-collapse:collapse;width:100%}
td{text-align:left;vertical-align:top;padding:.25rem .6rem .25rem 0;border-bottom:1px solid #e6eaef}
nav a{margin-right:.8rem}
@media(prefers-color-scheme:dark){
body{color:#dde4ec;background:#12171d}
code,pre{background:#1d252e}
a{color:#8ab8ff}
h2,td{border-color:#2d3742}
.q{color:#98a5b3}
}"""
CODE = re.compile(r"`([^`]+)`")
DEEPEST = 6  # schemas may hold themselves
METHODS = ("get", "post", "put", "patch", "delete")


def page(document: dict[str, Any]) -> str:
    """The whole document, grouped by tag; described tags come first, in their order."""
    about = {tag["name"]: tag.get("description", "") for tag in document.get("tags", [])}
    groups: dict[str, list[str]] = {name: [] for name in about}
    for path, methods in document["paths"].items():
        for method in METHODS:
            if method in methods:
                route = methods[method]
                groups.setdefault((route.get("tags") or ["other"])[0], []).append(_route(document, path, method, route))
    groups = {tag: routes for tag, routes in groups.items() if routes}
    nav = " ".join(f'<a href="#{escape(tag)}">{escape(tag)}</a>' for tag in groups)
    parts = [
        f'<h2 id="{escape(tag)}">{escape(tag)}</h2>{_text(about.get(tag, ""))}{"".join(routes)}' for tag, routes in groups.items()
    ]
    info = document["info"]
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{escape(info['title'])} API</title><style>{STYLE}</style></head><body><h1>{escape(info['title'])} API</h1>"
        f'<p class="q">Version {escape(info["version"])} · <a href="/openapi.json">openapi.json</a></p>'
        f"{_text(info.get('description', ''))}<nav>{nav}</nav>{''.join(parts)}</body></html>"
    )


def _group(tag: str, about: str, routes: list[str]) -> str:
    return f'<h2 id="{escape(tag)}">{escape(tag)}</h2>{_text(about)}{"".join(routes)}'


def _route(document: dict[str, Any], path: str, method: str, route: dict[str, Any]) -> str:
    parts = [_text(route.get("description", "")), _parameters(route.get("parameters", []))]
    for media, content in route.get("requestBody", {}).get("content", {}).items():
        parts.append(f"<p>Body, <code>{escape(media)}</code>:</p>{_example(document, content)}")
    for status, answer in route.get("responses", {}).items():
        parts.append(f"<p><b>{escape(status)}</b> {escape(answer.get('description', ''))}</p>")
        for media, content in answer.get("content", {}).items() if status.startswith("2") else ():
            parts.append(_example(document, content) if "json" in media else f"<p><code>{escape(media)}</code></p>")
    head = f'<span class="m">{method.upper()}</span> <code>{escape(path)}</code> {escape(route.get("summary", ""))}'
    return f"<details><summary>{head}</summary><div>{''.join(parts)}</div></details>"


def _parameters(parameters: list[dict[str, Any]]) -> str:
    rows = [
        f"<tr><td><code>{escape(one['name'])}</code></td>"
        f"<td class='q'>{escape(one['in'])}{', needed' if one.get('required') else ''}</td>"
        f"<td>{escape(one.get('description') or one.get('schema', {}).get('description') or '')}</td></tr>"
        for one in parameters
    ]
    return f"<table>{''.join(rows)}</table>" if rows else ""


def _example(document: dict[str, Any], content: dict[str, Any]) -> str:
    shown = content.get("example") or example(document, content.get("schema", {}))
    return f"<pre>{escape(json.dumps(shown, indent=2, ensure_ascii=False))}</pre>"


def _text(words: str) -> str:
    parts = [CODE.sub(r"<code>\1</code>", escape(part)) for part in words.split("\n\n") if part.strip()]
    return "".join(f"<p>{part}</p>" for part in parts)


def example(document: dict[str, Any], schema: dict[str, Any], depth: int = 0) -> Any:
    """What a value of the schema looks like, from its examples, defaults and types."""
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
    for word in ("const", "default"):
        if schema.get(word) is not None:
            return schema[word]
    if schema.get("examples"):
        return schema["examples"][0]
    if schema.get("enum"):
        return schema["enum"][0]
    for word in ("anyOf", "oneOf", "allOf"):
        if schema.get(word):
            return example(document, schema[word][0], depth)
    return _typed(document, schema, depth)


def _typed(document: dict[str, Any], schema: dict[str, Any], depth: int) -> Any:
    kind = schema.get("type")
    if kind == "object" or "properties" in schema:
        return (
            {name: example(document, inner, depth + 1) for name, inner in schema.get("properties", {}).items()}
            if depth < 6
            else {}
        )
    if kind == "array":
        return [example(document, schema.get("items", {}), depth + 1)] if depth < 6 else []
    formats = {"date-time": "2026-05-01T12:00:00Z", "date": "2026-05-01"}
    plain = {"string": formats.get(schema.get("format", ""), "…"), "integer": 1, "number": 1.5, "boolean": True}
    return plain.get(kind) if isinstance(kind, str) else None
