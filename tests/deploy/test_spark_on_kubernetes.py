"""The command of deploy/kubernetes/spark-submit, run for real against a stand-in for Kubernetes' API: the executors that it asks
for are valid, bounded and without rights, and nothing is asked that the drivers' role does not allow."""

import http.server
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

pyspark = pytest.importorskip("pyspark")
pytestmark = [pytest.mark.spark]
HERE = Path(__file__).parents[2] / "deploy" / "kubernetes"
SCHEMA = json.loads((Path(__file__).parent / "schemas" / "kubernetes-1.33.json").read_text())
WAIT_S = 240
JOB = """
import pathlib, time
from pyspark.sql import SparkSession
spark = SparkSession.builder.appName("conclave detect").getOrCreate()
while not pathlib.Path("end").exists():
    time.sleep(0.1)
spark.stop()
"""
DRIVER = {
    "apiVersion": "v1", "kind": "Pod",
    "metadata": {"name": "driver", "namespace": "conclave", "uid": "u-1", "resourceVersion": "1"},
    "spec": {"containers": []}, "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]},
}  # fmt: skip
Asked = tuple[str, str, Any]  # verb, resource, body


class Api(http.server.ThreadingHTTPServer):
    """Knows the driver's pod, takes everything else as it comes, and remembers what it was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.closing = threading.Event()
        super().__init__(("127.0.0.1", 0), Answer)

    def created(self, resource: str) -> list[Any]:
        return [body for verb, kind, body in list(self.asked) if (verb, kind) == ("create", resource)]


class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Api

    def note(self, verb: str) -> Any:
        path = self.path.partition("?")[0].split("/namespaces/conclave/")[1].split("/")
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"null")
        self.server.asked.append((f"{verb}collection" if verb == "delete" and len(path) == 1 else verb, path[0], body))
        return body

    def do_GET(self) -> None:
        if self.headers.get("Upgrade"):  # no web sockets here: the client goes on with plain HTTP
            self.reply(None)
        elif "watch=true" in self.path:
            self.note("watch")
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.server.closing.wait(WAIT_S)
        elif self.path.partition("?")[0].endswith("/pods/driver"):
            self.note("get")
            self.reply(DRIVER)
        else:
            self.note("list")
            items = [DRIVER] if "metadata.name%3Ddriver" in self.path else []
            self.reply({"apiVersion": "v1", "kind": "PodList", "metadata": {"resourceVersion": "1"}, "items": items})

    def do_POST(self) -> None:
        body = self.note("create")
        self.reply({**body, "metadata": body["metadata"] | {"uid": "u-2", "resourceVersion": "2"}}, 201)

    def do_PUT(self) -> None:
        self.reply(self.note("update"))

    def do_PATCH(self) -> None:
        self.reply(self.note("patch"))

    def do_DELETE(self) -> None:
        self.note("delete")
        self.reply({"apiVersion": "v1", "kind": "Status", "status": "Success"})

    def reply(self, said: Any, code: int = 200) -> None:
        content = json.dumps(said).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None: ...


@pytest.fixture
def api() -> Iterator[Api]:
    server = Api()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.closing.set()
    server.shutdown()
    server.server_close()


def command(api: Api, folder: Path) -> list[str]:
    """What the Deployment of detect runs, with the pod's variables filled in and paths and address of this test."""
    container = yaml.safe_load((HERE / "spark-submit" / "detect.yaml").read_text())["spec"]["template"]["spec"]["containers"][0]
    template = yaml.safe_load((HERE / "spark-submit" / "executor-template.yaml").read_text())["data"]["executor.yaml"]
    (folder / "executor.yaml").write_text(template)
    (folder / "job.py").write_text(JOB)
    filled = {
        "$(POD_IP)": "127.0.0.1", "$(POD_NAME)": "driver", "$(NAMESPACE)": "conclave", "$(IMAGE)": "conclave:0.1.0",
        "k8s://https://kubernetes.default.svc": f"k8s://http://127.0.0.1:{api.server_port}",
        "/etc/conclave/executor/": f"{folder}/", "/opt/conclave/jobs/detect.py": str(folder / "job.py"),
    }  # fmt: skip
    words = []
    for word in container["command"]:
        for name, value in filled.items():
            word = word.replace(name, value)
        words.append(word)
    return [str(Path(pyspark.__file__).parent / "bin" / words[0]), *words[1:]]


@pytest.fixture
def asked(api: Api, tmp_path: Path) -> Api:
    """The stand-in after a session was opened, had its executors and ended."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("SPARK_", "PYSPARK_", "CONCLAVE_"))}
    more = {"SPARK_HOME": str(Path(pyspark.__file__).parent), "PYSPARK_PYTHON": sys.executable, "SPARK_LOCAL_IP": "127.0.0.1"}
    log = tmp_path / "driver.log"
    with log.open("wb") as said:
        driver = subprocess.Popen(command(api, tmp_path), env=own | more, cwd=tmp_path, stdout=said, stderr=said)
    try:
        deadline = time.monotonic() + WAIT_S
        while not (len(api.created("pods")) >= 4 and api.created("configmaps")):
            assert driver.poll() is None, log.read_text()[-3000:]
            assert time.monotonic() < deadline, log.read_text()[-3000:]
            time.sleep(0.1)
        (tmp_path / "end").touch()
        driver.wait(timeout=WAIT_S)
    finally:
        driver.kill()
        driver.wait()
    return api


@pytest.mark.timeout(600)
def test_spark_asks_for_executors_as_the_manifests_say(asked: Api) -> None:
    pods = asked.created("pods")
    assert len({pod["metadata"]["name"] for pod in pods}) == len(pods) >= 4
    checked = jsonschema.Draft7Validator({"$ref": "#/$defs/io.k8s.api.core.v1.PodSpec", "$defs": SCHEMA["$defs"]})
    for pod in pods:
        assert [fault.message for fault in checked.iter_errors(pod["spec"])] == []
        assert pod["metadata"]["labels"].items() >= {"app.kubernetes.io/part-of": "conclave", "conclave/spark": "yes"}.items()
        assert [owner["uid"] for owner in pod["metadata"]["ownerReferences"]] == ["u-1"], "gone with the driver"
        assert pod["spec"]["serviceAccountName"] == "conclave-executor"
        assert pod["spec"]["automountServiceAccountToken"] is False
        assert pod["spec"]["securityContext"]["runAsNonRoot"] is True
        (container,) = pod["spec"]["containers"]
        assert container["args"] == ["executor"], "which deploy/entrypoint.sh knows"
        assert container["image"] == "conclave:0.1.0"
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
        assert container["resources"]["limits"]["memory"] == "7168Mi"
        assert container["resources"]["requests"]["cpu"] == "2"
        given = {entry["name"] for entry in container["env"]}
        wanted = (HERE.parent / "entrypoint.sh").read_text()
        assert {name for name in given if name.startswith("SPARK_EXECUTOR") and f"${name}" not in wanted} == set()

    (role,) = (one for one in yaml.safe_load_all((HERE / "base" / "accounts.yaml").read_text()) if one["kind"] == "Role")
    allowed = {(verb, resource) for rule in role["rules"] for verb in rule["verbs"] for resource in rule["resources"]}
    assert {(verb, resource) for verb, resource, _ in asked.asked} <= allowed
