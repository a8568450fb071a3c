"""Every kind of fault: when it strikes, what it does, and whose next commit says that the product goes on."""

from dataclasses import dataclass
from typing import Literal

from chaos.faults import Blow, Cut, Fill, Kill, KillBroker, KillDatabase, Misbehave, Pause, PauseDatabase, Silence
from chaos.moments import Appears, Commit, ModelCall, Moment, Starting

Job = Literal["ingest", "detect", "council"]


@dataclass(frozen=True)
class Kind:
    """One kind; `needs` names what not every machine has."""

    moment: Moment
    blow: Blow
    goes_on: Job
    says: str
    needs: Literal["", "kafka", "mounts"] = ""


BATCH_PLANNED = Appears("checkpoints/ingest/offsets")
KINDS: dict[str, Kind] = {
    "ingest-batch-planned": Kind(BATCH_PLANNED, Kill("ingest"), "ingest", "ingest dies as a batch begins"),
    "ingest-bronze-written": Kind(
        Appears("delta/bronze/_delta_log"), Kill("ingest"), "ingest", "ingest dies as its commit to bronze appears"
    ),
    "ingest-before-ledger": Kind(
        Commit("ingest", "before"), Kill("ingest"), "ingest", "ingest dies after bronze, before its ledger entry commits"
    ),
    "ingest-after-ledger": Kind(
        Commit("ingest", "after"), Kill("ingest"), "ingest", "ingest dies after its ledger entry, before Spark's commit log"
    ),
    "ingest-starting": Kind(Starting("ingest"), Kill("ingest"), "ingest", "ingest dies, and again as it starts"),
    "detect-before-commit": Kind(
        Commit("detect", "before"), Kill("detect"), "detect", "detect dies with its state written, before its sink commits"
    ),
    "detect-after-commit": Kind(
        Commit("detect", "after"), Kill("detect"), "detect", "detect dies after its sink's commit, before Spark's commit log"
    ),
    "detect-writing-state": Kind(
        Appears("checkpoints/detect/state", deep=True), Kill("detect"), "detect", "detect dies as the first state file is written"
    ),
    "detect-writing-checkpoint": Kind(
        Appears("checkpoints/detect/commits"), Kill("detect"), "detect", "detect dies as Spark's commit log is written"
    ),
    "detect-starting": Kind(Starting("detect"), Kill("detect"), "detect", "detect dies, and again as it starts"),
    "council-in-model-call": Kind(
        ModelCall("hang"), Kill("council"), "council", "a council worker dies in the middle of a model call"
    ),
    "council-before-commit": Kind(
        Commit("council", "before"), Kill("council"), "council", "a council worker dies before its rulings commit"
    ),
    "council-after-commit": Kind(
        Commit("council", "after"), Kill("council"), "council", "a council worker dies after its rulings committed"
    ),
    "postgres-in-commit": Kind(
        Commit("detect", "before"), KillDatabase(), "detect", "Postgres dies as detect's commit is on its way"
    ),
    "postgres-after-commit": Kind(
        Commit("detect", "after"), KillDatabase(), "detect", "Postgres dies when it has committed and nobody was told"
    ),
    "postgres-in-ingest": Kind(Commit("ingest", "before"), KillDatabase(), "ingest", "Postgres dies as ingest's entry commits"),
    "postgres-in-ruling": Kind(Commit("council", "after"), KillDatabase(), "council", "Postgres dies as rulings were committed"),
    "broker": Kind(BATCH_PLANNED, KillBroker(), "ingest", "the Kafka broker dies as ingest's batch begins", "kafka"),
    "disk-of-streams": Kind(
        Appears("checkpoints/detect/offsets"), Fill("streams"), "detect", "the disk of Delta and checkpoints is full", "mounts"
    ),
    "disk-in-ingest": Kind(BATCH_PLANNED, Fill("streams"), "ingest", "the disk is full as ingest's batch begins", "mounts"),
    "disk-of-database": Kind(BATCH_PLANNED, Fill("database"), "detect", "the database's disk is full", "mounts"),
    "pause-ingest": Kind(BATCH_PLANNED, Pause("ingest"), "ingest", "ingest stands still"),
    "pause-detect": Kind(Commit("detect", "before", passed=True), Pause("detect"), "detect", "detect stands still in its commit"),
    "pause-council": Kind(
        ModelCall("hang"), Pause("council"), "council", "a council worker stands still past its lease, the other goes on"
    ),
    "pause-postgres": Kind(
        Commit("detect", "before", passed=True), PauseDatabase(), "detect", "Postgres stands still as detect commits"
    ),
    "model-hangs": Kind(ModelCall("hang"), Misbehave(), "council", "the model never answers"),
    "model-refuses": Kind(ModelCall("busy"), Misbehave(), "council", "the model answers 429"),
    "model-babbles": Kind(ModelCall("garbage"), Misbehave(), "council", "the model answers nonsense"),
    "model-breaks-off": Kind(ModelCall("cut"), Misbehave(), "council", "the model's answers end before their end"),
    "network-cut": Kind(
        Commit("detect", "before"), Cut(), "detect", "the network to the database breaks as detect's commit is on its way"
    ),
    "network-lost-answer": Kind(
        Commit("detect", "after"), Cut(), "detect", "the network breaks between the commit and the answer that it happened"
    ),
    "network-lost-ruling": Kind(
        Commit("council", "after"), Cut(), "council", "the network breaks between the rulings' commit and the answer"
    ),
    "network-silent": Kind(
        Commit("ingest", "before", passed=True), Silence(), "detect", "the network swallows everything, then breaks"
    ),
}  # fmt: skip
ESSENTIAL = (
    "ingest-before-ledger", "detect-before-commit", "detect-after-commit", "detect-writing-state", "council-in-model-call",
    "postgres-in-commit", "broker", "network-cut", "pause-detect", "model-hangs", "network-lost-answer",
)  # fmt: skip
