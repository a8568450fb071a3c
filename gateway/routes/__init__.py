"""The routes, a file for each group; each has a `router`. Listed here they are served."""

import importlib

from fastapi import APIRouter

ROUTERS = (
    "topics",
    "segments",
    "processors",
    "lists",
    "pools",
    "channels",
    "alerts",
    "reports",
    "schedules",
    "health",
    "keys",
    "privacy",
    "audit",
    "reads",
    "graphql",
    "stream",
    "events",
    "traces",
    "trace_reports",
    "trace_projects",
    "otlp",
    "llm_alerts",
    "infer",
    "chat",
    "documents",
    "proposals",
    "cases",
    "commands",
    "feedback",
    "maintenance",
)


def routers() -> list[APIRouter]:
    """The router of each file named in ROUTERS, in that order."""
    return [importlib.import_module(f"gateway.routes.{name}").router for name in ROUTERS]
