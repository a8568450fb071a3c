"""The file of channels and routes: checked, merged with the database, and stronger than it."""

from pathlib import Path

import pytest
from post_office import ADMIN, Post
from typer.testing import CliRunner

from cli.app import build
from notify import registry
from notify.config import check_file, load, read_file
from notify.errors import BadFile, InFile
from notify.registry import Change
from store.settings import Settings, read, settings

EXAMPLE = Path(registry.__file__).parent / "example.toml"


@pytest.fixture
def plain(tmp_path: Path) -> Settings:
    return read(home=tmp_path)


def written(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "channels.toml"
    file.write_text(text)
    return file


def test_the_example_can_be_used(plain: Settings) -> None:
    assert check_file(EXAMPLE, plain) == []
    config = read_file(EXAMPLE, "main", plain)
    assert list(config.routes) == ["everything-to-the-case-system", "services-page-somebody", "cases-to-the-desk", "digest"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[[channels]\n", "Expected"), ("[channels]\nid = 'a'", "written [[channels]]"), ("[[chanels]]\nid = 'a'", "`chanels`"),
        ("[[channels]]\nkind = 'table'", "number 1: `id`"), ("[[channels]]\nid = 'A b'\nkind = 'table'", "`id` is a name"),
        ("[[channels]]\nid = 'a'", "`kind` is missing"), ("[[channels]]\nid = 'a'\nkind = 'slack'\nurl = 'https://h/x'", "`a`: "),
        ("[[channels]]\nid = 'a'\nkind = 'table'\n[[channels]]\nid = 'a'\nkind = 'table'", "used twice"),
        ("[[channels]]\nid = 'a'\nkind = 'webhook'\nurl = 'https://10.0.0.1/'\nsecret = 'env:NOTIFY_A'", "10.0.0.1"),
        ("[[routes]]\nid = 'r'\nchannels = ['nowhere']", "there is no channel `nowhere`"),
        ("[[routes]]\nid = 'r'\nchannels = ['a']\nmatchers = ['severity=1']", "severity is compared"),
        ("[[subscriptions]]\nid = 's'\ntopic = 't'\ntarget = {kind = 'channel', name = 'c'}", "no alert topic `t`"),
    ],
)  # fmt: skip
def test_a_wrong_file_says_where(tmp_path: Path, plain: Settings, text: str, says: str) -> None:
    assert any(says in fault for fault in check_file(written(tmp_path, text), plain))


def test_a_file_that_is_not_there(tmp_path: Path, plain: Settings) -> None:
    assert check_file(tmp_path / "none.toml", plain)
    with pytest.raises(BadFile):
        read_file(tmp_path / "none.toml", "main", plain)


FILE = """
[[channels]]
id = "shared"
kind = "table"
[[channels]]
id = "theirs"
kind = "table"
tenant = "other"
[[routes]]
id = "of-file"
channels = ["shared"]
matchers = ["severity>=0.9"]
"""


@pytest.fixture
def filed(post: Post, tmp_path: Path) -> Post:
    post.put("channel", "shared", kind="kafka", topic="x")
    post.put("channel", "own", kind="table")
    post.put("route", "of-database", channels=["own"])
    post.settings = read(home=tmp_path, notify={"file": written(tmp_path, FILE)})
    return post


def test_the_file_wins_and_its_routes_come_first(filed: Post) -> None:
    config = load(filed.database, "main", filed.settings)
    assert {name: channel.name for name, channel in config.channels.items()} == {"shared": "table", "own": "table"}
    assert list(config.routes) == ["of-file", "of-database"]
    shown = registry.listed(filed.database, "main", filed.settings, "channels")
    assert {one["id"]: one["origin"] for one in shown} == {"shared": "file", "own": "database"}
    assert list(load(filed.database, "other", filed.settings).channels) == ["theirs"]


def test_what_the_file_names_is_not_changed_by_page_or_api(filed: Post) -> None:
    with filed.database.connection() as connection:
        change = Change(connection, ADMIN, filed.settings, filed.now)
        with pytest.raises(InFile):
            registry.put_channel(change, "shared", {"kind": "table"})
        with pytest.raises(InFile):
            registry.remove(change, "routes", "of-file")
        registry.put_route(change, "more", {"channels": ["shared"]})


def test_nothing_is_dispatched_while_the_file_cannot_be_read(filed: Post) -> None:
    filed.publish()
    assert filed.settings.notify.file is not None
    filed.settings.notify.file.write_text("[[")
    with pytest.raises(BadFile):
        filed.run()
    assert filed.count("messages", "dispatched_at is null") == 1
    filed.settings.notify.file.write_text(FILE)
    filed.run()
    filed.run(5)
    assert filed.count("deliveries", "route_id = 'of-file' and state = 'sent'") == 1


def test_a_row_that_cannot_be_read_stops_nothing_and_is_shown(post: Post) -> None:
    post.put("channel", "log", kind="table")
    post.put("route", "good", channels=["log"])
    post.rows("""insert into routes (tenant, route_id, position, rule) values ('main', 'bad', 1, '{"from": "another version"}')
                 returning 1""")
    post.publish()
    post.run()
    post.run(5)
    assert post.count("deliveries", "state = 'sent'") == 1
    (bad,) = (one for one in registry.listed(post.database, "main", post.settings, "routes") if one["id"] == "bad")
    assert "from" in bad["fault"]


@pytest.fixture
def command(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    monkeypatch.setenv("CONCLAVE_DATABASE_URL", database_url)
    monkeypatch.setenv("CONCLAVE_HOME", str(tmp_path))
    settings.cache_clear()
    return CliRunner()


def test_the_command_line(command: CliRunner, post: Post, tmp_path: Path) -> None:
    def says(*arguments: str, code: int = 0) -> str:
        ended = command.invoke(build(), ["notify", *arguments])
        assert ended.exit_code == code, ended.output
        return ended.output

    assert "can be used" in says("check", str(EXAMPLE))
    assert "`chanels`" in says("check", str(written(tmp_path, "[[chanels]]")), code=1)
    assert "Nothing was sent" in says("deliveries")
    post.put("channel", "log", kind="table")
    assert "It arrived" in says("test", "log")
    assert "This is a test" in says("deliveries", "--channel", "log")
    assert '"state": "sent"' in says("deliveries", "--json")
    assert "0 go round again" in says("replay", "log")
    settings.cache_clear()
