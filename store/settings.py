"""Every setting of Conclave in one frozen object, read once from `conclave.toml` and `CONCLAVE_*` variables.

A section's field is set by `CONCLAVE_<SECTION>__<FIELD>` or by `[section] field = …` in the file named by
`CONCLAVE_CONFIG` (default `conclave.toml` in the working directory, if there is one). Variables win over the file.
An unknown name is refused with the nearest known one, and so is what is out of range or contradicts itself.
"""

import os
import tomllib
from functools import cache
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, SecretStr, ValidationError, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from store import refused
from store.contradictions import found as contradicting
from store.errors import BadSettings
from store.sections.assistant import Assistant
from store.sections.base import Count, Positive
from store.sections.core import Council, Dashboard, Detect, Ingest, Model, Retention, Source, Spark
from store.sections.desk import Desk
from store.sections.gateway import Gateway
from store.sections.notify import Notify
from store.sections.observe import Observe
from store.sections.pipelines import Pipelines
from store.sections.privacy import Privacy
from store.sections.schedule import Schedule
from store.sections.storage import Storage
from store.sections.telemetry import Telemetry


class Settings(BaseSettings):
    """All settings. `home` holds everything Conclave writes unless a more precise one says otherwise."""

    model_config = SettingsConfigDict(env_prefix="CONCLAVE_", env_nested_delimiter="__", extra="forbid", frozen=True)

    home: Path = Field(
        Path("var"), description="folder of everything written: Delta tables, checkpoints, embedded database, logs"
    )
    tenant: str = Field("main", min_length=1, max_length=200)
    database_url: SecretStr | None = Field(
        None, description="a Postgres; without it libpq's PG* variables, else the embedded one"
    )
    pool_size: Positive = 4
    seed: int = Field(7, ge=0, le=2**63 - 1)
    min_free_mb: Count = Field(500, description="free disk below which no job starts")
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    source: Source = Source()
    ingest: Ingest = Ingest()
    detect: Detect = Detect()
    council: Council = Council()
    model: Model = Model()
    retention: Retention = Retention()
    dashboard: Dashboard = Dashboard()
    spark: Spark = Spark()
    gateway: Gateway = Gateway()
    pipelines: Pipelines = Pipelines()
    desk: Desk = Desk()
    notify: Notify = Notify()
    assistant: Assistant = Assistant()
    observe: Observe = Observe()
    privacy: Privacy = Privacy()
    schedule: Schedule = Schedule()
    storage: Storage = Storage()
    telemetry: Telemetry = Telemetry()

    @property
    def landing(self) -> Path:
        """Folder that the file source watches."""
        return self.source.folder or self.home / "landing"

    @property
    def watched(self) -> str:
        """What the file source watches: the landing folder, or a place in an object store."""
        return self.storage.landing or str(self.landing.absolute())

    def dropping(self) -> Path:
        """The landing folder, for whoever puts files into it. Raises BadSettings when it is in an object store."""
        if self.storage.landing:
            raise BadSettings(f"ingest watches {self.storage.landing}, where this cannot write: put files there, or use Kafka.")
        return self.landing

    @property
    def root(self) -> str:
        """Below which Delta tables and checkpoints lie: HOME, or a place in an object store."""
        return self.storage.root or str(self.home.absolute())

    @property
    def bronze(self) -> str:
        return f"{self.root}/delta/bronze"

    @property
    def quarantine(self) -> str:
        return f"{self.root}/delta/quarantine"

    def checkpoint(self, job: str) -> str:
        return f"{self.root}/checkpoints/{job}"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, config_file())

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if contradictions := contradicting(self):
            raise ValueError("; ".join(contradictions))
        return self


def config_file() -> Path:
    return Path(os.environ.get("CONCLAVE_CONFIG", "conclave.toml"))


def known_variables() -> set[str]:
    """Every environment variable that means something."""
    return set(refused.variables(Settings))


def read(**given: Any) -> Settings:
    """Read and check the settings; `given` wins over variables and file.

    Raises BadSettings with one sentence per fault, naming the key.
    """
    known = refused.variables(Settings)
    faults = [*refused.unknown_variables(os.environ, known), *refused.broken_json(os.environ, known), *_file_faults()]
    if faults:
        raise BadSettings("; ".join(faults))
    try:
        return Settings(**given)
    except ValidationError as error:
        raise BadSettings("; ".join(refused.words(error, Settings))) from None


def _file_faults() -> list[str]:
    """Why the file cannot be read; one that is named must be there."""
    file = config_file()
    if not file.exists():
        return [f"CONCLAVE_CONFIG: there is no file {file}"] if "CONCLAVE_CONFIG" in os.environ else []
    try:
        tomllib.loads(file.read_text())
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        return [f"{file}: {error}"]
    return []


@cache
def settings() -> Settings:
    """The process's settings, read once."""
    return read()
