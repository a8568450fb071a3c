"""Logging, set up once a process: lines for a person on a terminal, JSON lines otherwise; always on stderr."""

import logging
import sys
from typing import Any

import structlog

from trust.pii import mask_values

OURS = ("timestamp", "level", "logger")


def masked(_: Any, __: str, entry: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Personal data and secrets out of whatever is logged, tracebacks too; the last thing before it is written."""
    return {name: value if name in OURS else mask_values(plain(value)) for name, value in entry.items()}


def plain(value: Any) -> Any:
    """What would be written as its text anyway becomes it now, so that nothing passes as an object."""
    return value if value is None or isinstance(value, bool | int | float | str | dict | list | tuple) else str(value)


def counted(record: logging.LogRecord) -> bool:
    """Count what is logged as a warning or worse, where this process has numbers; it is logged all the same."""
    if record.levelno >= logging.WARNING and "observe.telemetry.catalogue" in sys.modules:
        sys.modules["observe.telemetry.catalogue"].LOGGED.labels(record.levelname.lower()).inc()
    return True


def configure(level: str, *, human: bool) -> None:
    """Send structlog and the standard library's loggers to stderr in one form; `level` as in the settings."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    last: list[structlog.typing.Processor] = (
        [structlog.dev.ConsoleRenderer(colors=True, exception_formatter=structlog.dev.plain_traceback)]
        if human
        else [structlog.processors.JSONRenderer()]
    )
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.PositionalArgumentsFormatter(),
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                masked,
                *last,
            ],
        )
    )
    handler.addFilter(counted)
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    for noisy in ("py4j", "urllib3", "httpx", "httpcore", "watchdog", "fsspec"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
