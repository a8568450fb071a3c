"""Reports as documents: text from outside is inert and masked, what is unknown is said, the PDF can be read."""

import io
from datetime import UTC, datetime, timedelta
from typing import Any

import pypdf
import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from desk.reports import sheets
from desk.reports.gathered import Gathered
from desk.reports.kinds import WRITERS
from desk.reports.pdf import pdf
from desk.reports.suspicious_activity import totals
from desk.reports.wording import said

AT = datetime(2026, 3, 4, 14, tzinfo=UTC)
HOSTILE = "<script>alert(1)</script> | **bold** ![x](http://127.0.0.1/x.png) card 4111 1111 1111 1111 ann@example.org"


def case(**more: Any) -> dict[str, Any]:
    return {
        "case_id": "case-1",
        "status": "resolved",
        "title": HOSTILE,
        "entity": "account:A12/EUR",
        "kind": "account",
        "outcome": "confirmed",
        "severity": 0.91,
        "hits": 3,
        "members": 1,
        "started_at": AT,
        "last_at": AT + timedelta(minutes=9),
        "expected_loss": None,
        "loss_currency": "EUR",
        "loss_words": "unknown: no amount",
        "assignee": None,
        "tags": [],
        "reason": "fraud_confirmed",
        "reason_text": HOSTILE,
        "opened_at": AT + timedelta(hours=1),
        "acknowledged_at": None,
        "closed_at": AT + timedelta(hours=2),
        "closed_by": "key:1",
        **more,
    }


def ruling(**more: Any) -> dict[str, Any]:
    return {
        "case_id": "case-1",
        "entity": "account:A12/EUR",
        "joined_because": "",
        "severity": 0.9,
        "ruling_id": "r",
        "outcome": "confirmed",
        "action": "block_account",
        "confidence": 0.8,
        "root_cause": f"Card testing. {HOSTILE}",
        "next_steps": [{"text": "Block it"}],
        "council": "rules",
        "model": None,
        "why": "",
        "citations": ["e1"],
        "ruled_at": AT,
        "brief_hash": "ab" * 32,
        **more,
    }


def hit(number: int, **more: Any) -> dict[str, Any]:
    return {
        "anomaly_id": f"a{number}",
        "event_id": f"ev{number}",
        "event_time": AT + timedelta(minutes=number),
        "entity": "account:A12/EUR",
        "detector": "amount_z",
        "value": 1234.5,
        "expected": 41.2,
        "low": 10.0,
        "high": 80.0,
        "unit": "amount",
        "severity": 0.9,
        "counterparty": "T|9",
        "currency": "EUR",
        "message": HOSTILE,
        **more,
    }


GATHERED = Gathered(
    case(),
    [ruling()],
    [hit(1), hit(2), hit(3, unit="error rate", value=0.5)],
    [
        {
            "action": "block_account",
            "target": "account:A12",
            "state": "executed",
            "reason": "",
            "decided_by": "key:1",
            "decided_at": AT,
            "decision": "",
            "executed_at": AT,
        }
    ],
    [{"at": AT, "who": "the desk", "said": HOSTILE}],
    cut=True,
)


@pytest.mark.parametrize("kind", WRITERS)
def test_what_came_from_outside_is_inert_and_masked(kind: str) -> None:
    text = WRITERS[kind](GATHERED)
    html = MarkdownIt("commonmark", {"html": True}).enable("table").render(text)
    assert "<script" not in html
    assert "<img" not in html
    assert "<strong>bold" not in html
    assert "4111" not in text
    assert "ann@example.org" not in text


@pytest.mark.parametrize("kind", WRITERS)
def test_nothing_is_invented_when_nothing_is_known(kind: str) -> None:
    empty = Gathered(
        case(closed_at=None, members=0), [ruling(ruling_id=None, root_cause=None, next_steps=None)], [], [], [], cut=False
    )
    text = WRITERS[kind](empty)
    assert "not known" in text
    assert "None was proposed" in text
    assert "nan" not in text.lower()


def test_a_payment_counts_once() -> None:
    assert totals([hit(1), hit(1, entity="counterparty:T9/EUR"), hit(2, currency="USD", value=5.0)]) == [
        "- 1 flagged payments, together 1,234.50 EUR",
        "- 1 flagged payments, together 5.00 USD",
    ]


def test_the_pdf_says_what_the_markdown_says() -> None:
    made = pdf(WRITERS["case"](GATHERED), "case case-1")
    read = " ".join(page.extract_text() for page in pypdf.PdfReader(io.BytesIO(made)).pages)
    assert "Case report" in read
    assert "1,234.50 EUR" in read
    assert "50.0%" in read
    assert "alert(1)" in read


@given(st.text(max_size=200))
def test_any_text_leaves_a_table_a_table(text: str) -> None:
    html = MarkdownIt("commonmark").enable("table").render(f"| a | b |\n|---|---|\n| {said(text)} | x |\n")
    assert html.count("<td>") == 2


def test_cells_are_no_formulas() -> None:
    assert sheets.as_csv([{"a": "=cmd()", "b": "+1", "c": -1.5, "d": None}]) == b"a,b,c,d\r\n'=cmd(),'+1,-1.5,\r\n"
    assert sheets.as_csv([]) == b"\r\n"
