"""deploy/kubernetes: valid by Kubernetes' own schemas and the Spark operator's, and true to the code that it starts."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pyspark
import pytest
import yaml

from cli.app import COMMANDS
from observe.telemetry.gauges import NUMBERS
from store.sections.core import Dashboard
from store.sections.gateway import Gateway
from store.settings import known_variables, read

Manifest = dict[str, Any]
ROOT = Path(__file__).parents[2]
HERE = ROOT / "deploy" / "kubernetes"
SCHEMAS = Path(__file__).parent / "schemas"
OVERLAYS = ("operator", "submit")
COMPONENTS = ("azure", "google", "s3-endpoint")
FOREIGN_SECRETS = {"conclave-database", "conclave-keys", "conclave-channels", "conclave-storage"}  # docs/how-to/kubernetes.md
SECRET = re.compile(r"PASSWORD|SECRET(?!S_FOLDER)|TOKEN|CREDENTIAL|_KEY$")
BEATING = {"ingest", "detect", "council"}  # they write into `workers`, which deploy/alive.py reads
needs_kubectl = pytest.mark.skipif(shutil.which("kubectl") is None, reason="no kubectl here, whose kustomize makes the overlays")


@cache
def kubernetes() -> Manifest:
    held: Manifest = json.loads((SCHEMAS / "kubernetes-1.33.json").read_text())
    return held


@cache
def validator(kind: str) -> jsonschema.Draft7Validator:
    """The validator of a kind, as `apps/v1/Deployment`, or of a definition's name."""
    if kind == "sparkoperator.k8s.io/v1beta2/SparkApplication":
        return jsonschema.Draft7Validator(json.loads((SCHEMAS / "sparkapplication-v1beta2.json").read_text()))
    held = kubernetes()
    return jsonschema.Draft7Validator({"$ref": f"#/$defs/{held['kinds'].get(kind, kind)}", "$defs": held["$defs"]})


def faults(document: Manifest) -> list[str]:
    checked = validator(f"{document['apiVersion']}/{document['kind']}")
    return [f"{'/'.join(map(str, fault.path))}: {fault.message[:200]}" for fault in checked.iter_errors(document)]


def plain_files() -> list[Path]:
    return sorted(path for path in HERE.rglob("*.yaml") if path.name not in ("kustomization.yaml", "fields.yaml")
                  and path.name != "prometheus-adapter.yaml")  # fmt: skip


@cache
def rendered(overlay: str) -> tuple[Manifest, ...]:
    done = subprocess.run(["kubectl", "kustomize", str(HERE / overlay)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return tuple(yaml.safe_load_all(done.stdout))


@pytest.fixture(params=OVERLAYS)
def everything(request: pytest.FixtureRequest) -> tuple[Manifest, ...]:
    if shutil.which("kubectl") is None:
        pytest.skip("no kubectl here, whose kustomize makes the overlays")
    return rendered(f"overlays/{request.param}")


def of_kind(everything: tuple[Manifest, ...], *kinds: str) -> dict[str, Manifest]:
    return {one["metadata"]["name"]: one for one in everything if one["kind"] in kinds}


def pods(everything: tuple[Manifest, ...]) -> Iterator[tuple[str, Manifest]]:
    """(name, pod template) of everything that runs, executors too."""
    for one in everything:
        if one["kind"] in ("Deployment", "Job"):
            yield one["metadata"]["name"], one["spec"]["template"]
        elif one["kind"] == "SparkApplication":
            for part in ("driver", "executor"):
                template = one["spec"][part]["template"]
                account = one["spec"][part]["serviceAccount"]
                yield (
                    f"{one['metadata']['name']} {part}",
                    {**template, "spec": {**template["spec"], "serviceAccountName": account}},
                )
        elif one["kind"] == "ConfigMap" and "executor.yaml" in one["data"]:
            template = yaml.safe_load(one["data"]["executor.yaml"])
            yield "executor", {**template, "spec": template["spec"] | {"serviceAccountName": "conclave-executor"}}


def containers(pod: Manifest) -> list[Manifest]:
    return [*pod["spec"].get("initContainers", []), *pod["spec"]["containers"]]


def words(everything: tuple[Manifest, ...]) -> list[tuple[str, list[str]]]:
    """(pod, command) of every container and probe."""
    said = []
    for name, pod in pods(everything):
        for one in containers(pod):
            said.append((name, one.get("command", [])))
            said += [(name, one[probe]["exec"]["command"]) for probe in ("startupProbe", "livenessProbe", "readinessProbe")
                     if "exec" in one.get(probe, {})]  # fmt: skip
    return said


@pytest.mark.parametrize("path", plain_files(), ids=lambda path: str(path.relative_to(HERE)))
def test_every_file_is_valid(path: Path) -> None:
    documents = list(yaml.safe_load_all(path.read_text()))
    assert [fault for document in documents for fault in faults(document)] == []


def test_everything_made_by_an_overlay_is_valid(everything: tuple[Manifest, ...]) -> None:
    assert [f"{one['kind']} {one['metadata']['name']}: {fault}" for one in everything for fault in faults(one)] == []
    names = [(one["kind"], one["metadata"]["name"]) for one in everything]
    assert len(names) == len(set(names))
    assert {one["metadata"].get("namespace") for one in everything if one["kind"] != "Namespace"} == {"conclave"}


def test_pod_templates_inside_others_are_valid(everything: tuple[Manifest, ...]) -> None:
    """The operator's schema and a ConfigMap say nothing of what a template holds."""
    for name, pod in pods(everything):
        checked = validator("io.k8s.api.core.v1.PodSpec")
        assert [f"{name} {fault.json_path}: {fault.message[:200]}" for fault in checked.iter_errors(pod["spec"])] == []


@pytest.mark.parametrize("component", COMPONENTS)
@needs_kubectl
def test_other_stores_are_components(component: str, tmp_path: Path) -> None:
    shutil.copytree(HERE, tmp_path / "kubernetes")
    for way in OVERLAYS:
        folder = tmp_path / "kubernetes" / "overlays" / f"{way}-{component}"
        folder.mkdir()
        (folder / "kustomization.yaml").write_text(f"resources: [../{way}]\ncomponents: [../../components/{component}]\n")
        done = subprocess.run(["kubectl", "kustomize", str(folder)], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        made = tuple(yaml.safe_load_all(done.stdout))
        assert [fault for one in made for fault in faults(one)] == []
        given = of_kind(made, "ConfigMap")["conclave-settings"]["data"]
        assert {name for name in given if name.startswith("CONCLAVE_")} <= known_variables()
        if component == "s3-endpoint":
            drivers = [pod for name, pod in pods(made) if "detect" in name and "executor" not in name]
            assert {"secretRef": {"name": "conclave-storage"}} in drivers[0]["spec"]["containers"][0]["envFrom"]


@pytest.mark.parametrize(
    ("file", "wrong"),
    [
        ("base/council.yaml", lambda one: one["spec"]["template"]["spec"]["containers"][0].update(comand=["x"])),
        ("base/gateway.yaml", lambda one: one["spec"].update(replicas="two")),
        ("spark-operator/detect.yaml", lambda one: one["spec"]["driver"].update(memori="4g")),
        ("spark-operator/detect.yaml", lambda one: one["spec"].pop("mainApplicationFile")),
    ],
)
def test_the_schemas_refuse_what_is_wrong(file: str, wrong: Any) -> None:
    document = next(yaml.safe_load_all((HERE / file).read_text()))
    assert faults(document) == []
    wrong(document)
    assert faults(document) != []


def test_the_settings_mean_something(everything: tuple[Manifest, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    given = of_kind(everything, "ConfigMap")["conclave-settings"]["data"]
    ours = {name: value for name, value in given.items() if name.startswith("CONCLAVE_")}
    assert ours.keys() <= known_variables()
    for name, value in ours.items():
        monkeypatch.setenv(name, value)
    settings = read()
    assert settings.bronze.startswith("s3a://")
    assert settings.source.kind == "kafka"
    for name, pod in pods(everything):
        for one in containers(pod):
            own = {entry["name"] for entry in one.get("env", [])}
            assert {entry for entry in own if entry.startswith("CONCLAVE_")} <= known_variables(), name


def test_no_secret_is_written_down(everything: tuple[Manifest, ...]) -> None:
    assert not of_kind(everything, "Secret")
    for one in of_kind(everything, "ConfigMap").values():
        assert not [name for name in one["data"] if SECRET.search(name)]
    for name, pod in pods(everything):
        for one in containers(pod):
            assert all("secretKeyRef" in entry["valueFrom"] for entry in one.get("env", []) if SECRET.search(entry["name"])), name


def test_every_command_exists(everything: tuple[Manifest, ...]) -> None:
    said = words(everything)
    conclave = {tuple(command[1:]) for _, command in said if command[:1] == ["conclave"]}
    assert {" ".join(parts) for parts in conclave} == {"migrate", "council", "operate", "gateway", "dashboard"}
    assert all(" ".join(parts) in COMMANDS for parts in conclave)
    scripts = {word.removeprefix("/opt/conclave/") for _, command in said for word in command if word.endswith(".py")}
    scripts |= {one["spec"]["mainApplicationFile"].removeprefix("local:///opt/conclave/")
                for one in of_kind(everything, "SparkApplication").values()}  # fmt: skip
    assert scripts == {"deploy/alive.py", "deploy/migrated.py", "jobs/ingest.py", "jobs/detect.py"}
    assert all((ROOT / script).is_file() for script in scripts)
    asked = {command[2] for _, command in said if command[1:2] in (["deploy/alive.py"], ["/opt/conclave/deploy/alive.py"])}
    assert asked == BEATING


def test_what_is_named_is_there(everything: tuple[Manifest, ...]) -> None:
    accounts, maps = set(of_kind(everything, "ServiceAccount")), set(of_kind(everything, "ConfigMap"))
    for name, pod in pods(everything):
        assert pod["spec"]["serviceAccountName"] in accounts, name
        named = json.dumps(pod)
        assert set(re.findall(r'"secretKeyRef": \{[^}]*"name": "([^"]+)"', named)) <= FOREIGN_SECRETS
        assert set(re.findall(r'"secretName": "([^"]+)"', named)) <= FOREIGN_SECRETS
        assert set(re.findall(r'"configMapRef": \{"name": "([^"]+)"', named)) <= maps
        volumes = {volume["name"] for volume in pod["spec"].get("volumes", [])}
        assert all(mount["name"] in volumes for one in containers(pod) for mount in one.get("volumeMounts", [])), name
    page = (ROOT / "docs" / "how-to" / "kubernetes.md").read_text()
    assert all(secret in page for secret in FOREIGN_SECRETS)


def test_every_selector_finds_pods(everything: tuple[Manifest, ...]) -> None:
    labels = [pod["metadata"]["labels"] for _, pod in pods(everything)]
    for kind, place in (("Deployment", "selector"), ("PodDisruptionBudget", "selector"), ("NetworkPolicy", "podSelector")):
        for name, one in of_kind(everything, kind).items():
            assert any(chosen(one["spec"][place], held) for held in labels), (kind, name)
    for name, one in of_kind(everything, "Service").items():
        found = [pod for _, pod in pods(everything) if one["spec"]["selector"].items() <= pod["metadata"]["labels"].items()]
        ports = {port["name"] for pod in found for port in pod["spec"]["containers"][0]["ports"]}
        assert {port["targetPort"] for port in one["spec"]["ports"]} <= ports, name
    assert all(held["app.kubernetes.io/part-of"] == "conclave" for held in labels), "or the default policy passes over it"


def chosen(selector: Manifest, labels: dict[str, str]) -> bool:
    wanted = selector.get("matchLabels", {}).items() <= labels.items()
    return wanted and all(labels.get(rule["key"]) in rule["values"] for rule in selector.get("matchExpressions", []))


def test_whoever_needs_the_database_may_reach_it(everything: tuple[Manifest, ...]) -> None:
    for name, pod in pods(everything):
        asks = any(entry["name"] == "PGPASSWORD" for one in containers(pod) for entry in one.get("env", []))
        assert asks == (pod["metadata"]["labels"].get("conclave/database") == "yes"), name
        assert asks != ("executor" in name), "executors never speak with the database"


def test_ports_are_the_ones_that_are_listened_on(everything: tuple[Manifest, ...]) -> None:
    given = of_kind(everything, "ConfigMap")["conclave-settings"]["data"]
    expected = {"metrics": int(given["CONCLAVE_TELEMETRY__METRICS_PORT"])}
    for name, pod in pods(everything):
        own = expected | {"http": Dashboard().port if "dashboard" in name else Gateway().port}
        ports = {port["name"]: port["containerPort"] for one in containers(pod) for port in one.get("ports", [])}
        assert ports.items() <= own.items(), name
        scraped = pod["metadata"].get("annotations", {}).get("prometheus.io/port")
        assert scraped is None or int(scraped) in ports.values(), name


def test_nobody_has_more_rights_than_needed(everything: tuple[Manifest, ...]) -> None:
    user = int(re.findall(r"--uid (\d+)", (ROOT / "Dockerfile").read_text())[0])
    for name, pod in pods(everything):
        held = pod["spec"]["securityContext"]
        assert (held["runAsNonRoot"], held["runAsUser"], held["seccompProfile"]["type"]) == (True, user, "RuntimeDefault"), name
        for one in containers(pod):
            rights = one["securityContext"]
            assert rights["readOnlyRootFilesystem"] is True, name
            assert rights["allowPrivilegeEscalation"] is False, name
            assert rights["capabilities"] == {"drop": ["ALL"]}, name
        assert not {"hostNetwork", "hostPID", "hostIPC"} & pod["spec"].keys(), name
        assert not any("hostPath" in volume for volume in pod["spec"].get("volumes", [])), name


def test_only_drivers_speak_with_kubernetes(everything: tuple[Manifest, ...]) -> None:
    for name, pod in pods(everything):
        driver = pod["metadata"]["labels"]["app.kubernetes.io/name"] in ("conclave-ingest", "conclave-detect")
        assert pod["spec"]["automountServiceAccountToken"] is driver, name
        assert (pod["spec"]["serviceAccountName"] == "conclave-spark") is driver, name
    (role,) = of_kind(everything, "Role").values()
    resources = {resource for rule in role["rules"] for resource in rule["resources"]}
    assert resources == {"pods", "configmaps", "services", "persistentvolumeclaims"}, "no secrets, no pods/exec"
    assert not any("*" in rule["verbs"] + rule["resources"] + rule["apiGroups"] for rule in role["rules"])
    (binding,) = of_kind(everything, "RoleBinding").values()
    assert [subject["name"] for subject in binding["subjects"]] == ["conclave-spark"]


def test_everything_has_its_share_of_the_machine(everything: tuple[Manifest, ...]) -> None:
    for name, one in of_kind(everything, "Deployment", "Job").items():
        for part in containers(one["spec"]["template"]):
            assert {"cpu", "memory"} <= part["resources"]["requests"].keys(), name
            assert "memory" in part["resources"]["limits"], name
    for name, one in of_kind(everything, "Deployment").items():
        assert {"startupProbe", "livenessProbe"} <= one["spec"]["template"]["spec"]["containers"][0].keys(), name
        assert one["spec"]["template"]["spec"]["initContainers"][0]["command"][1] == "deploy/migrated.py", name


def test_the_council_follows_the_docket(everything: tuple[Manifest, ...]) -> None:
    scaler = of_kind(everything, "HorizontalPodAutoscaler")["conclave-council"]["spec"]
    assert scaler["scaleTargetRef"]["name"] in of_kind(everything, "Deployment")
    assert "replicas" not in of_kind(everything, "Deployment")["conclave-council"]["spec"], "they would fight over the number"
    named = {metric["external"]["metric"]["name"] for metric in scaler["metrics"]}
    lanes = {metric["external"]["metric"]["selector"]["matchLabels"]["lane"] for metric in scaler["metrics"]}
    assert lanes == {"batch", "immediate"}
    (rule,) = yaml.safe_load((HERE / "prometheus-adapter.yaml").read_text())["rules"]["external"]
    assert named == {rule["name"]["as"]}
    depth = {number.name: number.labels for number in NUMBERS}
    assert [depth[name] for name in named] == [("lane",)], "no process tells it, or not by lane"


def test_every_scraped_pod_says_which_process_it_is(everything: tuple[Manifest, ...]) -> None:
    """deploy/prometheus/kubernetes.yml keeps the pods of `conclave` that are to be scraped and names them by component."""
    scraped = {pod["metadata"]["labels"]["app.kubernetes.io/component"] for _, pod in pods(everything)
               if pod["metadata"].get("annotations", {}).get("prometheus.io/scrape") == "true"}  # fmt: skip
    assert scraped == {"ingest", "detect", "council", "operate", "gateway", "dashboard"}


def read_file(name: str) -> Manifest:
    document: Manifest = yaml.safe_load((HERE / name).read_text())
    return document


def test_both_ways_of_spark_are_alike() -> None:
    """What runs by the operator runs by spark-submit with the same image, cores, memory and template."""
    template = yaml.safe_load(read_file("spark-submit/executor-template.yaml")["data"]["executor.yaml"])
    for job in ("ingest", "detect"):
        operated = read_file(f"spark-operator/{job}.yaml")["spec"]
        submitted = read_file(f"spark-submit/{job}.yaml")["spec"]["template"]["spec"]["containers"][0]
        told = dict(word.split("=", 1) for word in submitted["command"] if word.startswith("spark."))
        executor = operated["executor"]
        assert told["spark.executor.instances"] == str(executor["instances"])
        assert told["spark.executor.cores"] == str(executor["cores"])
        assert told["spark.executor.memory"] == executor["memory"]
        assert told["spark.executor.memoryOverhead"] == executor["memoryOverhead"]
        assert submitted["command"][submitted["command"].index("--driver-memory") + 1] == operated["driver"]["memory"]
        assert executor["template"]["spec"] == template["spec"]
        assert executor["template"]["metadata"]["labels"] == template["metadata"]["labels"]


def test_versions_are_the_ones_that_are_installed(everything: tuple[Manifest, ...]) -> None:
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]["council"]["image"]
    images = {one["image"] for _, pod in pods(everything) for one in containers(pod) if "image" in one}
    images |= {one["spec"]["image"] for one in of_kind(everything, "SparkApplication").values()}
    assert images == {compose}
    assert {one["spec"]["sparkVersion"] for one in of_kind(everything, "SparkApplication").values()} <= {pyspark.__version__}


def test_state_partitions_are_the_cores_of_detect(everything: tuple[Manifest, ...]) -> None:
    given = of_kind(everything, "ConfigMap")["conclave-settings"]["data"]
    executor = read_file("spark-operator/detect.yaml")["spec"]["executor"]
    assert int(given["CONCLAVE_SPARK__SHUFFLE_PARTITIONS"]) == executor["instances"] * executor["cores"]
    assert int(given["CONCLAVE_DETECT__SHARDS"]) % int(given["CONCLAVE_SPARK__SHUFFLE_PARTITIONS"]) == 0
