"""What a call of a model cost, by a versioned table; what the table does not know stays unknown."""

import fnmatch
import hashlib
import json
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from observe.errors import BadPrices
from observe.span import Span

FILE = Path(__file__).parent / "prices.toml"
MILLION = 1_000_000


class Price(BaseModel):
    """One entry: per million tokens, or per second of so many devices."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    match: str = Field(min_length=1)
    input: float | None = Field(None, ge=0)
    output: float | None = Field(None, ge=0)
    seconds: Literal["cpu", "gpu"] | None = None
    devices: float = Field(1, gt=0)

    @model_validator(mode="after")
    def _one_way(self) -> "Price":
        by_token = self.input is not None and self.output is not None
        if by_token == (self.seconds is not None) or (self.input is None) != (self.output is None):
            raise ValueError(f"{self.match}: give either input and output, or seconds")
        return self


class Prices(BaseModel):
    """A whole table. `version` is the start of its content's hash."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    as_of: date
    currency: str
    seconds: dict[Literal["cpu", "gpu"], float] = {}
    models: tuple[Price, ...]

    @property
    def version(self) -> str:
        said = json.dumps(self.model_dump(mode="json"), sort_keys=True)
        return hashlib.sha256(said.encode()).hexdigest()[:12]

    def of(self, model: str) -> Price | None:
        """The first entry whose pattern fits the model's name, a `provider/` or `@digest` round it left out."""
        bare = model.split("@")[0].rsplit("/", 1)[-1].lower()
        return next((price for price in self.models if fnmatch.fnmatchcase(bare, price.match.lower())), None)


@dataclass(frozen=True)
class Cost:
    """`amount` in the table's currency; None is unknown, and `why` says why."""

    amount: float | None
    why: str = ""


def read(file: Path | None = None) -> Prices:
    """The table of a file, the bundled one by default; raises BadPrices."""
    path = file or FILE
    try:
        return _read(path, path.stat().st_mtime_ns)
    except (OSError, tomllib.TOMLDecodeError, ValidationError) as error:
        raise BadPrices(f"({path.name}: {error})") from error


@lru_cache(maxsize=8)
def _read(path: Path, changed: int) -> Prices:
    return Prices.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))


def cost(prices: Prices, span: Span) -> Cost:
    """What one call cost. A call's own `cpu_seconds` or `gpu_seconds` attribute wins over its latency times the devices."""
    if span.cost is not None:
        return Cost(span.cost)
    if not span.model:
        return Cost(None, "the call names no model")
    price = prices.of(span.model)
    if price is None:
        return Cost(None, f"the price table has no entry for {span.model}")
    if price.input is not None and price.output is not None:
        return _by_tokens(price.input, price.output, span)
    return _by_seconds(prices, price, span)


def _by_tokens(per_input: float, per_output: float, span: Span) -> Cost:
    if per_input == 0 and per_output == 0:
        return Cost(0.0)
    if span.tokens_in is None or span.tokens_out is None:
        return Cost(None, "the call does not say its tokens")
    return Cost((span.tokens_in * per_input + span.tokens_out * per_output) / MILLION)


def _by_seconds(prices: Prices, price: Price, span: Span) -> Cost:
    rate = None if price.seconds is None else prices.seconds.get(price.seconds)
    if rate is None:
        return Cost(None, f"the price table has no price for a second of {price.seconds}")
    stated = _number(span.attributes.get(f"{price.seconds}_seconds"))
    if stated is not None:
        return Cost(stated * rate)
    if span.latency_ms is None:
        return Cost(None, "the call does not say how long it took")
    return Cost(span.latency_ms / 1000 * price.devices * rate)


def _number(given: Any) -> float | None:
    return float(given) if isinstance(given, int | float) and not isinstance(given, bool) and given >= 0 else None


def priced(prices: Prices, spans: Iterable[Span]) -> list[Span]:
    """The spans, each call of a model with its cost, or with why it is unknown."""
    found = []
    for span in spans:
        if span.kind == "llm":
            paid = cost(prices, span)
            span = replace(span, cost=paid.amount, cost_why=paid.why)
        found.append(span)
    return found
