"""One delivered file → a table shaped as raw, by streaming COPY: every readable record, as it stands."""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import psycopg
from psycopg import sql

from warehouse import wire
from warehouse.canonical import NOTHING, Canonical, Seal
from warehouse.errors import TellableError
from warehouse.registry import Extract
from warehouse.sources import Address, Content, Measured, MissingFileError
from warehouse.wire import Malformed, Record, UnreadableFileError

BLOCK_CHARACTERS = 1 << 20
SKIPPED_AT_ONCE = 50_000
ESCAPES = (("\\", "\\\\"), ("\t", "\\t"), ("\n", "\\n"), ("\r", "\\r"))
KEPT_MALFORMED = 10_000  # records of one file that are kept one by one; all are counted

Progress = Callable[[int, int], None]


class DriftedError(TellableError):
    """The file's content is not the one that was planned."""


class OtherBeginningError(TellableError):
    """The records that earlier portions have dealt with are not those that the file begins with now."""


# What can be wrong with a file, and not with the database or the worker.
FILE_ERRORS = (DriftedError, UnreadableFileError, MissingFileError, OSError, psycopg.errors.DataError)


@dataclass
class Intake:
    """What became of a file's records: read = ingested + rejected. `malformed` names the rejected ones; `canonical` is
    of all of them."""

    read: int = 0
    ingested: int = 0
    malformed: list[Malformed] = field(default_factory=list)
    canonical: Canonical = NOTHING

    @property
    def rejected(self) -> int:
        return self.read - self.ingested


def copy(
    connection: psycopg.Connection,
    address: Address,
    extract: Extract,
    *,
    into: sql.Identifier,
    load_run_file_id: int,
    content: Content,
    progress: Progress = lambda records, size: None,
) -> Intake:
    """Stream the file into the table; memory does not grow with the file.

    `progress` is told the numbers of records and bytes so far, once a block. Raises UnreadableFileError (also when not
    one of its records fits the declaration), DriftedError where the bytes that were read are not `content`,
    MissingFileError, OSError; what was copied must then be rolled back.
    """
    ((intake, _complete),) = portions(
        connection, address, extract, into=into, load_run_file_id=load_run_file_id, content=content, progress=progress
    )
    return intake


def portions(
    connection: psycopg.Connection,
    address: Address,
    extract: Extract,
    *,
    into: sql.Identifier,
    load_run_file_id: int,
    content: Content,
    skip: int = 0,
    beginning: str = "",
    seconds: float = math.inf,
    progress: Progress = lambda records, size: None,
) -> Iterator[tuple[Intake, bool]]:
    """copy() in portions of about so many seconds: each step copies one, and gives what became of the records so far
    and whether that was the last. Each can be a transaction of its own; the file stays open between them.

    `skip`: the number of records that earlier portions have dealt with; these are read and not copied, and all of them
    belong to the first portion. `beginning`: what they said, as the last one's `canonical.ordered` has it. Raises what
    copy() raises, and OtherBeginningError; the last portion must then be rolled back, and earlier ones taken back.
    """
    intake, seal = Intake(), Seal()
    columns = sql.SQL(", ").join(sql.Identifier(column.name) for column in extract.columns)
    statement = sql.SQL("COPY {} ({}, load_run_file_id, record_no, line_no) FROM STDIN").format(into, columns)
    with address.open() as stream:
        measured = Measured(stream)
        blocks = _blocks(wire.records(measured, extract), load_run_file_id, intake, seal, skip, beginning)
        complete = False
        while not complete:
            due, complete = time.monotonic() + seconds, True
            with connection.cursor() as cursor, cursor.copy(statement) as target:
                for block in blocks:
                    target.write(block)
                    progress(intake.read, measured.size)
                    if time.monotonic() > due and intake.read >= skip:
                        complete = False
                        break
            if complete:
                _check(intake, measured.content, content, address)
            intake.canonical = seal.canonical
            yield intake, complete


def _check(intake: Intake, found: Content, planned: Content, address: Address) -> None:
    if found != planned:
        raise DriftedError(f"{address.key} has changed since it was planned.")
    if intake.read and not intake.ingested:
        first = intake.malformed[0]
        raise UnreadableFileError(
            f"Not one of its {intake.read:,} records can be kept; the first: {first.reason} (line {first.line})."
        )


def _blocks(
    records: Iterator[Record | Malformed], owner: int, intake: Intake, seal: Seal, skip: int, beginning: str
) -> Iterator[str]:
    """The records after the first `skip` in COPY's text form; `intake` and `seal` take all of them."""
    lines: list[str] = []
    size = 0
    for record in records:
        if skip and intake.read == skip:
            _check_beginning(seal, beginning)
        intake.read += 1
        if isinstance(record, Malformed):
            if len(intake.malformed) < KEPT_MALFORMED:
                intake.malformed.append(record)
            seal.refuse(record.reason)
            continue
        intake.ingested += 1
        seal.add(record.joined)
        if intake.read <= skip:
            if intake.read % SKIPPED_AT_ONCE == 0:
                yield ""  # so that who watches hears of it
            continue
        line = f"{_escaped(record.joined)}\t{owner}\t{record.number}\t{record.line}\n"
        lines.append(line)
        size += len(line)
        if size >= BLOCK_CHARACTERS:
            yield "".join(lines)
            lines, size = [], 0
    if skip and intake.read <= skip:
        _check_beginning(seal, beginning)
    yield "".join(lines)


def _check_beginning(seal: Seal, beginning: str) -> None:
    if seal.canonical.ordered != beginning:
        raise OtherBeginningError("The file was another one while its first records were read.")


def _escaped(joined: str) -> str:
    """Fields with NUL between them, in COPY's text form. Most records hold nothing to escape: looking is 20 times as
    quick as replacing nothing."""
    for character, escaped in ESCAPES:
        if character in joined:
            joined = joined.replace(character, escaped)
    return joined.replace("\0", "\t")


def note_malformed(connection: psycopg.Connection, extract: Extract, load_run_file_id: int, intake: Intake) -> None:
    """Keep which records of the file could not be read: number, line and reason, never their text."""
    connection.execute(
        "INSERT INTO restage.rejections (load_run_file_id, extract_type, stage, record_no, line_no, value_class,"
        " reason, severity) SELECT %s, %s, 'read', m.number, m.line, 'record', m.reason, 'reject'"
        " FROM unnest(%s::bigint[], %s::bigint[], %s::text[]) m (number, line, reason)",
        [
            load_run_file_id,
            extract.name,
            [malformed.number for malformed in intake.malformed],
            [malformed.line for malformed in intake.malformed],
            [malformed.reason for malformed in intake.malformed],
        ],
    )
