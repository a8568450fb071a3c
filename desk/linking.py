"""Links of a case: to pages elsewhere and to other cases."""

from desk.actions import CASE, LINK, Asked
from desk.errors import BadDetail
from desk.file import File
from desk.timeline import Entry
from store.database import Connection, fetch, run


def link(connection: Connection, file: File, asked: Asked) -> tuple[File, Entry]:
    """Link to an http(s) address or another case; `target`, `title`."""
    target, title = asked.text("target", needed=True), asked.text("title")
    kind = "case" if CASE.fullmatch(target) else "url"
    if kind == "url" and not LINK.fullmatch(target):
        raise BadDetail("target", "an http(s) address or the id of a case")
    if target == file.case_id or (kind == "case" and not _exists(connection, file.tenant, target)):
        raise BadDetail("target", "the id of another case that there is")
    run(connection, "desk_add_link", tenant=file.tenant, case_id=file.case_id, target=target, kind=kind, title=title[:200],
        actor=asked.actor, at=asked.now)  # fmt: skip
    said = f"linked {title or target}"
    return file, Entry("linked", said, asked.actor, asked.name, {"target": target, "title": title[:200], "link": kind})


def unlink(connection: Connection, file: File, asked: Asked) -> tuple[File, Entry]:
    target = asked.text("target", needed=True)
    if run(connection, "desk_drop_link", tenant=file.tenant, case_id=file.case_id, target=target) == 0:
        raise BadDetail("target", "there is no such link")
    return file, Entry("unlinked", f"took the link to {target} off", asked.actor, asked.name, {"target": target})


def _exists(connection: Connection, tenant: str, case_id: str) -> bool:
    return bool(fetch(connection, "desk_case_exists", tenant=tenant, case_id=case_id))
