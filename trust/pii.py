"""Personal data and secrets in free text: found by their form and their check digits, masked by their kind.

Found: payment cards (issuer's range and Luhn), IBANs (check digits), e-mail addresses, telephone numbers (international, North
American, or after a word such as `phone`), keys and tokens of known forms, PEM private keys, JWTs, logins in URLs, values
assigned to names such as `password`, names after a title or a label (`Mr`, `cardholder:`), street addresses with a house number.
Not found, and not claimed: names without title or label, addresses without a street word, bare national numbers of other
countries, identity and tax numbers, dates of birth, anything spelled out in words or broken up on purpose.

    >>> mask("card 4111 1111 1111 1111 of ann@example.org")
    'card [card] of [email]'
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from stdnum import iban, luhn


@dataclass(frozen=True, order=True)
class Found:
    """A piece of personal data: `text[start:end]`, of kind card, iban, email, phone, secret, name or address."""

    kind: str
    start: int
    end: int


GAP = r"[ \-.\u00a0\u2009\u202f\u2010-\u2013]"  # what people put between the digits of one number
DIGITS = re.compile(rf"(?<!\d)\d(?:{GAP}?\d){{6,}}(?!\d)")
GROUP = re.compile(r"\d+")
ISSUERS = re.compile(r"4|5[1-5]|2[2-7]|3[0456-8]|6[0245]|50|5[6-9]|9792")
IBAN = re.compile(rf"(?<![A-Za-z0-9])[A-Za-z]{{2}}\d{{2}}(?:{GAP}?[A-Za-z0-9]){{11,30}}")
IBAN_END = re.compile(r"[A-Za-z0-9](?![A-Za-z0-9])")
EMAIL = re.compile(r"[\w.!#$%&'*+/=?^`{|}~-]{1,64}@\w[\w-]{0,62}(?:\.\w[\w-]{0,62}){1,8}")
PHONE = re.compile(rf"(?<![\w+])(?:\+|00)(?:\(?\d\)?(?:{GAP}|/)?){{7,14}}\d(?!\d)")
AMERICAN = re.compile(r"(?<![\w.-])(?:\(\d{3}\) ?|\d{3}[-. ])\d{3}[-. ]\d{4}(?![\w-])")
LABELLED = re.compile(
    rf"(?i)\b(?:phone|tel|telephone|mobile|cell|fax|handy|call|whatsapp|sms)(?:\s+(?:number|no|nr))?\b[\s.:=#]{{1,3}}"
    rf"(\(?\d(?:(?:{GAP}|[/()]){{0,2}}\d){{6,13}})(?!\d)"
)
KEYS = re.compile(
    r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b|\bgh[pousr]_\w{20,}|\bgithub_pat_\w{20,}|\bglpat-[\w-]{16,}|\bxox[abeoprs]-[\w-]{10,}"
    r"|\b[srp]k[-_](?:live|test|proj|ant)[-_][\w-]{10,}|\bsk-[\w-]{20,}|\bAIza[\w-]{30,}|\bnpm_\w{30,}|\bhf_\w{30,}"
    r"|\bya29\.[\w-]{20,}|\bSG\.[\w-]{16,}\.[\w-]{16,}|\bconclave_\w{6,}_[\w-]{16,}|\beyJ[\w-]{8,}\.[\w-]{4,}(?:\.[\w-]*)?"
)
PEM = re.compile(r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----(?:.*?-----END [A-Z0-9 ]*PRIVATE KEY-----|.*)", re.DOTALL)
BEARER = re.compile(r"(?i)\b(?:bearer|basic)\s+([\w.~+/=-]{12,})")
LOGIN = re.compile(r"://([^\s:/@]{1,200}:[^\s/@]{1,200})@")
HIDDEN = (  # names whose values are secrets
    r"pass(?:word|wd|phrase)?|pwd|secret|token|credentials?|api[_-]?key|access[_-]?key|private[_-]?key|client[_-]?secret"
    r"|authorization|session[_-]?id|cvv2?|cvc|pin"
)
ASSIGNED = re.compile(
    rf"(?i)(?<![a-z0-9])(?:[a-z0-9]+[_-])*(?:{HIDDEN})[\"']?\s{{0,3}}[:=]\s{{0,3}}[\"']?([^\s\"',;&<>\[\]]{{3,500}})"
)
HIDDEN_KEY = re.compile(rf"(?i)^(?:[a-z0-9]+[_-])*(?:{HIDDEN})$")
WORD = r"[A-ZÀ-ÖØ-Þ][a-zß-öø-ÿ'’-]{1,30}(?:[A-ZÀ-ÖØ-Þ][a-zß-öø-ÿ]{1,30})?"
TITLE = r"Mr|Mrs|Ms|Miss|Mx|Dr|Prof|Herr|Herrn|Frau|Mme|Mlle|Monsieur|Madame|Señora?|Sra?|Signora?"
NAME = re.compile(
    rf"\b(?:{TITLE})\b\.?[ \u00a0]({WORD}(?: {WORD}){{0,2}})"
    rf"|(?i:\b(?:card ?holder|account ?holder|customer|beneficiary|recipient|payee|full ?name|name|contact|attn)(?: name)?)"
    rf"[\"']?\s?[:=]\s?[\"']?({WORD}(?: (?:[A-Z]\.|{WORD})){{1,3}})"
)
STREET = r"Street|St|Avenue|Ave|Road|Rd|Lane|Ln|Drive|Dr|Boulevard|Blvd|Court|Ct|Square|Sq|Terrace|Highway|Hwy"
ADDRESS = re.compile(
    rf"\b\d{{1,5}}[A-Za-z]?,? (?:{WORD} ){{1,3}}(?:{STREET})\b\.?"
    rf"|\b[A-ZÀ-ÖØ-Þ][\wäöüß-]{{2,40}}(?:straße|strasse|str\.|gasse|allee|platz|weg) ?\d{{1,4}}[a-z]?\b"
    rf"|\b\d{{1,4}}(?: bis)?,? (?:rue|avenue|boulevard|chemin|place) (?:d[eu]s? |de la |[dl]['’])?{WORD}(?:[ -]{WORD}){{0,2}}"
)
SIGNS = re.compile(
    r"(?i)pass|pwd|secret|token|credential|key|authorization|session|cv[vc]|pin|bearer|basic|://|-----BEGIN|[_.-]\w{10}"
    r"|akia|asia|aiza|eyj|conclave_"
)
OWN_TOKEN = re.compile(r"tok_[0-9a-z]{20,}")


def find(text: str) -> list[Found]:
    """Every piece of personal data and every secret, in order, without overlaps."""
    return _apart(sorted(_raw(text), key=lambda one: (one.start, -one.end)))


def mask(text: str) -> str:
    """The text with each find replaced by its kind: `[card]`, `[email]` …; the same text when there is none."""
    found = find(text)
    if not found:
        return text
    parts, at = [], 0
    for one in found:
        parts += [text[at : one.start], f"[{one.kind}]"]
        at = one.end
    return "".join([*parts, text[at:]])


def mask_values(value: Any) -> Any:
    """A JSON-like value with every text in it masked, keys too; what is held under a key such as `password` is masked whole."""
    if isinstance(value, str):
        return mask(value)
    if isinstance(value, dict):
        return {_key(name): "[secret]" if _secret(name, held) else mask_values(held) for name, held in value.items()}
    if isinstance(value, list | tuple):
        return [mask_values(held) for held in value]
    return value


def _key(name: Any) -> Any:
    return mask(name) if isinstance(name, str) else name


def _secret(name: Any, held: Any) -> bool:
    return isinstance(name, str) and isinstance(held, str) and bool(held and HIDDEN_KEY.match(name)) and not OWN_TOKEN.match(held)


def _raw(text: str) -> Iterator[Found]:
    """Finds of every kind, overlapping; each family of patterns runs only when a cheap sign of it is there."""
    if "@" in text:
        yield from _matches("email", EMAIL, text)
    if DIGITS.search(text):
        yield from _cards(text)
        yield from _phones(text)
    elif "+" in text or "(" in text:
        yield from _phones(text)
    yield from _ibans(text)
    if SIGNS.search(text):
        yield from _secrets(text)
    yield from _matches("name", NAME, text)
    yield from _matches("address", ADDRESS, text)


def _matches(kind: str, pattern: re.Pattern[str], text: str) -> Iterator[Found]:
    """The pattern's first group that took part, or the whole match."""
    for match in pattern.finditer(text):
        group = match.lastindex or 0
        yield Found(kind, match.start(group), match.end(group))


def _cards(text: str) -> Iterator[Found]:
    for run in DIGITS.finditer(text):
        groups = [match.span() for match in GROUP.finditer(text, *run.span())]
        yield from (Found("card", start, end) for start, end in _stretches(groups) if _is_card(text[start:end]))


def _stretches(groups: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """A number may stand among others (`2026-05-01 4111 …`): every stretch of whole groups that holds 13 to 19 digits."""
    for i, (start, _) in enumerate(groups):
        digits = 0
        for first, end in groups[i : i + 19]:
            digits += end - first
            if 13 <= digits <= 19:
                yield start, end


def _is_card(written: str) -> bool:
    digits = "".join(str(int(c)) for c in written if c.isdigit())
    return ISSUERS.match(digits) is not None and len(set(digits)) > 1 and bool(luhn.is_valid(digits))


def _ibans(text: str) -> Iterator[Found]:
    for match in IBAN.finditer(text):
        ends = [end.end() for end in IBAN_END.finditer(text, *match.span())]
        for end in sorted({*ends, match.end()}, reverse=True):
            if _is_iban(text[match.start() : end]):
                yield Found("iban", match.start(), end)
                break


def _is_iban(written: str) -> bool:
    compact = "".join(c for c in written if c.isalnum())
    return compact.isascii() and bool(iban.is_valid(compact, check_country=False))


def _phones(text: str) -> Iterator[Found]:
    for pattern, region in ((PHONE, None), (AMERICAN, "US"), (LABELLED, "US")):
        for match in pattern.finditer(text):
            group = match.lastindex or 0
            if pattern is LABELLED or _is_phone(match.group(group), region):
                yield Found("phone", match.start(group), match.end(group))


def _is_phone(written: str, region: str | None) -> bool:
    import phonenumbers

    number = "+" + written[2:] if written.startswith("00") else written
    try:
        parsed = phonenumbers.parse(number, region)
    except phonenumbers.NumberParseException:
        return False
    return bool(phonenumbers.is_possible_number(parsed) if region is None else phonenumbers.is_valid_number(parsed))


def _secrets(text: str) -> Iterator[Found]:
    for pattern in (KEYS, PEM, BEARER, LOGIN, ASSIGNED):
        for one in _matches("secret", pattern, text):
            if not OWN_TOKEN.match(text, one.start):
                yield one


def _apart(found: Iterable[Found]) -> list[Found]:
    """Overlapping finds as one that covers them all, of the longest one's kind."""
    apart: list[Found] = []
    for one in found:
        if apart and one.start < apart[-1].end:
            last = apart.pop()
            kind = one.kind if one.end - one.start > last.end - last.start else last.kind
            one = Found(kind, last.start, max(last.end, one.end))
        apart.append(one)
    return apart
