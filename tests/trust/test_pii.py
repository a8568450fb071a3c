"""What is found, what is not mistaken for it, and the laws of masking."""

import json
import time
from itertools import pairwise

import phonenumbers
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stdnum import luhn
from stdnum.iso7064 import mod_97_10

from trust.pii import find, mask, mask_values

FOUND = {
    "card 4111 1111 1111 1111 declined": "card [card] declined",
    "5500-0000-0000-0004": "[card]",
    "amex 378282246310005.": "amex [card].",
    "on 2026-05-01 4111111111111111 at 12": "on 2026-05-01 [card] at 12",
    "4111\u00a01111\u20111111 1111": "[card]",
    "\uff14111111111111111": "[card]",
    "DE89 3704 0044 0532 0130 00 for rent": "[iban] for rent",
    "iban:gb82west12345698765432,": "iban:[iban],",
    "Ann.O'Hara+x@mail.example.co.uk!": "[email]!",
    "jürgen@bücher.example": "[email]",
    "+49 30 901820 or 0049 30 901820": "[phone] or [phone]",
    "(212) 736-5000, 212.736.5000": "[phone], [phone]",
    "phone: 030 1234567": "phone: [phone]",
    "password=hunter2 token: 'abcdef'": "password=[secret] token: '[secret]'",
    '{"api_key": "0123456789"}': '{"api_key": "[secret]"}',
    "Authorization: Bearer abc.def-ghi_jklm": "Authorization: [secret] [secret]",
    "postgresql://me:pw@db/x": "postgresql://[secret]@db/x",
    "key AKIAIOSFODNN7EXAMPLE": "key [secret]",
    "ghp_0123456789abcdefghijABCDEFGHIJ012345": "[secret]",
    "conclave_0f3a9c21b7de_5c0f3a9c21b7de5c0f3a": "[secret]",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln": "[secret]",
    "x -----BEGIN PRIVATE KEY-----\nMII\n-----END PRIVATE KEY----- y": "x [secret] y",
    "Dear Mr. John Smith,": "Dear Mr. [name],",
    "cardholder: Anna-Maria Lopez": "cardholder: [name]",
    "at 221b Baker Street, 10115 Berlin": "at [address], 10115 Berlin",
    "Hauptstraße 5": "[address]",
    "12 rue de la Paix": "[address]",
}
LEFT = (
    "", "acc-000123 paid 1,204.50 EUR", "2026-05-01T12:00:00.123456Z", "1760000000000000", "4111111111111112",
    "0000000000000000", "550e8400-e29b-41d4-a716-446655440000", "e3.value = 51.4%", "502 Bad Gateway after 2,100 ms",
    "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", "Monitoring 5, String 3",
    "token bucket, secret sauce, tokens: 5", "a@b", "@", "10.20.30.40:5432", "DE88 1714 1144 1532 1130 11",
    "token: tok_abcdefghijklmnopqrstuvwxyz", "upstream checkout responded 502", "window of 100 (60) [20]",
    "account:A12/EUR 4.2.1 t000105 tx-7-000001", "case-3f2a9c21b7de 3.1415926535897932",
)  # fmt: skip


@pytest.mark.parametrize(("text", "masked"), FOUND.items())
def test_is_found(text: str, masked: str) -> None:
    assert mask(text) == masked


@pytest.mark.parametrize("text", LEFT)
def test_is_left_alone(text: str) -> None:
    assert find(text) == []
    assert mask(text) is text


WORDS = st.text(st.characters(codec="utf-8"), max_size=40)


@st.composite
def cards(draw: st.DrawFn) -> str:
    stem = draw(st.sampled_from(["4", "51", "2221", "34", "6011", "3528"])) + draw(st.from_regex(r"[0-9]{11,13}", fullmatch=True))
    number = stem[:18] + luhn.calc_check_digit(stem[:18])
    gap = draw(st.sampled_from(["", " ", "-"]))
    return gap.join(number[i : i + 4] for i in range(0, len(number), 4))


@st.composite
def ibans(draw: st.DrawFn) -> str:
    bban = draw(st.from_regex(r"[0-9]{18}", fullmatch=True))
    number = "DE" + mod_97_10.calc_check_digits(bban + "DE") + bban
    return " ".join(number[i : i + 4] for i in range(0, 22, 4)) if draw(st.booleans()) else number


EMAILS = st.from_regex(r"[a-z][a-z0-9._+-]{0,20}@[a-z0-9]{1,10}(\.[a-z]{2,8}){1,3}", fullmatch=True)
PHONES = st.sampled_from(["US", "DE", "GB", "FR", "IN", "BR", "JP", "AU"]).map(
    lambda region: phonenumbers.format_number(phonenumbers.example_number(region), phonenumbers.PhoneNumberFormat.INTERNATIONAL)
)
SECRETS = st.from_regex(r"(AKIA[0-9A-Z]{16}|ghp_[A-Za-z0-9]{36}|password=[a-z0-9]{6,20})", fullmatch=True)


@settings(max_examples=60, deadline=None)
@given(WORDS, st.one_of(cards(), ibans(), EMAILS, PHONES, SECRETS), WORDS)
def test_what_is_planted_between_other_words_never_stays(before: str, planted: str, after: str) -> None:
    value = planted.removeprefix("password=")
    assert value not in mask(f"{before} {planted} {after}")


PARTS = ["4111", "+49", "@a.de", "password=", "Mr. ", "Ab ", " ", "1", "-", "eyJ", "[", "12 "]


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=200) | st.lists(st.sampled_from(PARTS)).map("".join))
def test_the_laws_of_masking(text: str) -> None:
    found = find(text)
    assert all(0 <= one.start < one.end <= len(text) for one in found)
    assert all(one.end <= other.start for one, other in pairwise(found))
    masked = mask(text)
    for one in found:
        assert one.kind in ("card", "iban", "email", "phone", "secret", "name", "address")
    assert mask(mask(masked)) == mask(masked), "it settles"
    if not found:
        assert masked is text


def test_values_are_masked_at_any_depth() -> None:
    value = {"a": ["card 4111111111111111", 7, None, {"password": "x", "ann@example.org": ("y",)}], "token": "tok_" + "a" * 26}
    assert mask_values(value) == {
        "a": ["card [card]", 7, None, {"password": "[secret]", "[email]": ["y"]}],
        "token": "tok_" + "a" * 26,
    }
    assert json.dumps(mask_values(value))


@pytest.mark.parametrize(
    "part", ["1-", "4 ", "A1", "a.", "(", "pass", "-", "AB12 ", "@", "a@", "Mr. A ", "eyJ", "://a:", "1 Ab ", "sk-"]
)
def test_long_hostile_text_takes_no_long_time(part: str) -> None:
    text = part * (20_000 // len(part))
    began = time.process_time()
    find(text)
    assert time.process_time() - began < 2
