"""Bad settings are refused at the start with the key's name, wherever they come from: every setting with a wrong value."""

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import SecretStr

from jobs import detectors
from jobs.events import Rules
from jobs.policy import Policy
from store.contradictions import found
from store.errors import BadSettings
from store.refused import model_in
from store.sections.core import DetectorName, Ingest
from store.settings import Settings, known_variables, read

Field = tuple[str, Any]


def fields() -> Iterator[Field]:
    """`section.field` and what pydantic knows of it, of every setting."""
    for name, field in Settings.model_fields.items():
        section = model_in(field.annotation)
        yield from ((f"{name}.{inner}", one) for inner, one in section.model_fields.items()) if section else ((name, field),)


FIELDS = dict(fields())
KINDS = {
    name: [
        field.annotation,
        *(getattr(one, "__origin__", one) if get_args(one)[1:] else one for one in get_args(field.annotation)),
    ]
    for name, field in FIELDS.items()
}
NUMBERS = sorted(name for name, kinds in KINDS.items() if int in kinds or float in kinds)


@pytest.fixture(autouse=True)
def _apart(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in known_variables():
        monkeypatch.delenv(name, raising=False)


def given(name: str, value: Any) -> dict[str, Any]:
    section, _, field = name.partition(".")
    return {section: {field: value}} if field else {section: value}


def variable(name: str) -> str:
    return f"CONCLAVE_{name.upper().replace('.', '__')}"


def limits(name: str) -> dict[str, float]:
    field = FIELDS[name]
    inner = [one for part in get_args(field.annotation) for one in getattr(part, "__metadata__", ())]
    metadata = [*field.metadata, *(m for one in inner for m in getattr(one, "metadata", [one]))]
    return {key: getattr(one, key) for one in metadata for key in ("gt", "ge", "lt", "le") if getattr(one, key, None) is not None}


def wrong(name: str) -> list[Any]:
    """Values that no setting of this type may have."""
    kinds = KINDS[name]
    if name in NUMBERS:
        held = limits(name)
        low, high = held.get("gt", held.get("ge", 0)), held.get("lt", held.get("le", 0))
        return [low if "gt" in held else low - 1, high * 2 + 1, math.nan, "many"]
    if bool in kinds:
        return ["perhaps", 7]
    if any(kind in kinds for kind in (dict, tuple, list)) or any(getattr(kind, "__origin__", None) for kind in kinds):
        return [7, "text"]
    return [["a", "list"], {"a": 1}]


@pytest.mark.parametrize("name", FIELDS)
def test_a_wrong_value_of_any_setting_is_refused_with_its_name(name: str) -> None:
    for value in wrong(name):
        with pytest.raises(BadSettings) as error:
            read(**given(name, value))
        assert name in str(error.value), value


@pytest.mark.parametrize("name", NUMBERS)
def test_every_number_has_a_lowest_and_a_highest_value(name: str) -> None:
    held = limits(name)
    assert {"gt", "ge"} & set(held), name
    assert {"lt", "le"} & set(held), name


@pytest.mark.parametrize("name", FIELDS)
def test_a_typing_error_in_any_name_is_refused_with_the_name_meant(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    section, _, field = name.rpartition(".")
    typed = f"{field[:-1]}_{field[-1]}"
    if typed in known_variables():
        pytest.skip("means something else")
    with pytest.raises(BadSettings, match="there is no such setting"):
        read(**({section: {typed: 1}} if section else {typed: 1}))
    monkeypatch.setenv(variable(f"{section}.{typed}".strip(".")), "1")
    with pytest.raises(BadSettings, match=rf"{variable(f'{section}.{typed}'.strip('.'))}: there is no such variable"):
        read()


@pytest.mark.parametrize(
    ("place", "name", "meant"),
    [
        ({"detect": {"windw": 50}}, "detect.windw", "detect.window"),
        ({"detekt": {"window": 50}}, "detekt", "detect"),
        ({"council": {"triage_baar": 0.5}}, "council.triage_baar", "council.triage_bar"),
    ],
)
def test_the_file_is_held_to_the_same(place: dict[str, Any], name: str, meant: str, tmp_path: Path) -> None:
    [(section, held)] = place.items()
    [(key, value)] = held.items()
    (tmp_path / "conclave.toml").write_text(f"[{section}]\n{key} = {value}\n")
    with pytest.raises(BadSettings, match=rf"{name}: there is no such setting \(did you mean {meant}\?\)"):
        read()


def test_a_file_that_is_no_toml_or_not_there_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "conclave.toml").write_text("[detect\nwindow = 3")
    with pytest.raises(BadSettings, match=r"conclave\.toml: Expected"):
        read()
    monkeypatch.setenv("CONCLAVE_CONFIG", str(tmp_path / "none.toml"))
    with pytest.raises(BadSettings, match=r"CONCLAVE_CONFIG: there is no file .*none\.toml"):
        read()


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("CONCLAVE_DETECT__WINDOW", "-5", r"detect\.window: should be greater than or equal to 8"),
        ("CONCLAVE_DETECT__IDLE_S", "-1", r"detect\.idle_s: should be greater than 0"),
        ("CONCLAVE_DETECT", '{"windw": 9}', r"detect\.windw: there is no such setting \(did you mean detect\.window\?\)"),
        ("CONCLAVE_DETECT__THRESHOLDS", "{bad", r"CONCLAVE_DETECT__THRESHOLDS: is read as JSON"),
        ("CONCLAVE_DETECT__THRESHOLDS", '{"amount_z": 0}', r"detect\.thresholds\.amount_z: should be greater than 0"),
        ("CONCLAVE_DETECT__THRESHOLDS", '{"amount_y": 1}', r"detect\.thresholds\.amount_y"),
        ("CONCLAVE_DETECT__DETECTORS", '["amount_y"]', r"detect\.detectors\.0"),
        ("CONCLAVE_detect__window", "50", r"CONCLAVE_detect__window: .*did you mean CONCLAVE_DETECT__WINDOW"),
        ("CONCLAVE_SOURCE__KIND", "kafkaa", r"source\.kind"),
        ("CONCLAVE_SPARK__DRIVER_MEMORY", "2 gigs", r"spark\.driver_memory"),
    ],
)
def test_the_environment_is_held_to_the_same(name: str, value: str, told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(BadSettings, match=told):
        read()


def test_a_secret_is_not_repeated() -> None:
    with pytest.raises(BadSettings) as error:
        read(database_url="topsecret", privacy={"master_key": ["topsecret"]})
    assert "topsecret" not in str(error.value)


CONTRADICTIONS = [
    ({"detect": {"window": 10, "warm_up": 11}}, ("detect.warm_up (11)", "detect.window (10)")),
    ({"detect": {"idle_s": 9, "lateness_s": 10}, "ingest": {"max_future_s": 1}}, ("detect.idle_s (9)", "detect.lateness_s (10)")),
    ({"detect": {"idle_s": 9, "lateness_s": 1}, "ingest": {"max_future_s": 10}}, ("detect.idle_s (9)", "max_future_s (10)")),
    ({"detect": {"episode_quiet_s": 61, "episode_max_s": 60}}, ("detect.episode_quiet_s (61)", "detect.episode_max_s (60)")),
    ({"retention": {"batches_days": 29}}, ("retention.batches_days (29)", "less than 30")),
    ({"council": {"triage_bar": 0.9, "immediate_bar": 0.8}}, ("council.triage_bar (0.9)", "council.immediate_bar (0.8)")),
    ({"model": {"max_tokens": 15_000}}, ("model.context_tokens (16384)", "model.max_tokens (15000)")),
    ({"gateway": {"port": 7000}, "dashboard": {"port": 7000}}, ("gateway.port", "dashboard.port", "7000")),
    ({"gateway": {"tls_key": "key.pem"}}, ("gateway.tls_certificate", "gateway.tls_key")),
    ({"gateway": {"oidc_issuer": "https://id.example"}}, ("gateway.oidc_audience",)),
    ({"desk": {"limits": [{"from_severity": 0, "acknowledge_min": 9, "resolve_min": 8}]}}, ("desk.limits", "(9)", "(8)")),
    ({"notify": {"backoff_s": 9, "backoff_max_s": 8}}, ("notify.backoff_s (9)", "notify.backoff_max_s (8)")),
    ({"schedule": {"zone": "Europe/Berlinn"}}, ("schedule.zone", "Europe/Berlinn")),
    ({"assistant": {"zone": "../etc/passwd"}}, ("assistant.zone",)),
    ({"source": {"kind": "kafka", "kafka_topics": " ,"}}, ("source.kafka_topics",)),
    ({"source": {"kind": "kafka", "kafka_servers": ""}}, ("source.kafka_servers",)),
    ({"database_url": "localhost:5432"}, ("database_url", "postgresql://")),
]  # fmt: skip


@pytest.mark.parametrize(("together", "named"), CONTRADICTIONS, ids=[named[0] for _, named in CONTRADICTIONS])
def test_settings_that_contradict_each_other_are_refused_by_name(together: dict[str, Any], named: tuple[str, ...]) -> None:
    with pytest.raises(BadSettings) as error:
        read(**together)
    for word in named:
        assert word in str(error.value)


def test_the_defaults_and_their_edges_do_not_contradict_each_other() -> None:
    assert found(Settings()) == []
    read(detect={"window": 20, "warm_up": 20, "idle_s": 3600}, council={"triage_bar": 0.85}, retention={"batches_days": 30})
    read(database_url=SecretStr("host=db user=x"))


def test_what_is_known_twice_is_the_same_in_both_places() -> None:
    assert set(get_args(DetectorName)) == set(detectors.ALL) == set(Policy().detectors)
    assert Rules.max_future_s == Ingest().max_future_s
    assert Policy.of(Settings().detect).hash == Policy(detectors=tuple(sorted(Policy().detectors))).hash


def test_known_variables_are_those_that_set_something(monkeypatch: pytest.MonkeyPatch) -> None:
    assert {variable(name) for name in FIELDS} < known_variables()
    monkeypatch.setenv("CONCLAVE_DETECT__WINDOW", "50")
    monkeypatch.setenv("CONCLAVE_DETECT__THRESHOLDS", json.dumps({"velocity": 9}))
    assert (read().detect.window, read().detect.thresholds) == (50, {"velocity": 9.0})
