"""What a GraphQL query would cost, before it runs: each list counts as many times as it may have rows."""

from collections.abc import Mapping
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLSyntaxError,
    InlineFragmentNode,
    IntValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    VariableNode,
    parse,
)

USUAL = 20  # rows of a list without `first`
LISTS = frozenset({"anomalies", "rulings", "entities", "metrics", "cases", "timeline", "members"})


def cost(query: str, variables: Mapping[str, Any] | None = None) -> int:
    """Fields times rows, over all operations of the query; 0 for one that cannot be parsed, which is refused elsewhere.

    >>> cost("{ anomalies(first: 10) { items { entity severity } } }")
    31
    """
    try:
        document = parse(query, no_location=True, max_tokens=5_000)
    except (GraphQLSyntaxError, RecursionError):
        return 0
    counter = Counter(document, variables or {})
    return sum(
        counter.of(one.selection_set) for one in document.definitions if isinstance(one, OperationDefinitionNode)
    )  # fmt: skip


class Counter:
    """One document's fragments and variables."""

    def __init__(self, document: DocumentNode, variables: Mapping[str, Any]) -> None:
        self.fragments = {one.name.value: one for one in document.definitions if isinstance(one, FragmentDefinitionNode)}
        self.variables = variables
        self.known: dict[str, int] = {}

    def of(self, chosen: SelectionSetNode | None) -> int:
        return sum(self._one(node) for node in chosen.selections) if chosen is not None else 0

    def _one(self, node: Any) -> int:
        if isinstance(node, FieldNode):
            return 1 + self._rows(node) * self.of(node.selection_set)
        if isinstance(node, InlineFragmentNode):
            return self.of(node.selection_set)
        return self._fragment(node)

    def _fragment(self, node: FragmentSpreadNode) -> int:
        """Each fragment is counted once and remembered; one that holds itself is refused by validation."""
        name = node.name.value
        if name not in self.known and name in self.fragments:
            self.known[name] = 0
            self.known[name] = self.of(self.fragments[name].selection_set)
        return self.known.get(name, 0)

    def _rows(self, node: FieldNode) -> int:
        for argument in node.arguments or ():
            if argument.name.value == "first":
                value = argument.value
                if isinstance(value, IntValueNode):
                    return max(1, int(value.value))
                told = self.variables.get(value.name.value) if isinstance(value, VariableNode) else None
                return max(1, told) if isinstance(told, int) else USUAL
        return USUAL if node.name.value in LISTS else 1
