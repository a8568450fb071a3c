"""A dispatcher and a receiver on this machine; what the tests import lies beside them."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from store.database import Database
from store.settings import read

sys.path.insert(0, str(Path(__file__).parent))

from hook_receiver import Receiver, listening
from post_office import Post


@pytest.fixture
def post_with(database: Database, tmp_path: Path) -> Callable[..., Post]:
    """`post_with(attempts=3)`: a dispatcher with these settings of notify."""

    def made(**notify: Any) -> Post:
        return Post(database, read(home=tmp_path, notify=notify))

    return made


@pytest.fixture
def post(post_with: Callable[..., Post]) -> Post:
    return post_with(public_url="https://desk.example")


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with listening() as found:
        yield found


@pytest.fixture
def hook(post: Post, receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> Receiver:
    """The receiver as the channel `hook` of kind webhook."""
    monkeypatch.setenv("NOTIFY_HOOK", "s3cret-of-the-hook")
    post.put("channel", "hook", kind="webhook", url=receiver.url + "/in", secret="env:NOTIFY_HOOK")
    return receiver
