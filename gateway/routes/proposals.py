"""Runbook sections proposed from resolved cases: drafted, edited, accepted or rejected."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from assistant import proposals
from assistant.asking import asking_of, voice_for
from assistant.errors import NotResolved, ProposalChanged, ProposalDecided, UnknownProposal
from gateway import problems
from gateway.access import App, Needs, Now, Store
from gateway.cursors import closed, opened, text, time
from rag.errors import EmptyRunbook
from trust.roles import Caller, Role

router = APIRouter(prefix="/v1/proposals", tags=["documents"])
Viewer = Annotated[Caller, Needs(Role.viewer, scope="documents")]
Analyst = Annotated[Caller, Needs(Role.analyst, scope="documents")]
ProposalId = Annotated[str, Path(max_length=64, pattern=r"^[\w-]+$", examples=["proposal-6f1c2d3e4b5a69788f00"])]
Text = Annotated[str, Field(max_length=20_000)]
problems.register({UnknownProposal: 404, NotResolved: 409, ProposalDecided: 409, ProposalChanged: 409, EmptyRunbook: 422})


class ProposalIn(BaseModel):
    """The case to draft from."""

    model_config = ConfigDict(extra="forbid")

    case_id: str = Field(max_length=130, pattern=r"^case-[\w-]{1,120}$", examples=["case-4f1d2a"])
    polish: bool = Field(True, description="let a model better the wording when one is there; it may not add anything")


class Seen(BaseModel):
    """The version you saw; another one is refused with the newer state."""

    model_config = ConfigDict(extra="forbid")

    version: int = Field(ge=1, lt=2**31)


class Edit(Seen):
    """Other words."""

    title: Annotated[str, Field(min_length=1, max_length=160)] | None = None
    body: Annotated[Text, Field(min_length=1)] | None = None
    tags: Annotated[list[Annotated[str, Field(max_length=60)]], Field(max_length=12)] | None = Field(
        None, examples=[["kind=account", "action=step_up_auth"]]
    )


class Rejection(Seen):
    """Why not."""

    reason: str = Field(min_length=1, max_length=500)


class Proposal(BaseModel):
    """A drafted section. It is not searched or cited before it is accepted."""

    proposal_id: str
    case_id: str
    ruling_id: str
    title: str
    tags: list[str]
    body: str
    draft: str
    drafted_by: Literal["rules", "model"]
    why: str
    sources: dict[str, Any]
    state: Literal["proposed", "accepted", "rejected"]
    version: int
    doc_id: str | None
    reason: str
    proposed_by: str
    proposed_at: AwareDatetime
    decided_by: str | None
    decided_at: AwareDatetime | None


class ProposalPage(BaseModel):
    """Proposals, the newest first."""

    items: list[Proposal]
    next: str | None


@router.post("", summary="Propose a section from a case", status_code=201)
def make_proposal(caller: Analyst, store: Store, app: App, now: Now, wanted: ProposalIn) -> Proposal:
    """Drafted from the ruling, what people did and wrote; the entity's name and personal data stay out."""
    voice, why = voice_for(app) if wanted.polish else (None, "")
    asking = asking_of(store, caller.tenant, now, app)
    return Proposal(**proposals.propose(asking, caller.actor, wanted.case_id, voice, f"No model spoke ({why})." if why else ""))


@router.get("", summary="List the proposals")
def list_proposals(
    caller: Viewer, store: Store, state: Literal["proposed", "accepted", "rejected"] | None = None,
    case_id: Annotated[str | None, Query(max_length=130, pattern=r"^[\w-]+$")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50, after: Annotated[str | None, Query(max_length=400)] = None,
) -> ProposalPage:  # fmt: skip
    """Of one state or one case, or all."""
    before, before_id = opened(after, time, text) if after is not None else (None, "")
    rows = proposals.listed(
        store, caller.tenant, limit=limit + 1, state=state, case_id=case_id, before=before, before_id=before_id
    )
    kept = rows[:limit]
    last = closed(kept[-1]["proposed_at"].isoformat(), kept[-1]["proposal_id"]) if len(rows) > limit else None
    return ProposalPage(items=[Proposal.model_validate(row) for row in kept], next=last)


@router.get("/{proposal_id}", summary="A proposal")
def read_proposal(caller: Viewer, store: Store, proposal_id: ProposalId) -> Proposal:
    """With its draft as it was proposed and its words as they stand."""
    return Proposal(**proposals.one_of(store, caller.tenant, proposal_id))


@router.patch("/{proposal_id}", summary="Edit a proposal")
def edit_proposal(caller: Analyst, store: Store, proposal_id: ProposalId, wanted: Edit) -> Proposal:
    """Before it is decided on."""
    body = wanted.body.replace("\0", " ") if wanted.body is not None else None
    row = proposals.edit(store, caller, proposal_id, wanted.version, title=wanted.title, body=body, tags=wanted.tags)
    return Proposal(**row)


@router.post("/{proposal_id}/accept", summary="Accept a proposal")
def accept_proposal(caller: Analyst, store: Store, now: Now, proposal_id: ProposalId, seen: Seen) -> Proposal:
    """It becomes a document of the runbook, searched and cited from now on."""
    return Proposal(**proposals.accept(store, caller, proposal_id, seen.version, now))


@router.post("/{proposal_id}/reject", summary="Reject a proposal")
def reject_proposal(caller: Analyst, store: Store, now: Now, proposal_id: ProposalId, wanted: Rejection) -> Proposal:
    """With a reason; it stays to be read."""
    return Proposal(**proposals.reject(store, caller, proposal_id, wanted.version, now, wanted.reason))
