"""Dropped files as records: JSON lines, CSV with a column mapping, Parquet; plain or gzip. What cannot be read is reported."""

import contextlib
import csv
import io
import json
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

NUMBERS = {"amount": float, "latency_ms": float, "value": float, "status": int}


@dataclass(frozen=True)
class Record:
    """One record of a file as JSON bytes; `fault` says why there is none at this place. Lines count from 1."""

    line: int
    raw: bytes
    fault: str | None = None


def records(name: str, content: bytes, columns: Mapping[str, str] | None = None) -> Iterator[Record]:
    """The file's records in order; `columns` maps CSV headers to event fields.

    An empty file, a broken gzip or an unreadable Parquet is itself a record with a fault; what could be read before is kept.
    """
    if not content:
        yield Record(0, b"", "the file is empty")
        return
    fault = None
    if content[:2] == b"\x1f\x8b":
        content, fault = gunzip(content)
        name = name.removesuffix(".gz")
    whole = content if fault is None else content[: content.rfind(b"\n") + 1]
    if name.endswith(".parquet"):
        yield from _parquet(content)
    elif name.endswith(".csv"):
        yield from _csv(whole, columns or {})
    else:
        yield from _lines(whole)
    if fault is not None:
        yield Record(whole.count(b"\n") + 1, content[len(whole) :], fault)


def gunzip(content: bytes) -> tuple[bytes, str | None]:
    """What can be read of a gzip file, of any number of members, and what is wrong with the rest."""
    out, rest = [], content
    while rest:
        reader = zlib.decompressobj(wbits=31)
        try:
            out.append(reader.decompress(rest))
        except zlib.error:
            out.append(_until_broken(rest))
            return b"".join(out), "the gzip file is damaged here; what came before was kept"
        if not reader.eof:
            return b"".join(out), "the gzip file ends too early; what came before was kept"
        rest = reader.unused_data.lstrip(b"\0")
    return b"".join(out), None


def _until_broken(rest: bytes, step: int = 65_536) -> bytes:
    """All that a damaged member gives before its first bad byte."""
    reader, out = zlib.decompressobj(wbits=31), bytearray()
    for start in range(0, len(rest), step):
        before, part = reader.copy(), rest[start : start + step]
        try:
            out += reader.decompress(part)
        except zlib.error:
            return bytes(out) + _bytewise(before, part)
    return bytes(out)


def _bytewise(reader: Any, part: bytes) -> bytes:
    out = bytearray()
    with contextlib.suppress(zlib.error):
        for place in range(len(part)):
            out += reader.decompress(part[place : place + 1])
    return bytes(out)


def _lines(content: bytes) -> Iterator[Record]:
    for number, line in enumerate(content.split(b"\n"), 1):
        stripped = line.strip()
        if stripped:
            yield Record(number, stripped)


def _csv(content: bytes, columns: Mapping[str, str]) -> Iterator[Record]:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        yield Record(
            content.count(b"\n", 0, error.start) + 1, content[:1000], f"the CSV file is not valid UTF-8 (byte {error.start + 1})"
        )
        return
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    header: list[str] | None = None
    try:
        for row in reader:
            if header is None:
                header = [columns.get(name.strip(), name.strip()) for name in row]
            elif row and len(row) != len(header):
                yield Record(reader.line_num, ",".join(row).encode(), f"the line has {len(row)} values, the header {len(header)}")
            elif row:
                yield Record(reader.line_num, json.dumps(_event(zip(header, row, strict=True))).encode())
    except csv.Error as error:
        yield Record(reader.line_num, b"", f"the CSV file cannot be read from here: {error}")


def _event(cells: Any) -> dict[str, Any]:
    """Cells as event fields: empty ones left out, numbers read where the field is one, `attributes.x` gathered."""
    event: dict[str, Any] = {}
    for field, text in cells:
        if text == "":
            continue
        if field.startswith("attributes."):
            event.setdefault("attributes", {})[field.removeprefix("attributes.")] = text
        else:
            event[field] = _number(text, NUMBERS[field]) if field in NUMBERS else text
    return event


def _number(text: str, kind: type) -> Any:
    """The number, or the text itself, which validation then refuses in its own words."""
    try:
        number = kind(text)
    except ValueError:
        return text
    return number if number == number and abs(number) != float("inf") else text


def _parquet(content: bytes) -> Iterator[Record]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(pa.BufferReader(content))
        line = 0
        for batch in file.iter_batches(batch_size=10_000):
            for row in batch.to_pylist():
                line += 1
                present = {name: value for name, value in row.items() if value is not None}
                yield Record(line, json.dumps(present, default=_plain).encode())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError) as error:
        yield Record(0, content[:1000], f"the file is not readable Parquet: {str(error).splitlines()[0][:200]}")


def _plain(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
