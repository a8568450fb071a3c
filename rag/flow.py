"""The council's hearing through a model as a LangGraph graph: analyst → auditor → strategist → ruling; a failed call ends it."""

from collections.abc import Callable, Sequence
from typing import Any, TypedDict

from langgraph.graph import END, START, StateGraph

from rag.council import Hearing, Ruling, rule
from rag.errors import NoAnswer
from rag.items import Brief
from rag.members import Testimony
from rag.opinion import ROLES, Role, Spoken
from rag.prompting import templates_hash

Speak = Callable[[Role, Sequence[Brief]], Testimony]


class Session(TypedDict):
    """What passes from node to node."""

    briefs: list[Brief]
    model: str
    testimonies: list[Testimony]
    failure: NoAnswer | None
    rulings: list[Ruling]


def build(speak: Speak) -> Any:
    """The compiled graph; `speak` asks one member about all briefs of a call."""
    graph = StateGraph(Session)
    for role in ROLES:
        graph.add_node(role, _member(role, speak))
    graph.add_node("ruling", _ruling)
    graph.add_edge(START, ROLES[0])
    for role, after in zip(ROLES, (*ROLES[1:], "ruling"), strict=True):
        graph.add_conditional_edges(role, _onward(after), [after, END])
    graph.add_edge("ruling", END)
    return graph.compile()


def opened(briefs: Sequence[Brief], model: str) -> Session:
    return Session(briefs=list(briefs), model=model, testimonies=[], failure=None, rulings=[])


def _member(role: Role, speak: Speak) -> Any:
    def node(session: Session) -> dict[str, Any]:
        try:
            return {"testimonies": [*session["testimonies"], speak(role, session["briefs"])]}
        except NoAnswer as failure:
            return {"failure": failure}

    return node


def _onward(after: str) -> Callable[[Session], str]:
    return lambda session: END if session["failure"] is not None else after


def _ruling(state: Session) -> dict[str, Any]:
    return {"rulings": [rule(_hearing(brief, state)) for brief in state["briefs"]]}


def _hearing(brief: Brief, session: Session) -> Hearing:
    given = session["testimonies"]
    spoken = tuple(Spoken(one.role, one.opinions[brief.case_id]) for one in given if brief.case_id in one.opinions)
    silent = {one.role: one.faults[brief.case_id] for one in given if brief.case_id in one.faults}
    return Hearing(brief, spoken, "model", silent, session["model"], templates_hash())
