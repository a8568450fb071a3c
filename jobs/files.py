"""Dropped files as records: JSON lines, CSV with a column mapping, Parquet; plain or gzip. What cannot be read is reported."""

import codecs
import contextlib
import csv
import io
import json
import math
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import islice
from typing import Any

NUMBERS = {"amount": float, "latency_ms": float, "value": float, "status": int}
STEP = 65_536  # bytes of a gzip file read at once
GZIP = b"\x1f\x8b"
Batch = tuple[list[bytes], list[int], list[str | None]]


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
    for raws, numbers, faults in batches(name, content, columns, STEP):
        yield from map(Record, numbers, raws, faults)


def batches(name: str, content: bytes, columns: Mapping[str, str] | None, most: int) -> Iterator[Batch]:
    """The same records as columns of at most `most` rows: raws, lines, faults."""
    if not content:
        yield [b""], [0], ["the file is empty"]
        return
    fault, name = None, name.lower()
    if content[:2] == GZIP:
        content, fault = gunzip(content)
        name = name.removesuffix(".gz")
    whole = content if fault is None else content[: content.rfind(b"\n") + 1]
    if name.endswith(".parquet"):
        yield from _gathered(_parquet(content), most)
    elif name.endswith(".csv"):
        yield from _gathered(_csv(whole, columns or {}), most)
    else:
        yield from _lines(whole, most)
    if fault is not None:
        yield [content[len(whole) :]], [whole.count(b"\n") + 1], [fault]


def _gathered(found: Iterator[Record], most: int) -> Iterator[Batch]:
    while part := list(islice(found, most)):
        yield [one.raw for one in part], [one.line for one in part], [one.fault for one in part]


def gunzip(content: bytes) -> tuple[bytes, str | None]:
    """What can be read of a gzip file, of any number of members, and what is wrong with the rest."""
    out, reader, place = bytearray(), None, 0
    while place < len(content):
        reader = zlib.decompressobj(wbits=31) if reader is None else reader
        before, part = reader.copy(), content[place : place + STEP]
        try:
            out += reader.decompress(part)
        except zlib.error:
            return bytes(out) + _bytewise(before, part), "the gzip file is damaged here; what came before was kept"
        place += len(part) - len(reader.unused_data)
        if reader.eof:
            reader = None
            place += len(content[place:]) - len(content[place:].lstrip(b"\0")) if content[place : place + 1] == b"\0" else 0
    return bytes(out), None if reader is None else "the gzip file ends too early; what came before was kept"


def _bytewise(reader: Any, part: bytes) -> bytes:
    """All that a reader gives before the first bad byte of the part."""
    out = bytearray()
    with contextlib.suppress(zlib.error):
        for place in range(len(part)):
            out += reader.decompress(part[place : place + 1])
    return bytes(out)


def _lines(content: bytes, most: int) -> Iterator[Batch]:
    found = [line.strip() for line in content.removeprefix(codecs.BOM_UTF8).split(b"\n")]
    numbers = [number for number, line in enumerate(found, 1) if line]
    full = list(filter(None, found))
    for start in range(0, len(full), most):
        raws = full[start : start + most]
        yield raws, numbers[start : start + most], [None] * len(raws)


def _csv(content: bytes, columns: Mapping[str, str]) -> Iterator[Record]:
    """Rows as JSON; what is not a row of the header's width is reported as it stood in the file."""
    text = io.StringIO(content.removeprefix(codecs.BOM_UTF8).decode("utf-8", "surrogateescape"), newline="")
    lines = text.readlines()
    reader = csv.reader(lines, strict=True)
    header: list[str] | None = None
    done = 0
    try:
        for row in reader:
            if row and header is None:
                header = [columns.get(name.strip(), name.strip()) for name in row]
            elif row and header is not None:
                yield _csv_record(reader.line_num, "".join(lines[done : reader.line_num]), header, row)
            done = reader.line_num
    except csv.Error as error:
        rest = "".join(lines[done:]).encode("utf-8", "surrogateescape")
        yield Record(done + 1, rest, f"the CSV file cannot be read from here: {error}")


def _csv_record(line: int, text: str, header: list[str], row: list[str]) -> Record:
    raw = text.rstrip("\r\n").encode("utf-8", "surrogateescape")
    if len(row) != len(header):
        return Record(line, raw, f"the line has {len(row)} values, the header {len(header)}")
    try:
        text.encode()
    except UnicodeEncodeError:
        return Record(line, raw, "the line is not valid UTF-8")
    return Record(line, json.dumps(_event(zip(header, row, strict=True))).encode())


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
    if "_" in text:  # Python reads 1_000, nobody else does
        return text
    try:
        number = kind(text)
    except ValueError:
        return text
    return number if isinstance(number, int) or math.isfinite(number) else text


def _parquet(content: bytes) -> Iterator[Record]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    line = 0
    try:
        for batch in pq.ParquetFile(pa.BufferReader(content)).iter_batches(batch_size=10_000):
            for row, fault in _rows(batch):
                line += 1
                yield Record(line, json.dumps(row, default=_plain).encode(), fault)
    except (pa.ArrowException, OSError) as error:
        said = "".join(c for c in str(error).partition("\n")[0] if c.isprintable())
        yield Record(line + 1 if line else 0, content[:1000], f"the file is not readable Parquet: {said[:200]}")


def _rows(batch: Any) -> Iterator[tuple[dict[str, Any], str | None]]:
    """Rows without their nulls; what cannot be read (a text that is not UTF-8, a time out of range) is left out and said."""
    try:
        columns = [[_cell(value) for value in column.to_pylist()] for column in batch.columns]
        faults: dict[int, str] = {}
    except (ValueError, OverflowError):
        columns, faults = _cell_by_cell(batch)
    for place, values in enumerate(zip(*columns, strict=True)):
        pairs = zip(batch.schema.names, values, strict=True)
        yield {name: value for name, value in pairs if value is not None}, faults.get(place)


def _cell_by_cell(batch: Any) -> tuple[list[list[Any]], dict[int, str]]:
    columns: list[list[Any]] = []
    faults: dict[int, str] = {}
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        columns.append([])
        for place, scalar in enumerate(column):
            try:
                columns[-1].append(_cell(scalar.as_py()))
            except (ValueError, OverflowError):
                columns[-1].append(None)
                faults[place] = f"{name} cannot be read"
    return columns, faults


def _cell(value: Any) -> Any:
    """A map comes as pairs."""
    return dict(value) if isinstance(value, list) and all(isinstance(pair, tuple) for pair in value) else value


def _plain(value: Any) -> Any:
    """What JSON does not know, in the words of the event."""
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    return value.isoformat() if isinstance(value, datetime) else str(value)
