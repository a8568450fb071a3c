"""Settings of trust/: personal data."""

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr

from store.sections.base import Positive, Section


class Privacy(Section):
    """Personal data: detection, tokens, keys, erasure."""

    identifiers: Literal["plain", "tokenised"] = Field(
        "plain", description="tokenised: accounts and counterparties become tokens at ingest; fixed at the first start"
    )
    master_key: SecretStr | None = Field(
        None, description="32 bytes in base64 that wrap every tenant's keys; while it changes: `new,old`"
    )
    master_key_file: Path | None = Field(None, description="a file with that key; default: HOME/keys/master.key")
    remembered_subjects: Positive = Field(
        200_000, description="subjects of a kind whose tokens an ingest worker keeps in memory, about 0.4 kB each"
    )
    reveal_role: Literal["analyst", "admin"] = Field("analyst", description="the least role that may see what a token stands for")
