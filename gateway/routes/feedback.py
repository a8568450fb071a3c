"""What people think of anomalies and rulings; and Slack's buttons, which say the same."""

from typing import Annotated, Literal

from fastapi import APIRouter, Header, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from desk import feedback, slack
from desk.errors import NotKnownHere, NotSigned
from gateway import cursors, problems
from gateway.access import App, Needs, Now, Owner, Store
from gateway.casework import FeedbackItem, Short, Text, answers, seen
from gateway.problems import Problem
from store.errors import ConclaveError, DatabaseError
from trust.roles import Caller, Role

router = APIRouter(prefix="/v1", tags=["feedback"])
Reader = Annotated[Caller, Needs(Role.viewer, scope="feedback")]
Analyst = Annotated[Caller, Needs(Role.analyst, scope="feedback")]
problems.register({NotSigned: 401, NotKnownHere: 403})


class Opinion(BaseModel):
    """What you think of an anomaly or a ruling."""

    model_config = ConfigDict(extra="forbid")

    about: Literal["anomaly", "ruling"]
    subject_id: Short = Field(description="anomaly_id or ruling_id", examples=["ruling-9c1e"])
    verdict: Literal["confirm", "dismiss"]
    reason: Short | None = Field(None, description="from GET /v1/cases/reasons", examples=["customer_verified"])
    comment: Text = ""
    shown_hash: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = Field(
        None, description="hash of what you were shown; without it: the thing as it is now"
    )


class Given(FeedbackItem):
    stale: bool = Field(description="what you were shown had changed meanwhile")


class Listed(FeedbackItem):
    counts: bool = Field(description="that person's newest about the thing")


class FeedbackPage(BaseModel):
    items: list[Listed]
    next: str | None


class SlackAnswer(BaseModel):
    """What Slack shows to whoever pressed."""

    response_type: Literal["ephemeral"] = "ephemeral"
    replace_original: bool = False
    text: str


@router.post("/feedback", summary="Say what you think", status_code=201, responses=answers(404))
def give(caller: Analyst, store: Store, asked: Opinion) -> Given:
    """Confirm or dismiss an anomaly or ruling. All of it is kept; your newest about a thing counts."""
    with store.connection() as connection:
        row = feedback.give(connection, caller, **asked.model_dump(), via="api")
    return Given(**row)


@router.get("/feedback", summary="What people think")
def listed(
    caller: Reader,
    store: Store,
    about: Literal["anomaly", "ruling"] | None = None,
    subject_id: Annotated[str | None, Query(max_length=200)] = None,
    case_id: Annotated[str | None, Query(max_length=200)] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
    after: Annotated[str | None, Query(max_length=1000, description="`next` of the page before")] = None,
) -> FeedbackPage:
    """The newest first."""
    last = cursors.opened(after, cursors.big)[0] if after is not None else None
    subject, case = (given.replace("\0", "") if given else None for given in (subject_id, case_id))
    rows = feedback.given(store, caller.tenant, about=about, subject_id=subject, case_id=case, after=last, limit=limit + 1)
    more = cursors.closed(rows[limit - 1]["feedback_id"]) if len(rows) > limit else None
    return FeedbackPage(items=[Listed(**seen(caller, row)) for row in rows[:limit]], next=more)


@router.post("/callbacks/slack", summary="Slack's buttons", responses=answers(403, 404))
async def slack_pressed(
    request: Request,
    owner: Owner,
    app: App,
    now: Now,
    timestamp: Annotated[str, Header(alias="X-Slack-Request-Timestamp", max_length=20)] = "",
    signature: Annotated[str, Header(alias="X-Slack-Signature", max_length=200)] = "",
) -> SlackAnswer:
    """The interactivity request URL of a Slack app. No key: Slack's signature proves it, the settings name the people."""
    if app.desk.slack_secret is None:
        raise Problem(401, detail="Callbacks of Slack are not set up (desk.slack_secret).")
    body = await request.body()
    slack.check(app.desk.slack_secret.get_secret_value(), timestamp, body, signature, now.timestamp())
    try:
        said = await run_in_threadpool(slack.press, owner.of(app.tenant), slack.pressed(body), app.desk)
    except DatabaseError:
        raise
    except ConclaveError as error:  # Slack shows nothing of an error's body: say it as an answer
        said = str(error)
    return SlackAnswer(text=said[:3000])
