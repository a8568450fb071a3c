"""From the text of an expression to a small tree: cel-python's grammar, without the grammar's one-child levels."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from pipelines.errors import BadExpression

LONGEST = 4000
DEEPEST = 150
BINARY = {
    "relation_lt": "<", "relation_le": "<=", "relation_gt": ">", "relation_ge": ">=", "relation_eq": "==", "relation_ne": "!=",
    "relation_in": "in", "addition_add": "+", "addition_sub": "-", "multiplication_mul": "*", "multiplication_div": "/",
    "multiplication_mod": "%",
}  # fmt: skip
UNWRAPPED = {"expr", "conditionalor", "conditionaland", "relation", "addition", "multiplication", "unary", "member", "primary"}


@dataclass(frozen=True)
class Node:
    """`kind`: ident, list, select, index, call, method, an operator or a literal's token; `word`: its name, sign or text."""

    kind: str
    word: str
    parts: tuple["Node", ...]
    line: int
    column: int


@lru_cache(maxsize=512)
def parse(text: str) -> Node:
    """The tree of an expression; raises BadExpression that names the place."""
    if not text.strip():
        raise BadExpression("there is nothing written")
    if len(text) > LONGEST:
        raise BadExpression(f"it has {len(text):,} characters; at most {LONGEST:,} are taken")
    from celpy.celparser import CELParseError, CELParser

    try:
        return _node(CELParser().parse(text), text)
    except CELParseError as error:
        raise BadExpression("this cannot be read as CEL", text, error.line or 1, error.column or 1) from None
    except RecursionError:
        raise BadExpression("it is nested too deeply") from None


def _node(tree: Any, text: str, depth: int = 0) -> Node:
    if depth > DEEPEST:
        raise BadExpression("it is nested too deeply")
    while tree.data in UNWRAPPED and len(tree.children) == 1:
        tree = tree.children[0]
    line, column = getattr(tree.meta, "line", 1), getattr(tree.meta, "column", 1)

    def made(kind: str, word: str, *parts: Any) -> Node:
        return Node(kind, word, tuple(_node(part, text, depth + 1) for part in parts), line, column)

    name, children = str(tree.data), tree.children
    match name:
        case "expr":
            return made("?:", "?:", *children)
        case "conditionalor" | "conditionaland":
            sign = "||" if name == "conditionalor" else "&&"
            return made(sign, sign, *children)
        case "relation" | "addition" | "multiplication":
            operator, right = children
            return made("binary", BINARY[str(operator.data)], operator.children[0], right)
        case "unary":
            return made("unary", "!" if children[0].data == "unary_not" else "-", children[1])
        case "paren_expr":
            return _node(children[0], text, depth + 1)
        case "ident":
            return made("ident", str(children[0]))
        case "literal":
            return made(str(children[0].type), str(children[0]))
        case "list_lit":
            return made("list", "[]", *_arguments(children))
        case "member_dot":
            return made("select", str(children[1]), children[0])
        case "member_index":
            return made("index", "[]", children[0], children[1])
        case "ident_arg":
            return made("call", str(children[0]), *_arguments(children[1:]))
        case "member_dot_arg":
            return made("method", str(children[1]), children[0], *_arguments(children[2:]))
    raise BadExpression("this part of CEL is not supported here", text, line, column)


def _arguments(children: list[Any]) -> list[Any]:
    return list(children[0].children) if children else []
