"""The assistant's prompts: files in assistant/prompts, filled strictly; everything from outside is quoted first."""

import hashlib
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from rag.prompting import filled, template

FOLDER = Path(__file__).parent / "prompts"
Messages = list[dict[str, str]]

text = partial(template, FOLDER)
fill = partial(filled, FOLDER)


def hash_of(messages: Sequence[Mapping[str, str]]) -> str:
    """Of a whole prompt: roles and contents."""
    whole = "\0".join(f"{message['role']}\1{message['content']}" for message in messages)
    return hashlib.sha256(whole.encode("utf-8", "replace")).hexdigest()
