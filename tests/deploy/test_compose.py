"""docker-compose.yml: valid by the specification's own schema, and true to the code that it starts."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from cli.app import COMMANDS
from store.settings import known_variables, read

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
VARIABLE = re.compile(r"\$\{(\w+)(?::-([^}]*)|:\?([^}]*))?\}")
SECRET = re.compile(r"PASSWORD|SECRET|TOKEN|CREDENTIAL|_KEY$")


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "docker-compose.yml").read_text())


@pytest.fixture(scope="module")
def services(compose: dict[str, Any]) -> dict[str, Any]:
    return compose["services"]


def filled(text: str) -> str:
    return VARIABLE.sub(lambda found: found.group(2) or "given", text)


def words(service: dict[str, Any]) -> list[str]:
    return [filled(str(word)) for word in service.get("command", [])]


def ours(services: dict[str, Any]) -> dict[str, Any]:
    return {name: service for name, service in services.items() if "build" in service}


def runs_once(service: dict[str, Any]) -> bool:
    return service["restart"] == "no"


def test_the_file_is_valid_by_the_compose_specification(compose: dict[str, Any]) -> None:
    schema = json.loads((HERE / "compose-spec.json").read_text())
    validator = jsonschema.Draft202012Validator(schema)
    faults = [f"{'/'.join(map(str, fault.path))}: {fault.message}" for fault in validator.iter_errors(compose)]
    assert faults == []


def test_the_schema_refuses_what_is_wrong(compose: dict[str, Any]) -> None:
    schema = json.loads((HERE / "compose-spec.json").read_text())
    wrong = {**compose, "services": {**compose["services"], "kafka": {**compose["services"]["kafka"], "helthcheck": {}}}}
    assert not jsonschema.Draft202012Validator(schema).is_valid(wrong)


@pytest.mark.skipif(
    shutil.which("docker") is None or subprocess.run(["docker", "compose", "version"], capture_output=True).returncode != 0,
    reason="no docker compose here",
)
def test_docker_compose_accepts_it() -> None:
    command = ["docker", "compose", "-f", str(ROOT / "docker-compose.yml"), "--profile", "*", "config", "--quiet"]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "POSTGRES_PASSWORD": "x"})
    assert done.returncode == 0, done.stderr


def test_no_secret_is_in_the_file(services: dict[str, Any]) -> None:
    for name, service in services.items():
        for key, value in service.get("environment", {}).items():
            if SECRET.search(key):
                assert VARIABLE.fullmatch(str(value)), f"{name}: {key} is written down"
                assert ":?" in value, f"{name}: {key} has a default or may be empty"


def test_every_variable_is_in_the_example_and_the_other_way_round() -> None:
    used = {found.group(1): found.group(2) for found in VARIABLE.finditer((ROOT / "docker-compose.yml").read_text())}
    example = dict(re.findall(r"^(?:# )?([A-Z_]+)=(.*)$", (ROOT / ".env.example").read_text(), re.MULTILINE))
    assert {name: default or "" for name, default in used.items()} == example


def test_the_example_holds_no_secret() -> None:
    assert re.search(r"^POSTGRES_PASSWORD=$", (ROOT / ".env.example").read_text(), re.MULTILINE)


def test_ports_are_published_on_loopback_only(services: dict[str, Any]) -> None:
    published = [filled(port) for service in services.values() for port in service.get("ports", [])]
    assert len(published) == 7
    assert all(port.startswith("127.0.0.1:") for port in published)


def test_images_are_pinned_and_name_no_registry(services: dict[str, Any]) -> None:
    for name, service in services.items():
        repository, _, tag = service["image"].partition(":")
        assert tag not in ("", "latest"), name
        assert "." not in repository.split("/")[0], f"{name} names a registry host"


def test_everything_that_stays_is_checked_and_comes_back(services: dict[str, Any]) -> None:
    for name, service in services.items():
        if runs_once(service):
            assert "healthcheck" not in service, name
        else:
            assert service["restart"] == "unless-stopped", name
            assert {"test", "interval", "timeout", "retries", "start_period"} <= set(service["healthcheck"]), name


def test_what_is_waited_for_can_happen(services: dict[str, Any]) -> None:
    for name, service in services.items():
        for other, wish in service.get("depends_on", {}).items():
            once = runs_once(services[other])
            assert wish["condition"] == ("service_completed_successfully" if once else "service_healthy"), (name, other)


def test_nobody_has_more_rights_than_needed(services: dict[str, Any]) -> None:
    for name, service in ours(services).items():
        assert service["cap_drop"] == ["ALL"], name
        assert "no-new-privileges:true" in service["security_opt"], name
    for name, service in services.items():
        assert not service.get("privileged"), name
        assert "user" not in service or service["user"] != "root", name
        assert not any(str(volume).startswith(("/", ".")) for volume in service.get("volumes", [])), f"{name} mounts the host"


def test_the_settings_mean_something(services: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, service in ours(services).items():
        given = {key: filled(str(value)) for key, value in service.get("environment", {}).items() if key.startswith("CONCLAVE_")}
        assert set(given) <= known_variables(), name
        with monkeypatch.context() as patch:
            for key, value in given.items():
                patch.setenv(key, value)
            assert read().source.kind == ("kafka" if given else "files"), name


def test_topic_and_model_are_the_ones_that_are_made(services: dict[str, Any]) -> None:
    environment = services["detect"]["environment"]
    topics = words(services["topics"])
    assert topics[topics.index("--topic") + 1] == environment["CONCLAVE_SOURCE__KAFKA_TOPICS"]
    assert words(services["model"])[1] == filled(environment["CONCLAVE_MODEL__NAME"])
    inside = environment["CONCLAVE_SOURCE__KAFKA_SERVERS"]
    assert f"INSIDE://{inside}" in services["kafka"]["environment"]["KAFKA_ADVERTISED_LISTENERS"]


def test_every_conclave_command_exists(services: dict[str, Any]) -> None:
    said = " ".join(" ".join(words(service)) + " ;" for service in ours(services).values())
    called = re.findall(r"\bconclave ((?:[a-z]+ ?){1,2})", said)
    assert len(called) >= 4
    for words_called in called:
        parts = words_called.split()
        assert parts[0] in COMMANDS or " ".join(parts) in COMMANDS, words_called


def test_every_script_that_is_started_is_in_the_image(services: dict[str, Any]) -> None:
    said = [words(service) + service.get("healthcheck", {}).get("test", []) for service in ours(services).values()]
    scripts = {word for listed in said for word in listed if word.endswith(".py")}
    assert {"jobs/ingest.py", "jobs/detect.py", "deploy/alive.py", "deploy/answers.py"} == scripts
    copied = re.findall(r"^COPY (\w+) ", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    for script in scripts:
        assert (ROOT / script).is_file(), script
        assert script.split("/")[0] in copied, script


def test_the_cluster_has_cores_for_both_jobs(services: dict[str, Any]) -> None:
    def number(name: str, option: str) -> int:
        said = words(services[name])
        return int(said[said.index(option) + 1])

    offered = sum(number(name, "--cores") for name in ("spark-worker-1", "spark-worker-2"))
    assert number("ingest", "--total-executor-cores") + number("detect", "--total-executor-cores") <= offered
    for name in ("ingest", "detect"):
        assert words(services[name])[words(services[name]).index("--conf") + 1] == f"spark.driver.host={name}"


def test_whoever_writes_delta_shares_one_volume(services: dict[str, Any]) -> None:
    for name in ("ingest", "detect", "spark-worker-1", "spark-worker-2"):
        assert services[name]["volumes"] == ["home:/var/lib/conclave"]
