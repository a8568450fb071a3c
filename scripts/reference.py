"""The pages of docs/reference, made from the code: settings, API, tables, commands, metrics. `scripts/reference` writes them."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import SecretStr
from pydantic_core import PydanticUndefined

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "docs" / "reference"
MADE = "<!-- Made by scripts/reference from the code; edit the code. -->"
COLUMN = re.compile(
    r'^\s+(?:add column )?(?:if not exists )?"?([a-z_0-9]+)"? +([a-z][a-z0-9_ \[\]()]*?)'
    r"(?= not null| default| check| references| primary| unique|,|;|--|$)(.*)$"
)
CONSTRAINTS = {"primary", "unique", "check", "foreign", "constraint", "exclude"}


def pages() -> dict[str, str]:
    """File name → text of every page."""
    return {"settings.md": settings(), "api.md": api(), "tables.md": tables(), "commands.md": commands(), "metrics.md": metrics()}


def settings() -> str:
    """Every setting by section: variable, type, default, meaning."""
    from store.sections.base import Section
    from store.settings import Settings

    plain, sections = [], []
    for name, field in Settings.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, Section):
            meaning = " ".join((field.annotation.__doc__ or "").split())
            sections += [f"\n## `[{name}]`\n\n{meaning}\n", *_head()]
            sections += [_setting(f"{name}.{inner}", one) for inner, one in field.annotation.model_fields.items()]
        else:
            plain.append(_setting(name, field))
    said = (
        "`[section] field` in `conclave.toml`, or `CONCLAVE_SECTION__FIELD` in the environment, which wins. Unknown names are "
        "refused with the nearest known one."
    )
    return "\n".join([MADE, "# Settings", "", said, "", *_head(), *plain, *sections, ""])


def _head() -> list[str]:
    return ["| setting | type | default | meaning |", "|---|---|---|---|"]


def _setting(name: str, field: Any) -> str:
    default = field.default if field.default is not PydanticUndefined else "required"
    shown = "" if default is None else str(default).replace("|", "\\|")
    limits = ", ".join(str(one) for one in field.metadata if not str(one).startswith("_"))
    kind = type_words(field.annotation) + (f" ({limits})" if limits else "")
    return f"| `{name}` | {kind} | {f'`{shown}`' if shown else ''} | {(field.description or '').replace('|', '/')} |"


def type_words(kind: Any) -> str:
    """A type as a person says it.

    >>> type_words(float | None), type_words(Literal["a", "b"]), type_words(tuple[str, ...])
    ('float', 'a / b', 'list of str')
    """
    origin, inner = get_origin(kind), [one for one in get_args(kind) if one is not Ellipsis]
    if origin in (Union, UnionType):
        return " or ".join(type_words(one) for one in inner if one is not NoneType)
    if origin is Literal:
        return " / ".join(str(one) for one in inner)
    if origin in (tuple, list, set, frozenset):
        return f"list of {type_words(inner[0])}"
    if origin is dict:
        return f"table of {type_words(inner[0])} to {type_words(inner[1])}"
    if origin is not None and inner:
        return type_words(inner[0])
    return "secret" if kind is SecretStr else str(getattr(kind, "__name__", kind))


def api() -> str:
    """Every route by group: method, path, the role it needs, what it does."""
    from gateway.app import create_app
    from store.settings import Settings

    app = create_app(Settings(), None)  # type: ignore[arg-type]  # no route is called
    document, roles = app.openapi(), route_roles(app)
    groups: dict[str, list[str]] = {}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            group = (operation.get("tags") or ["other"])[0]
            role = roles.get((method, path), "anyone")
            groups.setdefault(group, []).append(f"| `{method.upper()} {path}` | {role} | {operation.get('summary', '')} |")
    said = (
        "The gateway serves the whole document, with every field, at `/openapi.json`. A higher role may do what a lower one may."
    )
    lines = [MADE, "# API", "", said]
    for group, rows in sorted(groups.items()):
        lines += ["", f"## {group}", "", "| route | least role | |", "|---|---|---|", *rows]
    return "\n".join([*lines, ""])


def route_roles(app: Any) -> dict[tuple[str, str], str]:
    """(method, path) → the least role, read from each route's own requirement."""
    from gateway.access import Requirement

    found = {}
    for route in flat(app.routes):
        wanted = [one.call.role.name for one in _dependants(route.dependant) if isinstance(one.call, Requirement)]
        for method in route.methods if wanted else ():
            found[(method.lower(), route.path)] = max(wanted, key=["viewer", "analyst", "admin"].index)
    return found


def flat(routes: Any) -> Iterator[Any]:
    """The API routes, however they are nested."""
    for route in routes:
        if hasattr(route, "dependant"):
            yield route
        elif hasattr(route, "effective_route_contexts"):
            yield from route.effective_route_contexts()


def _dependants(dependant: Any) -> Iterator[Any]:
    for one in dependant.dependencies:
        yield one
        yield from _dependants(one)


def tables() -> str:
    """Every table with its columns and what the schema says of them."""
    lines = [MADE, "# Tables", "", "Made by the migrations of [store/schema](../../store/schema), in their order."]
    found: dict[str, tuple[str, list[str]]] = {}
    for file in sorted((ROOT / "store" / "schema").glob("*.sql")):
        for name, meaning, columns in statements(file.read_text()):
            before = found.setdefault(name, (meaning, []))
            before[1].extend(columns)
    for name, (meaning, columns) in sorted(found.items()):
        lines += ["", f"## {name}", "", meaning, "", "| column | type | |", "|---|---|---|", *columns]
    return "\n".join([*lines, ""])


def statements(text: str) -> Iterator[tuple[str, str, list[str]]]:
    """(table, the comment above it, its columns) of every `create table` and `alter table`."""
    above: list[str] = []
    lines = iter(text.splitlines())
    for line in lines:
        if line.startswith("--"):
            above.append(line.removeprefix("--").strip())
            continue
        if match := re.match(r"(create|alter) table (?:if not exists )?(\w+)(.*)", line):
            body = [match[3], *([] if _ends(line) else _until_end(lines))]
            tail = [match[3].partition("--")[2].strip()] if match[1] == "create" else []
            yield match[2], " ".join(filter(None, [*above, *tail])) if match[1] == "create" else "", list(columns(body, match[1]))
        above = []


def _ends(line: str) -> bool:
    return line.partition("--")[0].rstrip().endswith(";")


def _until_end(lines: Iterator[str]) -> Iterator[str]:
    for line in lines:
        yield line
        if _ends(line):
            return


def columns(body: list[str], verb: str) -> Iterator[str]:
    for line in body:
        if verb == "alter" and "add column" not in line:
            continue
        text = line if verb == "create" else "  " + line[line.index("add column") :]
        if (match := COLUMN.match(text)) and match[1] not in CONSTRAINTS:
            said = match[3].partition("--")[2].strip().replace("|", "\\|")
            yield f"| `{match[1]}` | {match[2].strip()} | {said} |"


def commands() -> str:
    """Every command with its line."""
    from cli.app import COMMANDS

    panels: dict[str, list[str]] = {}
    for name, entry in COMMANDS.items():
        panels.setdefault(entry.panel, []).append(f"| `conclave {name}` | {entry.summary} |")
    lines = [MADE, "# Commands", "", "`conclave COMMAND --help` says every option."]
    for panel, rows in panels.items():
        lines += ["", f"## {panel}", "", "| command | |", "|---|---|", *rows]
    return "\n".join([*lines, ""])


def metrics() -> str:
    """Every metric that any of our processes gives at `/metrics`."""
    from gateway.metrics import Metrics
    from observe.telemetry import catalogue, gauges

    said = (
        "For Prometheus: each process gives what it has touched at `/metrics`, on a port of its own (`telemetry.metrics_port`); "
        "the gateway at its own address, too. See [monitoring](../how-to/monitoring.md)."
    )
    parts = {
        "Counted by each process": catalogue.REGISTRY.collect(),
        "Read from the database by `conclave operate`": gauges.families(),
        "Counted by the gateway": Metrics().collected.collect(),
    }
    lines = [MADE, "# Metrics", "", said]
    for title, families in parts.items():
        lines += ["", f"## {title}", "", "| metric | kind | labels | meaning |", "|---|---|---|---|"]
        lines += [_metric(one) for one in sorted(families, key=lambda family: family.name) if one.name.startswith("conclave")]
    return "\n".join([*lines, ""])


def _metric(family: Any) -> str:
    from prometheus_client.core import GaugeMetricFamily

    labels = family._labelnames if isinstance(family, GaugeMetricFamily) else metric_labels().get(family.name, ())
    name = f"{family.name}{'_total' * (family.type == 'counter')}"
    return f"| `{name}` | {family.type} | {', '.join(f'`{label}`' for label in labels)} | {family.documentation} |"


def metric_labels() -> dict[str, tuple[str, ...]]:
    """Metric → its labels, of what is counted in a process."""
    from gateway.metrics import Metrics
    from observe.telemetry import catalogue

    kept = [vars(catalogue), vars(Metrics())]
    made = [one for names in kept for one in names.values() if hasattr(one, "_labelnames") and hasattr(one, "_name")]
    return {one._name: tuple(one._labelnames) for one in made}


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        (FOLDER / name).write_text(text)
        print(f"docs/reference/{name}: {len(text.splitlines())} lines", file=sys.stderr)


if __name__ == "__main__":
    main()
