"""What can go wrong with topics, segments and processors; each docstring is the message that a person reads."""

from store.errors import ConclaveError


class BadExpression(ConclaveError):
    """The expression cannot be used:"""

    def __init__(self, why: str, text: str = "", line: int = 1, column: int = 1) -> None:
        super().__init__(why)
        self.why, self.text, self.line, self.column = why, text, line, column

    @property
    def more(self) -> dict[str, int]:
        return {"line": self.line, "column": self.column}

    def __str__(self) -> str:
        rows = self.text.splitlines() or [""]
        begin = max(self.column - 80, 0)
        shown = rows[min(self.line, len(rows)) - 1][begin : begin + 120]
        place = f"\n  {shown}\n  {' ' * (self.column - 1 - begin)}^" if self.text else ""
        return f"The expression cannot be used: at line {self.line}, column {self.column}: {self.why}{place}"


class BadSpec(ConclaveError):
    """The processor's configuration cannot be used:"""

    def __init__(self, why: str, field: str = "") -> None:
        super().__init__(why)
        self.field = field


class BadName(ConclaveError):
    """A name has 1 to 60 lower-case letters, digits, `_` or `-` and begins with a letter:"""


class Unknown(ConclaveError):
    """There is none of this name:"""


class Exists(ConclaveError):
    """There is one of this name already; choose another name, or make a new version of it:"""


class Changed(ConclaveError):
    """Somebody changed it in the meantime: read it again, then change it."""


class Needed(ConclaveError):
    """It is still in use; remove what depends on it first, or ask for that with `cascade`:"""

    def __init__(self, dependents: list[str]) -> None:
        super().__init__(", ".join(dependents) + ".")
        self.dependents = dependents
        self.more = {"dependents": dependents}


class BadList(ConclaveError):
    """The list cannot be used:"""


class KafkaRefused(ConclaveError):
    """Kafka did not do it; nothing was changed here:"""


class BronzeElsewhere(ConclaveError):
    """Bronze does not lie on this machine's disk, so events cannot be tried here; run the dry run where detect runs."""


class SlowFailed(ConclaveError):
    """The call gave nothing that can be used:"""


class NotAllowed(SlowFailed):
    """This host may not be called; name it in the setting pipelines.http_hosts:"""


class NoModel(ConclaveError):
    """There is no model to ask now; the event waits for one."""


class PlanBroken(ConclaveError):
    """A live processor cannot be compiled, so the batch was not worked on; retire it or make another version live:"""


class PartialBatch(ConclaveError):
    """The files of a batch hold another number of events than the fold saw:"""
