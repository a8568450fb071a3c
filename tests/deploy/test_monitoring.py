"""Prometheus' rules and Grafana's dashboards: promtool takes every expression, each alert is tried, each metric is there."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.core import GaugeMetricFamily

from gateway.metrics import Metrics
from observe.telemetry import catalogue, gauges

sys.path.insert(0, str(Path(__file__).parent))
import promtool

ROOT = Path(__file__).parents[2]
PROMETHEUS, GRAFANA = ROOT / "deploy" / "prometheus", ROOT / "deploy" / "grafana"
CONFIGS = ("prometheus.yml", "one-machine.yml", "kubernetes.yml")
DASHBOARDS = ("dashboard.json", "analysts.json")
NAME = re.compile(r"\b(conclave(?:_[a-z0-9]+)+|conclave:[a-z0-9_:]+)\b(?:\{([^}]*)\})?")
LABEL = re.compile(r"([a-z_]+)\s*(?:=~|!~|!=|=)")
BY = re.compile(r"\bby \(([^)]*)\)")
OF_THE_SCRAPER = {"job", "instance", "process", "le", "alertname", "alertstate"}


@pytest.fixture(scope="module")
def tool() -> str:
    found = promtool.path()
    if found is None:
        pytest.skip("no promtool: install Debian's package prometheus")
    return str(found)


def run(tool: str, *words: str) -> str:
    done = subprocess.run([tool, *words], cwd=PROMETHEUS, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def rules() -> list[dict[str, Any]]:
    return [rule for group in yaml.safe_load((PROMETHEUS / "rules.yml").read_text())["groups"] for rule in group["rules"]]


def alerts() -> dict[str, dict[str, Any]]:
    return {rule["alert"]: rule for rule in rules() if "alert" in rule}


def expressions() -> dict[str, str]:
    """Where it stands → PromQL, of the rules and of every panel; Grafana's own variables are filled."""
    found = {f"rule {rule.get('alert') or rule['record']}": rule["expr"] for rule in rules()}
    for name in DASHBOARDS:
        board = json.loads((GRAFANA / name).read_text())
        for panel in board["panels"]:
            for target in panel.get("targets", ()):
                found[f"{name}: {panel['title']} {target['refId']}"] = target["expr"]
        found |= {f"{name}: {one['name']}": one["expr"] for one in board["annotations"]["list"]}
    return {where: text.replace("$__rate_interval", "5m") for where, text in found.items()}


def known() -> dict[str, set[str]]:
    """Every series' name that the code or a recording rule gives → its labels, None of a rule's."""
    series: dict[str, set[str]] = {}
    counted = [one for names in (vars(catalogue), vars(Metrics())) for one in names.values() if hasattr(one, "_labelnames")]
    for one in counted:
        for suffix in {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count")}.get(one._type, ("",)):
            series[one._name + suffix] = set(one._labelnames)
    for family in gauges.families():
        assert isinstance(family, GaugeMetricFamily)
        series[family.name] = set(family._labelnames)
    return series


@pytest.mark.process
@pytest.mark.parametrize("name", CONFIGS)
def test_promtool_takes_the_configuration(tool: str, name: str, tmp_path: Path) -> None:
    config = yaml.safe_load((PROMETHEUS / name).read_text())
    for job in config["scrape_configs"]:  # Debian's promtool is built without Kubernetes
        if pods := job.pop("kubernetes_sd_configs", None):
            assert pods == [{"role": "pod"}]
            job["file_sd_configs"] = [{"files": ["pods.json"]}]
    config["rule_files"] = [str(PROMETHEUS / "rules.yml")]
    (tmp_path / name).write_text(yaml.safe_dump(config))
    assert "SUCCESS" in run(tool, "check", "config", str(tmp_path / name))


@pytest.mark.parametrize("name", CONFIGS)
def test_each_configuration_scrapes_the_job_that_the_rules_expect(name: str) -> None:
    config = yaml.safe_load((PROMETHEUS / name).read_text())
    assert [job["job_name"] for job in config["scrape_configs"]] == ["conclave"]
    assert config["rule_files"] == ["rules.yml"]


@pytest.mark.process
def test_the_alerts_fire_when_they_should(tool: str) -> None:
    assert "SUCCESS" in run(tool, "test", "rules", "tests.yml")


def test_every_alert_is_tried_and_says_what_to_do() -> None:
    tried = (PROMETHEUS / "tests.yml").read_text()
    for name, rule in alerts().items():
        assert rule["labels"]["severity"] in ("critical", "warning"), name
        assert len(rule["annotations"]["runbook"]) > 60, name
        assert rule["annotations"]["summary"], name
        short = re.sub(r"^Conclave(Deliveries|Commands|Schedule)Failing$", "Conclave(Deliveries|Commands|Schedule)Failing", name)
        assert short in tried, f"{name} has no test in tests.yml"


def test_every_alert_is_in_the_manual() -> None:
    manual = (ROOT / "docs" / "how-to" / "monitoring.md").read_text()
    assert set(re.findall(r"^\| `(Conclave\w+)` \|", manual, re.MULTILINE)) == set(alerts())


@pytest.mark.process
def test_promtool_parses_every_expression(tool: str, tmp_path: Path) -> None:
    made = [{"record": f"tried:{number}", "expr": text} for number, text in enumerate(expressions().values())]
    assert len(made) > 90
    (tmp_path / "rules.yml").write_text(yaml.safe_dump({"groups": [{"name": "all", "rules": made}]}))
    run(tool, "check", "rules", str(tmp_path / "rules.yml"))


def test_every_metric_and_label_is_one_that_the_code_gives() -> None:
    series, recorded = known(), {rule["record"] for rule in rules() if "record" in rule}
    for where, text in expressions().items():
        named = NAME.findall(text)
        labels = set().union(*(series.get(name, set()) for name, _ in named)) | OF_THE_SCRAPER
        for name, matchers in named:
            assert name in series or name in recorded, f"{where}: there is no {name}"
            if name in series:
                strange = set(LABEL.findall(matchers)) - series[name] - OF_THE_SCRAPER
                assert not strange, f"{where}: {name} has no label {strange}"
        if named and not any(name in recorded for name, _ in named):
            grouped = {label.strip() for part in BY.findall(text) for label in part.split(",")}
            assert grouped <= labels, f"{where}: no label {grouped - labels}"


def test_every_metric_is_shown_or_watched() -> None:
    used = {name for text in expressions().values() for name, _ in NAME.findall(text)}
    families = {re.sub(r"_(total|bucket|sum|count)$", "", name) for name in used}
    given = {re.sub(r"_(total|bucket|sum|count)$", "", name) for name in known()}
    assert given - families == set()


def test_metrics_are_named_as_prometheus_wants() -> None:
    for name, labels in known().items():
        assert re.fullmatch(r"conclave(_[a-z0-9]+)+", name), name
        assert not re.search(r"_(ms|milliseconds|mb|kb|percent)(_|$)", name), name
        assert not labels & {"job", "instance", "process", "tenant", "entity", "case_id", "account_id"}, name


@pytest.mark.parametrize("name", DASHBOARDS)
def test_dashboards_are_as_made_and_lie_in_a_grid(name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import make, json, sys; json.dump(make.texts(), sys.stdout)"],
        cwd=GRAFANA, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert json.loads(done.stdout)[name] == (GRAFANA / name).read_text(), "run deploy/grafana/make.py"
    panels = json.loads((GRAFANA / name).read_text())["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert at["x"] + at["w"] <= 24
        assert not cells & taken, panel["title"]
        taken |= cells


def test_compose_mounts_what_the_files_say() -> None:
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    files = {name: one["file"] for name, one in compose["configs"].items()}
    assert all((ROOT / file).is_file() for file in files.values())
    mounted = {
        files[one["source"]]: one["target"] for name in ("prometheus", "grafana") for one in compose["services"][name]["configs"]
    }
    assert set(mounted) == set(files.values())
    provider = yaml.safe_load((GRAFANA / "provisioning" / "dashboards" / "conclave.yml").read_text())["providers"][0]
    for name in DASHBOARDS:
        assert mounted[f"deploy/grafana/{name}"].startswith(provider["options"]["path"] + "/")
    assert {compose["services"][name]["profiles"][0] for name in ("prometheus", "grafana")} == {"monitoring"}


def test_compose_has_every_process_that_is_scraped() -> None:
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    targets = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())["scrape_configs"][0]["static_configs"]
    for one in targets:
        service, port = one["targets"][0].split(":")
        assert (service, port) == (one["labels"]["process"], "9464")
        assert compose["services"][service]["environment"]["CONCLAVE_TELEMETRY__METRICS_HOST"] == "0.0.0.0"
