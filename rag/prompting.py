"""The members' prompts: files in rag/prompts, filled strictly, and packed into calls that fit the model's context."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from string import Template

from rag.audit import prompt_hash
from rag.errors import PromptIncomplete
from rag.items import Brief, sheet
from rag.opinion import ROLES, SLICES, Role
from rag.quoting import tokens
from store.sections.core import Model
from trust.pii import mask

FOLDER = Path(__file__).parent / "prompts"
ANSWER_TOKENS = 220  # of one opinion, on the long side
ROOM = 200  # for what a chat template adds


@cache
def template(folder: Path, name: str) -> str:
    return (folder / f"{name}.md").read_text(encoding="utf-8")


def filled(folder: Path, name: str, **values: object) -> str:
    """A prompt with its $names filled; raises PromptIncomplete for one that is missing."""
    try:
        return Template(template(folder, name)).substitute({key: str(value) for key, value in values.items()})
    except (KeyError, ValueError) as error:
        raise PromptIncomplete(f"({name}.md: {error})") from error


text = partial(template, FOLDER)
fill = partial(filled, FOLDER)


def system(role: Role) -> str:
    veto = ", veto (true or false)" if role == "auditor" else ""
    return fill("council", role=role.capitalize(), duty=text(role).strip(), veto_field=veto)


def cases(role: Role, briefs: Sequence[Brief]) -> str:
    return fill("cases", count=len(briefs), sheets=sheets(role, briefs))


def repair(role: Role, briefs: Sequence[Brief], faults: Mapping[str, str]) -> str:
    said = "\n".join(f"- {brief.case_id}: {faults[brief.case_id][:300]}" for brief in briefs)
    return fill("repair", faults=said, sheets=sheets(role, briefs))


def sheets(role: Role, briefs: Sequence[Brief]) -> str:
    """The member's own slice of each brief, without personal data: an account may be named by its card's number."""
    return "\n\n".join(mask(sheet(brief, sorted(SLICES[role]))) for brief in briefs)


@cache
def templates_hash() -> str:
    """Of every prompt file: rulings of other prompts are other rulings."""
    return prompt_hash(*(text(name) for name in ("council", *ROLES, "cases", "repair")))


def packs(briefs: Sequence[Brief], settings: Model) -> Iterator[list[Brief]]:
    """Cut a batch into calls whose prompt and answer fit the model; a brief too large alone still goes alone."""
    room = settings.context_tokens - settings.max_tokens - ROOM - max(tokens(system(role)) for role in ROLES)
    most = max(1, settings.max_tokens // ANSWER_TOKENS)
    pack: list[Brief] = []
    used = 0
    for brief in briefs:
        cost = max(tokens(sheets(role, [brief])) for role in ROLES)
        if pack and (used + cost > room or len(pack) >= most):
            yield pack
            pack, used = [], 0
        pack.append(brief)
        used += cost
    if pack:
        yield pack
