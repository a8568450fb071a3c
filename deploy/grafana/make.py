"""Makes the two Grafana dashboards: `python deploy/grafana/make.py`. A panel is a title, its queries and a unit."""

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

HERE = Path(__file__).parent
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
WIDTH = 24
HEIGHTS = {"row": 1, "stat": 4, "timeseries": 8, "table": 8}


@dataclass(frozen=True)
class Panel:
    """`queries`: PromQL → legend. `alarm`: from here a number is red."""

    title: str
    queries: dict[str, str]
    unit: str = "short"
    kind: Literal["stat", "timeseries", "table"] = "timeseries"
    width: int = 8
    said: str = ""
    alarm: float | None = None
    stacked: bool = False


Rows = dict[str, Sequence[Panel]]


def stat(title: str, query: str, unit: str = "short", alarm: float | None = None, said: str = "") -> Panel:
    return Panel(title, {query: ""}, unit, "stat", 4, said, alarm)


def quantile(share: float, metric: str, by: str) -> str:
    return f"histogram_quantile({share}, sum by ({by}, le) (rate({metric}_bucket[$__rate_interval])))"


def rate(metric: str, by: str) -> str:
    return f"sum by ({by}) (rate({metric}[$__rate_interval]))"


ON_CALL: Rows = {
    "Now": (
        stat("Alerts", 'count(ALERTS{alertstate="firing", alertname=~"Conclave.*"}) or vector(0)', alarm=1),
        stat("Processes that answer", 'sum(up{job="conclave"})'),
        stat("Detect is behind by", 'conclave:lag_seconds:max{stream="detect"}', "s", 60),
        stat("Oldest immediate case", 'conclave:docket_oldest_seconds:max{lane="immediate"}', "s", 60),
        stat("Dead letters", "max(conclave_docket_dead)", alarm=1),
        stat("Database answers", 'max(conclave_up{dependency="database"})'),
    ),
    "Streams": (
        Panel("Events a second", {rate("conclave_events_total", "stream, outcome"): "{{stream}} {{outcome}}"}, "cps"),
        Panel("Waiting", {"conclave:lag_waiting:max": "{{stream}} ({{unit}})"}, said="Files, events or rows not taken yet."),
        Panel("Oldest that waits", {"conclave:lag_seconds:max": "{{stream}}"}, "s", alarm=60),
        Panel(
            "Batch, 95 % within",
            {quantile(0.95, "conclave_batch_seconds", "stream, stage"): "{{stream}} {{stage}}"},
            "s",
            width=12,
            said="`trigger` is the whole, `write` our part of it; `source`, `plan` and `log` are Spark's, the others ours.",
        ),
        Panel(
            "Since the last batch",
            {"time() - max by (stream) (conclave_last_commit_timestamp_seconds)": "{{stream}}"},
            "s",
            width=12,
        ),
        Panel(
            "Entities in state", {"max(conclave_state_entities)": "entities", "max(conclave_state_planned_entities)": "planned"}
        ),
        Panel("State", {"max(conclave_state_bytes)": "bytes"}, "bytes"),
        Panel(
            "Source is ahead by", {"max by (stream) (conclave_lag_offsets)": "{{stream}}"}, said="As the source itself counts."
        ),
        Panel("Refused", {"conclave:quarantine_share:ratio10m": "share of records"}, "percentunit", alarm=0.05),
        Panel("Left the state", {rate("conclave_evicted_entities_total", "why"): "{{why}}"}, "cps"),
        Panel("Batches a minute", {"60 * sum by (stream) (rate(conclave_batches_total[$__rate_interval]))": "{{stream}}"}),
    ),
    "Council": (
        Panel("Docket", {"conclave:docket_depth:max": "{{lane}}"}, stacked=True),
        Panel("Oldest case", {"conclave:docket_oldest_seconds:max": "{{lane}}"}, "s", alarm=60),
        Panel(
            "Off the docket", {"max(conclave_docket_dead)": "dead letters", "max(conclave_docket_shed)": "filed with a receipt"}
        ),
        Panel(
            "Rulings a minute",
            {"60 * sum by (outcome, council) (rate(conclave_rulings_total[$__rate_interval]))": "{{outcome}} by {{council}}"},
            stacked=True,
        ),
        Panel("Hearing, 95 % within", {quantile(0.95, "conclave_hearing_seconds", "lane"): "{{lane}}"}, "s"),
        Panel("Filed for want of room", {rate("conclave_cases_shed_total", "lane"): "{{lane}}"}, "cps"),
        Panel("Model call, 95 % within", {quantile(0.95, "conclave_model_call_seconds", "asked_by"): "{{asked_by}}"}, "s"),
        Panel("Model calls", {rate("conclave_model_calls_total", "asked_by, outcome"): "{{asked_by}} {{outcome}}"}, "cps"),
        Panel("Tokens a second", {rate("conclave_model_tokens_total", "asked_by, direction"): "{{asked_by}} {{direction}}"}),
        Panel("Breaker", {"max by (state) (conclave_breaker_state)": "{{state}}"}),
        Panel("Workers that live", {"max by (kind) (conclave_workers)": "{{kind}}"}),
        Panel("Model fails", {"conclave:model_failures:ratio15m": "share of calls"}, "percentunit", alarm=0.5),
    ),
    "Beside the stream": (
        Panel("Deliveries", {rate("conclave_deliveries_total", "channel, outcome"): "{{channel}} {{outcome}}"}, "cps"),
        Panel("Delivery, 95 % within", {quantile(0.95, "conclave_delivery_seconds", "channel"): "{{channel}}"}, "s"),
        Panel("Deliveries open", {"max by (state) (conclave_deliveries_open)": "{{state}}"}),
        Panel("Commands carried out", {rate("conclave_commands_total", "action, outcome"): "{{action}} {{outcome}}"}, "cps"),
        Panel(
            "Scheduled runs",
            {"sum by (name, state) (increase(conclave_schedule_runs_total[$__rate_interval]))": "{{name}} {{state}}"},
        ),
        Panel("Scheduled run, 95 % within", {quantile(0.95, "conclave_schedule_run_seconds", "name"): "{{name}}"}, "s"),
        Panel("Done by operate", {rate("conclave_work_total", "part"): "{{part}}"}, "cps"),
        Panel("Step of operate, 95 % within", {quantile(0.95, "conclave_step_seconds", "part"): "{{part}}"}, "s"),
        Panel("Traces scored", {rate("conclave_traces_scored_total", "outcome"): "{{outcome}}"}, "cps"),
    ),
    "People": (
        Panel("Requests", {rate("conclave_gateway_requests_total", "status"): "{{status}}"}, "reqps", stacked=True),
        Panel("Request, 95 % within", {quantile(0.95, "conclave_gateway_request_seconds", "route"): "{{route}}"}, "s"),
        Panel("Events by HTTP", {rate("conclave_gateway_events_total", "outcome"): "{{outcome}}"}, "cps"),
        Panel("Answers", {rate("conclave_answers_total", "source, spoken_by"): "{{source}} by {{spoken_by}}"}, "cps"),
        Panel("Answer, 95 % within", {quantile(0.95, "conclave_answer_seconds", "source"): "{{source}}"}, "s"),
        Panel("Page, 95 % within", {quantile(0.95, "conclave_page_seconds", "page"): "{{page}}"}, "s"),
        Panel("Dependencies of the gateway", {"min by (name) (conclave_gateway_ready)": "{{name}}"}),
        Panel("Open event streams", {"sum(conclave_gateway_streams)": "streams"}),
        Panel("Spans", {rate("conclave_spans_total", "outcome"): "{{outcome}}"}, "cps"),
    ),
    "Processes": (
        Panel(
            "Processor", {'sum by (process) (rate(process_cpu_seconds_total{job="conclave"}[$__rate_interval]))': "{{process}}"}
        ),
        Panel(
            "Memory",
            {'sum by (process) (process_resident_memory_bytes{job="conclave"})': "{{process}}"},
            "bytes",
            said="Of the Python process; the JVM of a streaming job has its own.",
        ),
        Panel("Open files", {'max by (process) (process_open_fds{job="conclave"})': "{{process}}"}),
        Panel("Errors", {"sum by (part, kind) (increase(conclave_errors_total[$__rate_interval]))": "{{part}} {{kind}}"}),
        Panel("Log messages", {"sum by (level) (increase(conclave_log_messages_total[$__rate_interval]))": "{{level}}"}),
        Panel("Database", {"max(conclave_database_bytes)": "bytes"}, "bytes"),
        Panel("Versions", {"count by (version, process) (conclave_build_info)": ""}, kind="table", width=12),
        Panel(
            "Audit log",
            {"max(conclave_audit_entries)": "entries that hold", "max(conclave_audit_broken)": "broken chains"},
            width=12,
        ),
    ),
}

ANALYSTS: Rows = {
    "Today": (
        stat("Events watched", 'sum(increase(conclave_events_total{stream="detect", outcome="folded"}[24h]))'),
        stat("Hits", "sum(increase(conclave_anomalies_total[24h]))"),
        stat("Confirmed", 'sum(increase(conclave_rulings_total{outcome="confirmed"}[24h]))'),
        stat("Unresolved", 'sum(increase(conclave_rulings_total{outcome="unresolved"}[24h]))'),
        stat("Open cases", "sum(max by (status) (conclave_cases_open))"),
        stat("Newest event is from", 'max(conclave_newest_event_timestamp_seconds{stream="detect"}) * 1000', "dateTimeFromNow"),
    ),
    "What is flagged": (
        Panel(
            "Events a second",
            {'sum(rate(conclave_events_total{stream="detect", outcome="folded"}[$__rate_interval]))': "events"},
            "cps",
        ),
        Panel("Hits a minute", {"60 * sum(rate(conclave_anomalies_total[$__rate_interval]))": "hits"}),
        Panel("Episodes a minute", {"60 * sum(rate(conclave_episodes_total[$__rate_interval]))": "episodes"}),
        Panel(
            "Late and duplicate",
            {'sum by (outcome) (rate(conclave_events_total{outcome=~"late|duplicate"}[$__rate_interval]))': "{{outcome}}"},
            "cps",
        ),
        Panel("Refused", {"conclave:quarantine_share:ratio10m": "share of records"}, "percentunit"),
        Panel("From event to docket", {"conclave:lag_seconds:max": "{{stream}}"}, "s", said="How long the oldest event waits."),
    ),
    "What the council says": (
        Panel(
            "Rulings an hour",
            {"3600 * sum by (outcome) (rate(conclave_rulings_total[1h]))": "{{outcome}}"},
            stacked=True,
            width=12,
        ),
        Panel(
            "Ruled by",
            {"3600 * sum by (council) (rate(conclave_rulings_total[1h]))": "{{council}}"},
            stacked=True,
            width=12,
            said="Rules rule while no model can be had; their cases are heard again.",
        ),
        Panel("Cases waiting to be heard", {"conclave:docket_depth:max": "{{lane}}"}, stacked=True),
        Panel("Oldest of them", {"conclave:docket_oldest_seconds:max": "{{lane}}"}, "s"),
        Panel("Filed until there is room", {"max(conclave_docket_shed)": "cases"}),
    ),
    "What waits for people": (
        Panel("Open cases", {"max by (status) (conclave_cases_open)": "{{status}}"}, stacked=True),
        Panel("Commands open", {"max by (action, state) (conclave_commands_open)": "{{action}} {{state}}"}, stacked=True),
        Panel(
            "Messages sent",
            {'sum by (channel) (rate(conclave_deliveries_total{outcome="sent"}[$__rate_interval]))': "{{channel}}"},
            "cps",
        ),
    ),
}

DASHBOARDS = {
    "dashboard.json": ("conclave-on-call", "Conclave: on call", "Streams, council and processes", ON_CALL),
    "analysts.json": ("conclave-analysts", "Conclave: what was found", "For those who work on cases", ANALYSTS),
}


def dashboard(uid: str, title: str, said: str, rows: Rows) -> dict[str, Any]:
    return {
        "uid": uid,
        "title": title,
        "description": said,
        "tags": ["conclave"],
        "schemaVersion": 39,
        "version": 1,
        "refresh": "15s",
        "time": {"from": "now-3h", "to": "now"},
        "timezone": "browser",
        "editable": True,
        "templating": {"list": [{"name": "datasource", "type": "datasource", "query": "prometheus", "label": "Prometheus"}]},
        "annotations": {
            "list": [
                {
                    "name": "Alerts",
                    "enable": True,
                    "datasource": SOURCE,
                    "iconColor": "red",
                    "titleFormat": "{{alertname}}",
                    "expr": 'ALERTS{alertstate="firing", alertname=~"Conclave.*"}',
                }
            ]
        },
        "panels": placed(rows),
    }


def placed(rows: Rows) -> list[dict[str, Any]]:
    """The panels from left to right and from above to below."""
    made: list[dict[str, Any]] = []
    y = 0
    for title, panels in rows.items():
        made.append(
            {"id": len(made) + 1, "type": "row", "title": title, "collapsed": False, "panels": [], "gridPos": at(0, y, WIDTH, 1)}
        )
        y, x, tallest = y + 1, 0, 0
        for one in panels:
            if x + one.width > WIDTH:
                x, y, tallest = 0, y + tallest, 0
            made.append(panel(one, len(made) + 1, x, y))
            x, tallest = x + one.width, max(tallest, HEIGHTS[one.kind])
        y += tallest
    return made


def at(x: int, y: int, width: int, height: int) -> dict[str, int]:
    return {"x": x, "y": y, "w": width, "h": height}


def panel(one: Panel, number: int, x: int, y: int) -> dict[str, Any]:
    steps: list[dict[str, Any]] = [{"color": "green", "value": None}]
    steps += [] if one.alarm is None else [{"color": "red", "value": one.alarm}]
    drawn = {
        "lineWidth": 1,
        "fillOpacity": 10,
        "stacking": {"mode": "normal" if one.stacked else "none"},
        "thresholdsStyle": {"mode": "off" if one.alarm is None else "line"},
    }
    targets = [
        {
            "refId": chr(65 + place),
            "datasource": SOURCE,
            "expr": query,
            "legendFormat": legend or "__auto",
            "editorMode": "code",
            "range": one.kind != "table",
            "instant": one.kind == "table",
            **({"format": "table"} if one.kind == "table" else {}),
        }
        for place, (query, legend) in enumerate(one.queries.items())
    ]
    return {
        "id": number,
        "type": one.kind,
        "title": one.title,
        "description": one.said,
        "datasource": SOURCE,
        "gridPos": at(x, y, one.width, HEIGHTS[one.kind]),
        "targets": targets,
        "fieldConfig": {
            "defaults": {
                "unit": one.unit,
                "min": 0 if one.kind == "timeseries" else None,
                "custom": drawn if one.kind == "timeseries" else {},
                "thresholds": {"mode": "absolute", "steps": steps},
            },
            "overrides": [],
        },
    }


def texts() -> dict[str, str]:
    """File name → the dashboard as JSON."""
    return {name: json.dumps(dashboard(*given), indent=1, ensure_ascii=False) + "\n" for name, given in DASHBOARDS.items()}


if __name__ == "__main__":
    for name, text in texts().items():
        (HERE / name).write_text(text)
        print(name, file=sys.stderr)
