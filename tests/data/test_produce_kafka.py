"""Producing into a real broker."""

import os
import uuid
from pathlib import Path

import pytest

from jobs.errors import NotDelivered
from jobs.produce import lines, produce
from jobs.targets import Topic

DATA = Path(__file__).parents[2] / "data"
SERVERS = os.environ.get("CONCLAVE_TEST_KAFKA", "")


@pytest.mark.kafka
@pytest.mark.skipif(not SERVERS, reason="CONCLAVE_TEST_KAFKA is not set")
def test_every_line_arrives_once_with_its_key() -> None:
    from confluent_kafka import Consumer

    topic, path = f"test-{uuid.uuid4().hex[:8]}", DATA / "requests.jsonl.gz"
    sent = produce([path], Topic(SERVERS, topic), limit=20_000)
    consumer = Consumer({"bootstrap.servers": SERVERS, "group.id": topic, "auto.offset.reset": "earliest"})
    consumer.subscribe([topic])
    got = []
    try:
        while len(got) < sent.events and (messages := consumer.consume(5000, 20)):
            got += [(message.key(), message.value()) for message in messages if message.error() is None]
    finally:
        consumer.close()
    expected = [(line.key, line.raw) for line, _ in zip(lines(path), range(20_000), strict=False)]
    assert sorted(got, key=str) == sorted(expected, key=str)


def test_no_broker_is_an_error_and_not_a_silence() -> None:
    topic = Topic("127.0.0.1:1", "t", {"message.timeout.ms": "200", "log_level": "0"})
    topic.write(b"k", b"v")
    with pytest.raises(NotDelivered, match="1 records"):
        topic.close()


def test_a_broker_that_does_not_come_is_not_waited_for_for_ever() -> None:
    topic = Topic("127.0.0.1:1", "t", {"log_level": "0"}, patience_s=0.1)
    topic.write(b"k", b"v")
    with pytest.raises(NotDelivered, match=r"not taken within 0\.1 s"):
        topic.close()
