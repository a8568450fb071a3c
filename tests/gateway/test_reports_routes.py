"""Reports and exports over HTTP."""

import io
from collections.abc import Callable

import pyarrow.parquet as pq
import pytest
from starlette.testclient import TestClient

from desk.reports.sheets import VIEWS
from store.database import Database

Api = Callable[..., TestClient]
CASE = (
    """insert into episodes values ('1', 'main', 5, 'account:A/EUR', 'account', 1, now(), now(), 'e', 'e',
    '{}', 0.9, '{amount_z}', 's', now(), now())""",
    """insert into cases (case_id, episode_id, entity, kind, revision, severity, lane, started_at, last_at)
    values ('case-1', '1', 'account:A/EUR', 'account', 1, 0.9, 'batch', now(), now())""",
    """insert into case_files (case_id, tenant, title, entity, kind, pattern, fingerprint, touches, outcome,
    severity, own_severity, revision, hits, started_at, last_at, own_started_at, own_last_at, opened_at, changed_at, confidence)
    values ('case-1', 'main', '=1 of ann@example.org', 'account:A/EUR', 'account', 'amount', '{}', '{}', 'confirmed',
    0.9, 0.9, 1, 1, now(), now(), now(), now(), now(), now(), 0.8)""",
)


@pytest.fixture
def one_case(database: Database) -> None:
    with database.connection() as connection:
        for statement in CASE:
            connection.execute(statement)


@pytest.mark.usefixtures("one_case")
def test_a_case_on_paper(api: Api) -> None:
    analyst = api("analyst")
    markdown = analyst.get("/v1/cases/case-1/report")
    assert markdown.status_code == 200, markdown.text
    assert markdown.text.startswith("# Case report: =1 of (email)")
    assert analyst.get("/v1/cases/case-1/report?format=pdf&kind=suspicious-activity").content.startswith(b"%PDF-")
    assert analyst.get("/v1/cases/case-2/report").status_code == 404
    assert api("analyst", tenant="other").get("/v1/cases/case-1/report").status_code == 404


@pytest.mark.usefixtures("one_case")
def test_a_table_as_a_file(api: Api) -> None:
    analyst = api("analyst")
    written = analyst.get("/v1/exports/cases")
    assert written.status_code == 200, written.text
    assert "'=1 of [email]" in written.text
    table = pq.read_table(io.BytesIO(analyst.get("/v1/exports/cases?format=parquet").content))
    assert table.num_rows == 1
    assert api("analyst", tenant="other").get("/v1/exports/cases").content == b"\r\n"
    assert analyst.get("/v1/exports/cases?since=2100-01-01T00:00:00Z").content == b"\r\n"


def test_every_view_can_be_exported(api: Api) -> None:
    analyst = api("analyst")
    assert {view: analyst.get(f"/v1/exports/{view}").status_code for view in VIEWS} == dict.fromkeys(VIEWS, 200)
    assert api("viewer").get("/v1/exports/cases").status_code == 403
