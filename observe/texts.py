"""How a project's texts are kept: as they are, with personal data masked, sealed with the vault's keys, or not at all."""

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from observe.span import Span
from store.database import Queries
from store.settings import Settings
from trust import pii
from trust.vault import UNOWNED, Vault, sealed_text

Mode = Literal["plain", "masked", "encrypted", "none"]
MODES: tuple[Mode, ...] = ("plain", "masked", "encrypted", "none")
ATTRIBUTES_CAP = 8_000  # characters of a span's further attributes as JSON
OWNER = UNOWNED  # the vault's kind for subjects that are no account: here a user, or a project's traces without one


@dataclass(frozen=True)
class Caps:
    """Characters kept of one text, and how many contexts."""

    text: int
    contexts: int


def clean(text: str, cap: int) -> str:
    """Without what Postgres refuses (zero bytes, lone surrogates), at most `cap` characters."""
    return text[:cap].replace("\0", "\ufffd").encode("utf-8", "replace").decode()


def capped(span: Span, caps: Caps) -> Span:
    """The span with every text clean and in its limits; `attributes["cut"]` names what was longer."""
    cut = [name for name in ("input", "output", "reference", "error") if len(getattr(span, name) or "") > caps.text]
    cut += ["contexts"] if len(span.contexts) > caps.contexts or any(len(text) > caps.text for text in span.contexts) else []

    def short(text: str | None, cap: int = 200) -> Any:
        return None if text is None else clean(text, cap)

    return replace(
        span, name=short(span.name) or "span", model=short(span.model), prompt=short(span.prompt), session=short(span.session),
        input=short(span.input, caps.text), output=short(span.output, caps.text), reference=short(span.reference, caps.text),
        error=short(span.error, caps.text), contexts=tuple(short(text, caps.text) for text in span.contexts[: caps.contexts]),
        metadata=_small(span.metadata), attributes=_small(span.attributes) | ({"cut": cut} if cut else {}),
    )  # fmt: skip


def _small(given: dict[str, Any]) -> dict[str, Any]:
    """Free attributes as JSON that Postgres takes; the longest values go first when there are too many."""
    kept = {clean(str(name), 200): _value(value) for name, value in given.items()}
    for name in sorted(kept, key=lambda name: -len(json.dumps(kept[name]))):
        if len(json.dumps(kept)) <= ATTRIBUTES_CAP:
            break
        kept[name] = "(too long, left out)"
    return dict(list(kept.items())[:200])


def _value(value: Any) -> Any:
    if isinstance(value, bool) or value is None or isinstance(value, int):
        return value if not isinstance(value, int) or abs(value) < 1 << 63 else str(value)
    if isinstance(value, float):
        return value if abs(value) < float("inf") else str(value)
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return clean(text, 2_000)


def found_in(span: Span) -> Counter[str]:
    """Kinds of personal data in what was asked, answered and offered, and how often each."""
    texts = (span.input, span.output, *span.contexts)
    return Counter(one.kind for text in texts for one in pii.find(text))


def masked(span: Span) -> Span:
    """The span with personal data and secrets masked by their kinds."""
    return replace(_through(span, pii.mask, pii.mask_values), name=pii.mask(span.name), session=pii.mask(span.session))


def emptied(span: Span) -> Span:
    """The span without any of its texts."""
    return replace(
        span, input="", output="", contexts=(), reference=None, error=None if span.error is None else "(not kept)",
        metadata={}, attributes={},
    )  # fmt: skip


def _through(span: Span, change: Any, change_values: Any) -> Span:
    return replace(
        span, input=change(span.input), output=change(span.output), contexts=tuple(change(text) for text in span.contexts),
        reference=None if span.reference is None else change(span.reference),
        error=None if span.error is None else change(span.error),
        metadata=change_values(span.metadata), attributes=change_values(span.attributes),
    )  # fmt: skip


def sealed(queries: Queries, settings: Settings, tenant: str, project: str, spans: Sequence[Span]) -> list[Span]:
    """The spans with their texts sealed: under their user's own key, under the project's where no user is known.

    A trace's user is known when any of its spans here names one. Raises MasterKeyMissing.
    """
    users = {span.trace_id: span.user for span in spans if span.user}
    owners = {span.trace_id: owner(project, users.get(span.trace_id)) for span in spans}
    subjects = Vault.of(settings, tenant).tokens(queries, OWNER, set(owners.values()))
    return [_sealed(span, subjects[owners[span.trace_id]]) for span in spans]


def _sealed(span: Span, subject: Any) -> Span:
    def change(text: str) -> str:
        return sealed_text(subject, text) if text else text

    def change_values(given: dict[str, Any]) -> dict[str, Any]:
        return {"sealed": change(json.dumps(given))} if given else given

    return _through(span, change, change_values)


def owner(project: str, user: str | None) -> str:
    """Whose key seals a trace."""
    return f"trace user {user}" if user else f"trace project {project}"


def user_hash(tenant: str, user: str | None) -> str | None:
    """By which a user's traces are found; ids that can be guessed can be guessed from it too."""
    if user is None:
        return None
    return hashlib.blake2b(f"{tenant}\0{user}".encode("utf-8", "replace"), digest_size=16, person=b"conclave-user").hexdigest()


class Reader:
    """Opens what is sealed; one vault for each tenant, made when it is first needed."""

    def __init__(self, queries: Queries, settings: Settings) -> None:
        self._queries, self._settings = queries, settings
        self._vaults: dict[str, Vault] = {}

    def open(self, tenant: str, texts: Sequence[str]) -> list[str]:
        """The texts in clear; what is not sealed is as it was. An erased subject's say `[erased]`."""
        if not any("sealed:1:" in text for text in texts):
            return list(texts)
        vault = self._vaults.setdefault(tenant, Vault.of(self._settings, tenant))
        opened = vault.open(self._queries, texts)
        return [opened[text] for text in texts]
