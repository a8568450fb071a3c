"""Settings of the object store that bronze, quarantine and checkpoints may lie in."""

import re
from pathlib import Path
from typing import Self

from pydantic import Field, SecretStr, model_validator

from store.sections.base import Section

SCHEMES = ("s3a", "abfss", "gs")
PLACES = {
    "s3a": re.compile(r"s3a://[a-z0-9][a-z0-9.-]+(/[^/?#\s]+)*"),
    "abfss": re.compile(r"abfss://[a-z0-9-]+@[a-z0-9]+\.[a-z0-9.-]+(/[^/?#\s]+)*"),
    "gs": re.compile(r"gs://[a-z0-9][a-z0-9._-]+(/[^/?#\s]+)*"),
}
SHAPES = "s3a://BUCKET/FOLDER, abfss://CONTAINER@ACCOUNT.DOMAIN/FOLDER or gs://BUCKET/FOLDER"


class Storage(Section):
    """Object storage in place of the folder HOME: needed as soon as executors run on other machines."""

    root: str = Field("", description=f"where bronze, quarantine and checkpoints lie: {SHAPES}; empty: in HOME")
    landing: str = Field("", description="the same for dropped files that ingest watches; empty: source.folder")
    endpoint: str = Field("", description="S3: address of a store that is not AWS, with http:// or https://")
    region: str = Field("", description="S3: region of the bucket; empty: as the environment or the machine says")
    path_style: bool = Field(
        False, description="S3: the bucket in the path instead of the host name, as most stores of one's own want"
    )
    access_key: SecretStr | None = Field(
        None, description="S3: key id; without it AWS_* variables, a pod's service account or the machine's role"
    )
    secret_key: SecretStr | None = Field(None, description="S3: secret of access_key; Azure: the account's shared key")
    key_file: Path | None = Field(None, description="Google: the service account's JSON file, at this path on every executor")

    @property
    def scheme(self) -> str:
        """`s3a`, `abfss`, `gs`; empty for this machine's disk."""
        return (self.root or self.landing).partition("://")[0]

    @model_validator(mode="after")
    def _places(self) -> Self:
        for name in ("root", "landing"):
            place = getattr(self, name)
            pattern = PLACES.get(place.partition("://")[0])
            if place and (pattern is None or pattern.fullmatch(place) is None):
                raise ValueError(f"{name} is {SHAPES}, without a slash at the end; it is {place!r}")
        if self.root and self.landing and not self.landing.startswith(f"{self.scheme}://"):
            raise ValueError("root and landing lie in one kind of store")
        return self

    @model_validator(mode="after")
    def _endpoint(self) -> Self:
        if self.endpoint and not self.endpoint.startswith(("https://", "http://")):
            raise ValueError("endpoint begins with https:// or http://")
        return self

    @model_validator(mode="after")
    def _keys(self) -> Self:
        if self.scheme in ("", "s3a") and (self.access_key is None) != (self.secret_key is None):
            raise ValueError("access_key and secret_key are given together or not at all")
        if self.scheme in ("abfss", "gs") and self.access_key is not None:
            raise ValueError("access_key is for S3")
        return self
