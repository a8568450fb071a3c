"""The assistant's prompts: files in assistant/prompts, filled strictly; everything from outside is quoted first."""

import hashlib
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from string import Template

from rag.errors import PromptIncomplete

FOLDER = Path(__file__).parent / "prompts"
Messages = list[dict[str, str]]


@cache
def text(name: str) -> str:
    return (FOLDER / f"{name}.md").read_text(encoding="utf-8")


def fill(name: str, **values: object) -> str:
    """A prompt with its $names filled; raises PromptIncomplete for one that is missing."""
    try:
        return Template(text(name)).substitute({key: str(value) for key, value in values.items()})
    except (KeyError, ValueError) as error:
        raise PromptIncomplete(f"({name}.md: {error})") from error


def hash_of(messages: Sequence[Mapping[str, str]]) -> str:
    """Of a whole prompt: roles and contents."""
    whole = "\0".join(f"{message['role']}\1{message['content']}" for message in messages)
    return hashlib.sha256(whole.encode("utf-8", "replace")).hexdigest()
