"""A prompt with retrieved context through the model."""

from dataclasses import replace
from typing import Annotated, Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from assistant import infer
from assistant.asking import asking_of, voice_for
from gateway.access import App, Needs, Now, Store
from trust.roles import Caller, Role

router = APIRouter(prefix="/v1/infer", tags=["assistant"])
Name = Annotated[str, Field(max_length=400)]


EXAMPLE: dict[str, Any] = {"prompt": "Summarise what to check when a terminal tests cards.", "search": True}


class InferIn(BaseModel):
    """A prompt and its context: your own texts, named sections and cases, and what a search finds."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [EXAMPLE]})

    prompt: str = Field(min_length=1, max_length=8_000)
    texts: list[Annotated[str, Field(max_length=8_000)]] = Field(
        [], max_length=8, description="context of your own, quoted as s1 …"
    )
    sections: list[Name] = Field([], max_length=8, description="runbook sections by id")
    cases: list[Name] = Field([], max_length=8, description="cases by id")
    search: bool = Field(True, description="add what the runbook and past cases say to the prompt")
    cached: bool = Field(True, description="an answer given before to the same prompt, context and model may serve, marked")


class Sentence(BaseModel):
    """A sentence and what it rests on; one without support is marked, with why."""

    text: str
    cites: list[int]
    supported: bool
    why: str


class Citation(BaseModel):
    """What a number in square brackets stands for."""

    n: int
    kind: str = Field(examples=["section", "memory", "case", "ruling", "flag", "activity", "count", "text"])
    id: str
    title: str
    excerpt: str


class InferOut(BaseModel):
    """The answer. `extractive`: no model spoke, these are the evidence's own sentences. Unknown numbers are null."""

    text: str
    sentences: list[Sentence]
    citations: list[Citation]
    spoken_by: Literal["model", "extractive", "nothing"]
    model: str
    why: str
    prompt_hash: str
    cached: bool
    uses: int
    tokens_in: int | None
    tokens_out: int | None
    latency_ms: float


@router.post("", summary="Ask the model, with context")
def put_prompt(
    caller: Annotated[Caller, Needs(Role.analyst, scope="assistant")], store: Store, app: App, now: Now, wanted: InferIn
) -> InferOut:
    """The model's answer held to the context it cites, under the council's limits and audit, from the cache when it is there.
    Without a model the context's own best sentences, said to be so."""
    voice, why = voice_for(app)
    prompt = infer.Prompt(
        wanted.prompt, tuple(wanted.texts), tuple(name.replace("\0", "") for name in wanted.sections),
        tuple(name.replace("\0", "") for name in wanted.cases), wanted.search, wanted.cached,
    )  # fmt: skip
    asking = replace(asking_of(store, caller.tenant, now, app), asker=caller.actor)
    answer = infer.infer(asking, prompt, voice, why)
    return InferOut.model_validate(vars(answer))
