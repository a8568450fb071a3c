"""Whether the gateway lives."""

from fastapi import APIRouter
from pydantic import BaseModel

router = APIRouter(tags=["health"])


class Alive(BaseModel):
    """The process answers."""

    status: str = "ok"


@router.get("/health", summary="Does it live?")
async def health() -> Alive:
    """Answers as long as the process does; says nothing of what it depends on (`/ready` does)."""
    return Alive()
