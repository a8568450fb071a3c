"""Settings of schedule/."""

from pydantic import Field

from store.sections.base import Positive, Seconds, Section


class Schedule(Section):
    """Jobs by cron or interval."""

    install_defaults: bool = Field(True, description="make the nightly schedules where they are missing")
    zone: str = Field("UTC", description="time zone of the default schedules, as Europe/Berlin")
    lease_s: Seconds = Field(3600, description="a run whose worker vanished is given up after this")
    retrain_command: tuple[str, ...] = Field(
        (), description="program and arguments run after `retrain`; `{feedback}` is the file's path"
    )
    report_timeout_s: Seconds = Field(1800, description="for programs that jobs start")
    runs_kept: Positive = Field(200, description="runs kept per schedule")
