"""Files under home that name somebody: dropped files and logs are mended, all others are searched, Parquet and gzip included."""

import gzip
import os
import re
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from store.settings import Settings
from trust.erase import Line
from trust.subject import Subject

SKIPPED = ("keys", "postgres", "pg", "rocksdb")
GZIP = b"\x1f\x8b"


def forget(settings: Settings, subject: Subject) -> list[Line]:
    """Take the subject out of dropped files and of logs; a line for each kind that had any."""
    landing = [_mend(file, subject) for file in _files(settings.landing)]
    logs = [_blot(file, subject) for file in _files(settings.home / "logs")]
    lines = [
        Line("dropped files", removed=sum(landing), note="their lines are empty now; line numbers stay as they were"),
        Line("logs", unlinked=sum(logs), note="blotted out in place"),
    ]
    return [line for line in lines if line.removed or line.unlinked]


def left(settings: Settings, subject: Subject, without: Iterable[Path] = ()) -> list[str]:
    """Files under home that still name the subject, relative to home. In Delta tables its token may stay: it leads nowhere."""
    aside, named = {path.absolute() for path in without}, replace(subject, token=None)
    found = {
        str(file.relative_to(root))
        for root in (settings.home.absolute(), settings.landing.absolute())
        for file in _files(root)
        if not aside.intersection(file.parents)
        and any((named if "delta" in file.relative_to(root).parts else subject).mentioned(text) for text in texts(file))
    }
    return sorted(found)


def texts(file: Path) -> Iterator[str]:
    """What a file says, as text: rows of Parquet, the inside of gzip, and the bytes of all else."""
    if file.suffix == ".parquet":
        import pyarrow.parquet as pq

        for batch in pq.ParquetFile(file).iter_batches(batch_size=10_000):
            for column in batch.columns:
                yield "\n".join(_text(value) for value in column.to_pylist() if value is not None)
        return
    content = file.read_bytes()
    yield _gunzipped(content).decode("utf-8", "replace")


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _gunzipped(content: bytes) -> bytes:
    if not content.startswith(GZIP):
        return content
    try:
        return gzip.decompress(content)
    except (OSError, EOFError, zlib.error):
        return zlib.decompressobj(wbits=31).decompress(content)


def _files(folder: Path) -> Iterator[Path]:
    for path, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name not in SKIPPED]
        for name in names:
            file = Path(path, name)
            if file.is_file() and not file.is_symlink():
                yield file


def _mend(file: Path, subject: Subject) -> int:
    """Empty the lines of a dropped file that name the subject; how many. Its name and time stay, so it is not taken in again."""
    if file.suffix == ".parquet":
        return _mend_parquet(file, subject)
    whole = file.read_bytes()
    lines = _gunzipped(whole).split(b"\n")
    kept = [b"" if subject.mentioned(line.decode("utf-8", "replace")) else line for line in lines]
    gone = sum(before != after for before, after in zip(lines, kept, strict=True))
    if gone:
        content = b"\n".join(kept)
        _put(file, gzip.compress(content, mtime=0) if whole.startswith(GZIP) else content)
    return gone


def _mend_parquet(file: Path, subject: Subject) -> int:
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pq.read_table(file)
    keep = pa.array([not any(subject.mentioned(_text(value)) for value in row.values()) for row in table.to_pylist()])
    kept = table.filter(keep)
    if kept.num_rows < table.num_rows:
        draft = file.with_name(f".{file.name}.mended")
        pq.write_table(kept, draft)
        _replace(file, draft)
    return int(table.num_rows - kept.num_rows)


def _blot(file: Path, subject: Subject) -> int:
    """Overwrite each mention in place with as many stars: whoever is writing the log goes on undisturbed."""
    count = 0
    pattern = re.compile(subject.pattern.encode())
    with file.open("r+b") as log:
        content = log.read()
        for match in pattern.finditer(content):
            start = match.end(1) if match[1] is not None else match.start()
            log.seek(start)
            log.write(b"*" * (match.end() - start))
            count += 1
    return count


def _put(file: Path, content: bytes) -> None:
    draft = file.with_name(f".{file.name}.mended")
    draft.write_bytes(content)
    _replace(file, draft)


def _replace(file: Path, draft: Path) -> None:
    held = file.stat()
    os.utime(draft, ns=(held.st_atime_ns, held.st_mtime_ns))
    draft.chmod(held.st_mode & 0o777)
    draft.replace(file)
    file.with_name(f".{file.name}.crc").unlink(missing_ok=True)  # Hadoop's checksum of the old content
