"""Every setting of Conclave in one frozen object, read once from `conclave.toml` and `CONCLAVE_*` variables.

A section's field is set by `CONCLAVE_<SECTION>__<FIELD>` or by `[section] field = …` in the file named by
`CONCLAVE_CONFIG` (default `conclave.toml` in the working directory, if there is one). Variables win over the file.
An unknown name is refused with the nearest known one.
"""

import difflib
import os
from functools import cache
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from store.errors import BadSettings
from store.sections.assistant import Assistant
from store.sections.base import Positive, Section
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
    tenant: str = "main"
    database_url: SecretStr | None = Field(
        None, description="a Postgres; without it libpq's PG* variables, else the embedded one"
    )
    pool_size: Positive = 4
    seed: int = 7
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
        file = Path(os.environ.get("CONCLAVE_CONFIG", "conclave.toml"))
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, file)


def known_variables() -> set[str]:
    """Every environment variable that means something."""
    names = {"CONCLAVE_CONFIG", "CONCLAVE_JARS"}
    for name, field in Settings.model_fields.items():
        names.add(f"CONCLAVE_{name.upper()}")
        if isinstance(field.annotation, type) and issubclass(field.annotation, Section):
            names |= {f"CONCLAVE_{name.upper()}__{inner.upper()}" for inner in field.annotation.model_fields}
    return names


def read(**given: Any) -> Settings:
    """Read and check the settings; `given` wins over variables and file.

    Raises BadSettings with one line per fault, naming the key.
    """
    known = known_variables()
    unknown = sorted(
        name
        for name in os.environ
        if name.startswith("CONCLAVE_") and not name.startswith("CONCLAVE_TEST_") and name not in known
    )
    if unknown:
        hints = [
            f"{name} (did you mean {near[0]}?)" if (near := difflib.get_close_matches(name, known, 1)) else name
            for name in unknown
        ]
        raise BadSettings("unknown setting: " + ", ".join(hints))
    try:
        return Settings(**given)
    except ValidationError as error:
        faults = [f"{'.'.join(str(part) for part in fault['loc'])}: {fault['msg']}" for fault in error.errors()]
        raise BadSettings("; ".join(faults)) from None


@cache
def settings() -> Settings:
    """The process's settings, read once."""
    return read()
