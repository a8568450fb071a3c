"""Somebody who is to be forgotten: their names, and how a mention of them is told from a mention of another."""

import json
import re
from dataclasses import dataclass

from trust.errors import NoSubject
from trust.vault import KINDS, TOKEN


@dataclass(frozen=True)
class Subject:
    """`kind` and `identifier` as the world knows them; `token` as we do, when identifiers are tokenised; `mark` replaces both."""

    tenant: str
    kind: str
    identifier: str
    mark: str
    token: str | None = None

    @property
    def names(self) -> list[str]:
        """The entity's names without a currency."""
        return [f"{self.kind}:{one}" for one in (self.identifier, self.token) if one]

    @property
    def weak(self) -> bool:
        """A word or a bare number is somebody's name only where it stands as one, not anywhere in a text."""
        return len(self.identifier) < 2 or self.identifier.isalpha() or self.identifier.isdigit()

    @property
    def pattern(self) -> str:
        """A regular expression, for Postgres and Python alike: the first group is what stands before a mention."""
        forms = {re.escape(self.identifier), re.escape(json.dumps(self.identifier)[1:-1])}
        forms |= {re.escape(json.dumps(self.identifier, ensure_ascii=False)[1:-1])}
        name = "|".join(sorted(forms))
        named = rf'((?:^|[^\w-]){self.kind}:|"{self.kind}_id" *: *")'
        before = named if self.weak else r"(^|[^\w-])"
        mention = rf"{before}(?:{name})(?![\w-])"
        return mention if self.token is None else rf"{mention}|{self.token_pattern}"

    @property
    def token_pattern(self) -> str:
        return "()" + (self.token or "")

    def forget(self, text: str) -> str:
        """The text with the mark in place of every mention."""
        return re.sub(self.pattern, lambda match: (match[1] or "") + self.mark, text)

    def mentioned(self, text: str) -> bool:
        return re.search(self.pattern, text) is not None


def parse(entity: str) -> tuple[str, str]:
    """
    >>> parse("account:A12")
    ('account', 'A12')
    """
    kind, colon, identifier = entity.partition(":")
    if kind not in KINDS or not colon or not identifier.strip() or len(identifier) > 200:
        raise NoSubject(f"(`{entity[:200]}`)")
    if TOKEN.fullmatch(identifier):
        raise NoSubject("Give the identifier itself, not its token.")
    return kind, identifier
