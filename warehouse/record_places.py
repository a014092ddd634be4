"""Where in a delivered file a record stands, found by reading the file again, and whether it says there what raw says.

For records whose line nobody noted when they were loaded, and for whoever wants proof. It reads up to the record, or
the whole file where its content is to be compared with what was loaded.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO

import psycopg
from psycopg import sql

from warehouse import names, wire
from warehouse.chains import Link
from warehouse.errors import TellableError, reason_of
from warehouse.records import Record
from warehouse.registry import Extract
from warehouse.sources import BLOCK_BYTES, Measured

SAME, OTHER, GONE, CHANGED = "as loaded", "differs", "unreadable", "changed"
TOLD = {
    SAME: "The file lies at its source as it was loaded, and holds this very record there.",
    OTHER: "The file holds another record at this place than raw does.",
    CHANGED: "The file at its source has changed since it was loaded: the place is of the file as it lies there now.",
}


@dataclass(frozen=True)
class Place:
    """`verdict`: one of the four words above, `told` says it. Lines and records count from 1, bytes from 0."""

    verdict: str
    told: str
    record_no: int | None = None
    line_no: int | None = None
    byte_offset: int | None = None


def look(connection: psycopg.Connection, extract: Extract, link: Link, record: Record, asked: sql.Composed) -> Place:
    """Read the file of a record at its source. `asked`: SELECT of the record's natural key."""
    said = fields(connection, extract, record, asked)
    try:
        with link.address.open() as stream:
            measured = Measured(stream)
            found = _find(measured, extract, record.record_no, said)
            while measured.read(BLOCK_BYTES):
                pass
        whole = link.content is None or measured.content == link.content
        if found is None:
            return Place(OTHER if whole else CHANGED, TOLD[OTHER] if whole else TOLD[CHANGED])
        with link.address.open() as stream:
            offset = _offset(stream, extract, found)
    except (TellableError, OSError) as error:
        return Place(GONE, f"The file cannot be read at its source: {reason_of(error)}")
    verdict = CHANGED if not whole else SAME if found.fields == said else OTHER
    return Place(verdict, TOLD[verdict], found.number, found.line, offset)


def fields(connection: psycopg.Connection, extract: Extract, record: Record, asked: sql.Composed) -> list[str] | None:
    """What raw holds of a record, in file order; None where it is not there any more."""
    cleaned = sql.SQL(" AND ").join(
        sql.SQL("restage.clean(r.{0}) = k.{0}").format(sql.Identifier(name)) for name in extract.natural_key
    )
    found = connection.execute(
        sql.SQL(
            "SELECT {columns} FROM ({asked}) k JOIN {raw} r ON {cleaned} WHERE r.load_run_file_id = {file}"
            " AND r.record_no IS NOT DISTINCT FROM {record}::integer LIMIT 1"
        ).format(
            columns=names.columns([column.name for column in extract.columns], of="r"),
            asked=asked,
            raw=names.raw(extract),
            cleaned=cleaned,
            file=sql.Literal(record.load_run_file_id),
            record=sql.Literal(record.record_no),
        )
    ).fetchone()
    return [value or "" for value in found] if found else None


def _find(
    stream: wire.Readable, extract: Extract, number: int | None, said: Sequence[str] | None
) -> wire.Record | None:
    """The record of that number; where nobody noted one, the first that says this."""
    for item in wire.records(stream, extract):
        if isinstance(item, wire.Record):
            if (number is None and item.fields == said) or item.number == number:
                return item
        elif item.number == number:
            return None
    return None


def _offset(stream: IO[bytes], extract: Extract, record: wire.Record) -> int | None:
    """The byte at which the record begins: after the separator of the one before, past line breaks; of CSV, where its
    line begins. None where the file has not so many."""
    form = extract.format
    head = stream.read(4)
    encoding, begin = wire.told_encoding(head, form)
    separated = form.kind == "separated"
    mark, times = (form.record_separator, record.number - 1) if separated else ("\n", record.line - 1)
    width = 2 if encoding.startswith("utf-16") else 1
    found = _after(stream, head[begin:], mark.encode(encoding), times, width)
    if found is None:
        return None
    at, rest = found
    rest += stream.read(BLOCK_BYTES)
    breaks = {character.encode(encoding) for character in "\r\n"} if separated and times else set()
    place = 0
    while rest[place : place + width] in breaks:
        place += width
    return begin + at + place


def _after(stream: IO[bytes], rest: bytes, mark: bytes, times: int, width: int) -> tuple[int, bytes] | None:
    """How many bytes lie before the end of the `times`-th mark, and what was read beyond it. `rest` was read already;
    a mark begins at a multiple of `width`. None where there are fewer."""
    at = 0
    while times:
        block = stream.read(BLOCK_BYTES)
        rest += block
        place = 0
        while times and (found := _aligned(rest, mark, place, width)) >= 0:
            times, place = times - 1, found + len(mark)
        if times and not block:
            return None
        keep = place if not times else max(place, (len(rest) - len(mark)) // width * width + width)
        at, rest = at + keep, rest[keep:]
    return at, rest


def _aligned(text: bytes, mark: bytes, place: int, width: int) -> int:
    found = text.find(mark, place)
    while found >= 0 and found % width:
        found = text.find(mark, found + 1)
    return found
