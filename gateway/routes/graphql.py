"""GraphQL over HTTP."""

from typing import Annotated, Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from gateway.access import App, Needs, Now, Store
from gateway.graphql.asking import Context
from gateway.graphql.cost import cost
from gateway.problems import Problem
from trust.roles import Caller, Role

router = APIRouter(tags=["graphql"])


class GraphQLQuery(BaseModel):
    """A query with its variables."""

    query: str = Field(min_length=1, max_length=20_000, examples=["{ anomalies(first: 3) { items { entity severity } next } }"])
    variables: dict[str, Any] | None = None
    operationName: str | None = Field(None, max_length=200)


class GraphQLAnswer(BaseModel):
    """`errors` say what went wrong, with a status and a field as elsewhere."""

    data: dict[str, Any] | None = None
    errors: list[dict[str, Any]] | None = None


@router.post("/graphql", summary="Ask by GraphQL", response_model_exclude_none=False)
async def graphql(
    request: Request,
    caller: Annotated[Caller, Needs(Role.viewer, scope="graphql")],
    store: Store,
    settings: App,
    now: Now,
    asked: GraphQLQuery,
) -> GraphQLAnswer:
    """Anomalies, rulings, entities, metrics and cases; mutations for analysts. Limits on depth, aliases and cost (fields times
    rows) keep one query from asking for everything.
    """
    wanted = cost(asked.query, asked.variables)
    if wanted > settings.gateway.graphql_cost:
        detail = f"The query may answer {wanted:,} fields; at most {settings.gateway.graphql_cost:,}: ask for fewer rows (first)."
        raise Problem(422, detail=detail, field="query")
    result = await request.app.state.graphql.execute(
        asked.query, asked.variables, Context(caller, store, settings, now), operation_name=asked.operationName
    )
    errors = [error.formatted for error in result.errors] if result.errors else None
    return GraphQLAnswer(data=result.data, errors=errors)
