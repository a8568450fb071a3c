"""Quix Streams in memory: its StreamingDataFrame and its State over its memory store, without a broker.

An Application polls Kafka and calls the composed dataframe message by message; here the messages come from the files, so
neither Kafka, nor a consumer, nor changelog topics cost anything. One process per half of the accounts, as two consumers of a
topic with two partitions would be. State is committed to the memory store each second, as an Application commits its checkpoint.
"""

import sys
from datetime import timedelta
from typing import Any

from quixstreams import MessageContext, State
from quixstreams.context import set_message_context
from quixstreams.dataframe import DataFrameRegistry, StreamingDataFrame
from quixstreams.models.topics import Topic, TopicConfig, TopicManager
from quixstreams.processing import ProcessingContext
from quixstreams.sinks import SinkManager
from quixstreams.state import StateStoreManager
from quixstreams.state.memory import MemoryStore

from bench.peers.rule import Window
from bench.peers.task import Report, Task, chunks

CHUNK = 20_000
COMMIT = timedelta(seconds=1)


def flags(value: tuple[int, int], state: State) -> bool:
    """Whether the point stands out; the account's window is kept as bytes, which is cheaper than JSON."""
    held = state.get_bytes("window")
    window = Window() if held is None else Window.restored(held)
    flagged = window.flags(value[1])
    state.set_bytes("window", window.snapshot())
    return flagged


def context() -> ProcessingContext:
    """What an Application gives its dataframes, with the memory store and no connections."""
    nothing: Any = None
    return ProcessingContext(
        commit_interval=COMMIT.total_seconds(), producer=nothing, consumer=nothing,
        state_manager=StateStoreManager(default_store_type=MemoryStore), sink_manager=SinkManager(),
        **{"dataframe_registry": DataFrameRegistry()},
    )  # fmt: skip


def run(files: list[str], report: Report) -> None:
    around, topic = context(), Topic("events")
    topic.broker_config = TopicConfig(2, 1, {"retention.ms": "-1", "retention.bytes": "-1"})
    nobody: Any = None
    topics = TopicManager(topic_admin=nobody, consumer_group="peer")
    frames: dict[str, Any] = {"registry": around.dataframe_registry}
    frame = StreamingDataFrame(topic, topic_manager=topics, processing_context=around, **frames)
    around.dataframe_registry.register_root(frame)
    frame = frame.filter(flags, stateful=True)
    step = frame.compose(sink=lambda value, key, timestamp, headers: report.flagged.append(value[0]))[topic.name]
    around.state_manager.on_partition_assign(frame.stream_id, 0, {})
    around.init_checkpoint()
    set_message_context(MessageContext(topic=topic.name, partition=0, offset=0, size=0))
    for rows, accounts, codes in chunks(files, CHUNK, report):
        for row, account, code in zip(rows, accounts, codes, strict=True):
            step((row, code), account.encode(), row, None)
        if around.checkpoint.expired():
            commit(around, frame.stream_id)
    commit(around, frame.stream_id)


def commit(around: ProcessingContext, stream: str) -> None:
    """Put what changed into the memory store, as a checkpoint does after its offsets were committed."""
    transaction = around.checkpoint.get_store_transaction(stream, 0)
    transaction.prepare()
    transaction.flush()
    around.init_checkpoint()


def main() -> None:
    """`TASK NUMBER`: one half of the accounts."""
    task, number, report = Task.given(), int(sys.argv[2]), Report()
    run(task.parts[number], report)
    report.done(f"{task.out}.{number}")


if __name__ == "__main__":
    main()
