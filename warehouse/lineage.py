"""From a row of staging back to the record, the file, the load run and the jobs that made it; and where there is no
row, what became of it.

Every step goes by an index, so a lookup costs the same in a table of any size. What is told holds no value of a row;
column_values.py gives those, masked.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

import psycopg
from psycopg import sql
from psycopg.rows import class_row

from warehouse import chains, names, records
from warehouse.archive_keys import NotAKeyError
from warehouse.chains import Link
from warehouse.records import Record
from warehouse.registry import Extract

MOST_RECORDS = 200
ALIVE, REMOVED, REJECTED, REPLACED, UNKNOWN = "alive", "removed", "rejected", "replaced", "never there"


@dataclass(frozen=True)
class Row:
    """The staging row: which attempt it names, since when it stands as it is, and the job whose transaction that was
    (None: a load, or a job from before it was noted)."""

    load_run_file_id: int
    load_ts: datetime
    written_by: UUID | None


@dataclass(frozen=True)
class Pin:
    """A restore keeps the row against raw, until a record extracted after `as_of` wins its key."""

    set_id: UUID
    job_id: UUID
    as_of: datetime
    pinned_at: datetime


@dataclass(frozen=True)
class KeyChange:
    """A job has changed the row of the key; `kind`: inserted, updated, deleted or rewritten."""

    job_id: UUID
    kind: str
    at: datetime


@dataclass(frozen=True)
class Act:
    """What a job did to the warehouse, as the warehouse noted it."""

    job_id: UUID
    action: str
    actor: str
    at: datetime


@dataclass(frozen=True)
class Trace:
    """All that is known of a key. `maker`: the record that the row was made of (None: it is not in raw any more);
    `in_force`: the one that decides the key now, of a later attempt where a reprocessing has left the row as it was.
    `records`: of every attempt, what counts first; `more` of them are not told. `links`: the attempts at their files.
    """

    extract: Extract
    key: Mapping[str, str]
    row: Row | None
    records: list[Record] = field(default_factory=list)
    more: int = 0
    links: Mapping[int, Link] = field(default_factory=dict)
    pin: Pin | None = None
    changes: list[KeyChange] = field(default_factory=list)
    acts: list[Act] = field(default_factory=list)

    @property
    def maker(self) -> Record | None:
        return records.maker(self.records)

    @property
    def in_force(self) -> Record | None:
        return next((record for record in self.records if record.in_force), None)

    @property
    def standing(self) -> str:
        """Whether the row is there, and else why not: one of the five words above."""
        if self.row:
            return ALIVE
        if self.changes and self.changes[-1].kind == "deleted":
            return REMOVED
        if any(record.live for record in self.records):
            return REJECTED
        return REPLACED if self.records or self.changes else UNKNOWN

    @property
    def jobs(self) -> list[UUID]:
        """Every job that had a hand in it, once each: the ones that made attempts, changed the row, pinned it."""
        found: dict[UUID, None] = {}
        for link in self.links.values():
            found |= {job: None for job in (link.job, link.taken_back_by) if job}
        found |= {change.job_id: None for change in self.changes}
        found |= {job: None for job in (self.row and self.row.written_by, self.pin and self.pin.job_id) if job}
        return list(found)


def trace(connection: psycopg.Connection, extract: Extract, key: Mapping[str, str]) -> Trace:
    """What is known of one natural key, as of one moment where the caller is in a snapshot().

    Raises NotAKeyError, which names the column and never the value.
    """
    for name in extract.natural_key:
        if not key.get(name):
            raise NotAKeyError(f"{name} is empty: a natural key has a value in every column.")
        if "\0" in key[name] or not _is_text(key[name]):
            raise NotAKeyError(f"What was given for {name} is no text.")
    asked = records.one_key(extract, key)
    found = next(iter(records.of_keys(connection, extract, asked).values()), [])
    row = _row(connection, extract, asked)
    files = {record.load_run_file_id for record in found} | ({row.load_run_file_id} if row else set())
    known = Trace(
        extract,
        key,
        row,
        records=found[:MOST_RECORDS],
        more=len(found[MOST_RECORDS:]),
        links=chains.of_files(connection, files),
        pin=_pin(connection, extract, asked),
        changes=_changes(connection, extract, asked),
    )
    return Trace(**{**vars(known), "acts": acts(connection, known.jobs)})


def _is_text(value: str) -> bool:
    """Whether a database can hold it: bytes of a command line that are none come as lone surrogates."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def acts(connection: psycopg.Connection, jobs: list[UUID]) -> list[Act]:
    """What these jobs did, the oldest first."""
    with connection.cursor(row_factory=class_row(Act)) as cursor:
        return cursor.execute(
            "SELECT job_id, action, actor, at FROM restage.effects WHERE job_id = ANY(%s) ORDER BY effect_id", [jobs]
        ).fetchall()


def _row(connection: psycopg.Connection, extract: Extract, asked: sql.Composed) -> Row | None:
    """A job writes its rows and its journal in one transaction, at one time."""
    query = sql.SQL(
        "SELECT s.load_run_file_id, s.load_ts, (SELECT j.job_id FROM restage.job_steps j"
        " WHERE j.finished_at = s.load_ts AND j.step IN ('publish', 'rollback', 'restore', 'unpin') LIMIT 1)"
        " AS written_by FROM ({}) k JOIN {} s ON {}"
    ).format(asked, names.staging(extract), names.same_key(extract, "k", "s"))
    with connection.cursor(row_factory=class_row(Row)) as cursor:
        return cursor.execute(query).fetchone()


def _pin(connection: psycopg.Connection, extract: Extract, asked: sql.Composed) -> Pin | None:
    query = sql.SQL(
        "SELECT p.set_id, p.job_id, p.as_of, p.pinned_at FROM ({}) k JOIN restage.pins p ON p.table_name = {}"
        " AND p.key = {}"
    ).format(asked, sql.Literal(extract.table), names.key_json(extract, "k"))
    with connection.cursor(row_factory=class_row(Pin)) as cursor:
        return cursor.execute(query).fetchone()


def _changes(connection: psycopg.Connection, extract: Extract, asked: sql.Composed) -> list[KeyChange]:
    """What jobs did to the row, the oldest first, as far as their before-images are kept: one probe of the primary key
    for each job that ever wrote the table."""
    query = sql.SQL(
        "SELECT s.job_id, b.class AS kind, s.kept_at AS at FROM ({asked}) k CROSS JOIN restage.before_image_sets s"
        " CROSS JOIN LATERAL (SELECT b.class FROM restage.before_images b WHERE b.job_id = s.job_id"
        " AND b.table_name = s.table_name AND b.key = {key} OFFSET 0) b"  # a fence: no walk through the whole index
        " WHERE s.table_name = {table} AND s.purged_at IS NULL ORDER BY s.kept_at"
    ).format(asked=asked, key=names.key_json(extract, "k"), table=sql.Literal(extract.table))
    with connection.cursor(row_factory=class_row(KeyChange)) as cursor:
        return cursor.execute(query).fetchall()
