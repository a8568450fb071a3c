"""Ingest with privacy.identifiers = tokenised: identifiers leave as tokens, free text leaves sealed with its subject's key.

One query per batch asks the vault for the batch's distinct identifiers and writes the new ones; it commits before anything goes
to Delta, so a batch that is run again gets the same tokens. Sealing is Spark's own aes_encrypt (GCM), in the form of trust.vault.
"""

from collections.abc import Mapping
from typing import Any

import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from jobs.check import PERSONAL
from store.database import Queries
from store.settings import Settings
from trust.master import Ring, ring
from trust.vault import KINDS, UNOWNED, Subject, Vault

NAMED = r'"{}"\s*:\s*"([^"\\]{{1,200}})"'  # an identifier in a record that was refused
MAPPING = pa.schema([(name, pa.string()) for name in ("t", "k", "i", "token")] + [("key", pa.binary())])
COLUMN = {"account": "account_id", "counterparty": "counterparty_id"}
Key = tuple[str, str, str]  # tenant, kind, identifier


class Sealer:
    """What ingest needs to tokenise its batches; keeps one vault per tenant."""

    def __init__(self, settings: Settings, queries: Queries, masters: Ring) -> None:
        self._settings, self._queries, self._masters = settings, queries, masters
        self._vaults: dict[str, Vault] = {}

    @classmethod
    def of(cls, settings: Settings, queries: Queries) -> "Sealer | None":
        """None when identifiers stay plain. Raises MasterKeyMissing."""
        return cls(settings, queries, ring(settings)) if settings.privacy.identifiers == "tokenised" else None

    def sealed(self, rows: DataFrame) -> DataFrame:
        """Rows of jobs.bronze.CHECKED with tokens for identifiers; message, raw record and personal attributes sealed."""
        named = with_names(rows)
        subjects = self.subjects(distinct(named))
        return seal(named, mapping(subjects)).select(rows.columns)

    def excerpts(self, notes: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Refused rows for the table `quarantined`: `shown` has tokens in place of identifiers."""
        keys = {(one["tenant"], kind, one[kind]) for one in notes for kind in KINDS if one[kind]}
        tokens = {key: subject.token for key, subject in self.subjects(keys).items()}
        return [one | {"shown": _shown(one, tokens)} for one in notes]

    def subjects(self, keys: set[Key]) -> dict[Key, Subject]:
        grouped: dict[tuple[str, str], list[str]] = {}
        for tenant, kind, identifier in keys:
            grouped.setdefault((tenant, kind), []).append(identifier)
        return {
            (tenant, kind, identifier): subject
            for (tenant, kind), identifiers in sorted(grouped.items())
            for identifier, subject in self._vault(tenant).tokens(self._queries, kind, identifiers).items()
        }

    def _vault(self, tenant: str) -> Vault:
        return self._vaults.setdefault(tenant, Vault(tenant, self._masters))


def with_names(rows: DataFrame) -> DataFrame:
    """The identifiers of every row, also of a refused one as far as its bytes name them, and who owns its free text."""
    text = F.col("raw").cast("string")
    for kind in KINDS:
        found = F.nullif(F.regexp_extract(text, NAMED.format(COLUMN[kind]), 1), F.lit(""))
        rows = rows.withColumn(kind, F.when(F.col("reason").isNull(), F.col(COLUMN[kind])).otherwise(found))
    owner = F.when(F.col("account").isNotNull(), "account").when(F.col("counterparty").isNotNull(), "counterparty")
    return rows.withColumns({"owner": owner.otherwise(UNOWNED), "owned": F.coalesce("account", "counterparty", F.lit(""))})


def distinct(named: DataFrame) -> set[Key]:
    """Every (tenant, kind, identifier) of the batch; the one without identifier owns what nobody else does."""
    pairs = F.array(*(F.struct(F.lit(kind).alias("k"), F.col(kind).alias("i")) for kind in (*KINDS,)),
                    F.struct(F.col("owner").alias("k"), F.col("owned").alias("i")))  # fmt: skip
    table = named.select("tenant", F.explode(pairs).alias("p")).where("p.i is not null").select("tenant", "p.k", "p.i").distinct()
    columns = table.toArrow().to_pydict().values()
    return set(zip(*columns, strict=True))


def mapping(subjects: Mapping[Key, Subject]) -> pa.Table:
    rows = [(*key, subject.token, subject.key) for key, subject in subjects.items()]
    columns = list(zip(*rows, strict=True)) or [()] * len(MAPPING)
    return pa.table([pa.array(column, kind.type) for column, kind in zip(columns, MAPPING, strict=True)], schema=MAPPING)


def seal(named: DataFrame, known: pa.Table) -> DataFrame:
    """Join the tokens in and seal; an identifier without an entry is a token already and stays."""
    lookup = F.broadcast(named.sparkSession.createDataFrame(known))
    for kind in KINDS:
        one = lookup.where(F.col("k") == kind).select("t", "i", F.col("token").alias(f"{kind}_token"))
        named = named.join(one, (named.tenant == one.t) & (named[kind] == one.i), "left").drop("t", "i")
        token = F.coalesce(f"{kind}_token", COLUMN[kind])
        named = named.withColumn(COLUMN[kind], F.when(F.col(COLUMN[kind]).isNotNull(), token))
    whose = lookup.select("t", "k", "i", F.col("token").alias("_token"), F.col("key").alias("_key"))
    on = (named.tenant == whose.t) & (named.owner == whose.k) & (named.owned == whose.i)
    joined = named.join(whose, on, "left")
    held = F.map_filter("attributes", lambda _, value: value.startswith(PERSONAL))
    attributes = F.when(
        F.size(held) > 0,
        F.transform_values("attributes", lambda _, v: F.when(v.startswith(PERSONAL), text_of(v.substr(2, 65_536))).otherwise(v)),
    ).otherwise(F.col("attributes"))
    subject = F.col("owner") != UNOWNED
    return joined.withColumns(
        {
            "message": F.when(subject, text_of(F.col("message"))).otherwise(F.col("message")),
            "attributes": attributes,
            "raw": text_of(F.col("raw")).cast("binary"),
        }
    )


def text_of(content: Column) -> Column:
    """`sealed:1:TOKEN:BASE64`; null stays null. Without a key nothing may pass in the clear."""
    encrypted = F.aes_encrypt(content.cast("binary"), F.col("_key"), F.lit("GCM"), F.lit("DEFAULT"), F.lit(b""), F.col("_token"))
    text = F.concat(F.lit("sealed:1:"), F.col("_token"), F.lit(":"), F.translate(F.base64(encrypted), "\r\n", ""))
    return F.when(content.isNotNull(), F.coalesce(text, F.lit("[withheld]")))


def _shown(one: dict[str, Any], tokens: Mapping[Key, str]) -> bytes:
    raw = bytes(one["raw"] or b"")
    for kind in KINDS:
        token = tokens.get((one["tenant"], kind, one[kind]))
        if token is not None:
            raw = raw.replace(one[kind].encode(), token.encode())
    return raw
