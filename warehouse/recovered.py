"""Brings rows of a recovered server into the live warehouse, aside, and compares them with staging as it is now.

They come with the columns that the table had then, and with those of an archive table. From there they go into a table
beside staging, or become an archive set, which is restored as any other.
"""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg
from psycopg import sql

from warehouse import archive_sets, archiving, aside, journal, names
from warehouse.archive_sets import ArchiveSet
from warehouse.build import Workspace
from warehouse.errors import TellableError
from warehouse.journal import Writer
from warehouse.progress import Progress, Told
from warehouse.registry import Extract

PART = "recovered"


class NotThereThenError(TellableError):
    """The table was not there at that moment, or not as one of staging. Nothing was changed."""


@dataclass(frozen=True)
class Wanted:
    """Rows of one table as of a moment: those that a load run owned then (None: all of them)."""

    extract: Extract
    at: datetime
    load_run: UUID | None = None
    reason: str = ""


@dataclass(frozen=True)
class Classes:
    """Recovered keys against staging now; the first five add up to the rows."""

    absent: int = 0
    identical: int = 0
    changed: int = 0
    older: int = 0
    newer: int = 0

    @property
    def rows(self) -> int:
        return self.absent + self.identical + self.changed + self.older + self.newer

    def as_json(self) -> dict[str, Any]:
        """With the names by which the effect of every job is told: nothing of it is in staging."""
        none = dict.fromkeys(("inserted", "updated", "deleted", "kept_newer", "rejected"), 0)
        return {**asdict(self), **none, "unchanged": 0, "recovered": self.rows}


def table(writer: Writer, extract: Extract) -> sql.Identifier:
    """Where a job's brought rows lie."""
    return Workspace(writer.tag).table(extract, PART)


def is_there(connection: psycopg.Connection, writer: Writer, extract: Extract) -> bool:
    """Whether this job has brought its rows already, all of them."""
    return aside.noted(connection, writer.job_id, f"recover {extract.table}") is not None


def bring(then: psycopg.Connection, live: psycopg.Connection, wanted: Wanted, writer: Writer, told: Told) -> int:
    """Copy the wanted rows from the recovered server into restage_build of the live warehouse; how many.

    May be called again after any death: what is not noted as whole is made anew. Raises NotThereThenError,
    LostFenceError, and what `told` raises.
    """
    extract, space = wanted.extract, Workspace(writer.tag)
    columns = _columns(then, extract)
    into = table(writer, extract)
    space.clear(live, extract, PART)
    live.execute(_shape(into, columns))
    rows = _copy(then, live, _query(wanted, list(columns)), into, told, f"read stg.{extract.table} of then")
    live.execute(sql.SQL("ANALYZE {} ({})").format(into, names.key(extract)))
    with live.transaction():
        journal.hold_fence(live, writer)
        full = [column["name"] for column in _told(then, extract) if column["not_null"]]
        aside.note(live, writer, f"recover {extract.table}", {"rows": rows, "columns": columns, "full": full})
    return rows


def _told(connection: psycopg.Connection, extract: Extract) -> list[dict[str, Any]]:
    return archive_sets.columns_of(connection, names.staging(extract))


def _columns(then: psycopg.Connection, extract: Extract) -> dict[str, str]:
    """The columns that the table had then, with their types. Raises NotThereThenError."""
    found = {str(column["name"]): str(column["type"]) for column in _told(then, extract)}
    lost = [name for name in (*extract.natural_key, "load_run_file_id", "load_ts") if name not in found]
    if not found or lost:
        what = f"had no column {', '.join(lost)}" if found else "was not there"
        raise NotThereThenError(
            f"stg.{extract.table} {what} at that moment. Nothing was changed; choose a later moment."
        )
    return found


def _shape(table: sql.Identifier, columns: dict[str, str]) -> sql.Composed:
    """CREATE TABLE with these columns and those of an archive. The types are the server's own words for them."""
    own = [sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(kind)) for name, kind in columns.items()]
    marks = (
        "archived_at timestamptz NOT NULL, archived_load_run_id uuid, archive_reason text NOT NULL,"
        " archive_version integer NOT NULL"
    )
    return sql.SQL("CREATE UNLOGGED TABLE {} ({}, {})").format(table, sql.SQL(", ").join(own), sql.SQL(marks))


def _query(wanted: Wanted, columns: list[str]) -> sql.Composed:
    extract = wanted.extract
    owned = sql.SQL("f.load_run_id = {}").format(sql.Literal(wanted.load_run)) if wanted.load_run else sql.SQL("true")
    return sql.SQL(
        "SELECT {columns}, {at}::timestamptz, f.load_run_id, {reason}::text, 0 FROM {stg} s"
        " LEFT JOIN etl.load_run_files f ON f.load_run_file_id = s.load_run_file_id WHERE {owned}"
    ).format(
        columns=names.columns(columns, of="s"),
        at=sql.Literal(wanted.at),
        reason=sql.Literal(wanted.reason),
        stg=names.staging(extract),
        owned=owned,
    )


def _copy(
    then: psycopg.Connection,
    live: psycopg.Connection,
    query: sql.Composed,
    into: sql.Identifier,
    told: Told,
    what: str,
) -> int:
    """As text: the two servers may write a type otherwise in binary."""
    size = 0
    with then.cursor() as reading, live.cursor() as writing:
        with (
            reading.copy(sql.SQL("COPY ({}) TO STDOUT").format(query)) as out,
            writing.copy(sql.SQL("COPY {} FROM STDIN").format(into)) as taking,
        ):
            for block in out:
                taking.write(block)
                size += len(block)
                told(Progress(what, bytes=size))
        return writing.rowcount


def _brought(connection: psycopg.Connection, writer: Writer, extract: Extract) -> frozenset[str]:
    """Those that the table had then, as bring() has noted them."""
    noted = aside.noted(connection, writer.job_id, f"recover {extract.table}") or {"columns": {}}
    return frozenset(noted["columns"])


def as_set(
    connection: psycopg.Connection, wanted: Wanted, writer: Writer, *, reason: str, expires_at: datetime
) -> ArchiveSet | None:
    """Make an archive set of the brought rows, in the caller's transaction; None where there are none.

    It lies under the load run that was wanted, else under the one that owns the most of the rows; each keeps its
    owner. Raises CannotArchiveError.
    """
    extract = wanted.extract
    brought = table(writer, extract)
    owner = connection.execute(
        sql.SQL(
            "SELECT archived_load_run_id, count(*) FROM {} WHERE archived_load_run_id IS NOT NULL"
            " GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 1"
        ).format(brought)
    ).fetchone()
    if owner is None:
        return None
    noted = aside.noted(connection, writer.job_id, f"recover {extract.table}") or {"columns": {}, "full": []}
    then = [{"name": name, "type": kind, "not_null": name in noted["full"]} for name, kind in noted["columns"].items()]
    made = archiving.begin(
        connection,
        wanted.load_run or owner[0],
        reason=reason,
        expires_at=expires_at,
        writer=writer,
        kind=archiving.RECOVERED,
    )
    archiving.keep(connection, extract, made, sql.SQL("{} s").format(brought), then=then)
    return made


def classify(connection: psycopg.Connection, writer: Writer, extract: Extract) -> Classes:
    """Compare the brought rows with staging: values of the columns that both have, then the extraction time of the
    owners. An owner that is not known any more counts as newer: its row is left."""
    then = _brought(connection, writer, extract)
    both = [column.name for column in (*extract.staged, *extract.staging_only) if column.name in then]
    found = connection.execute(
        sql.SQL(_CLASSES).format(
            recovered=table(writer, extract),
            stg=names.staging(extract),
            same=names.same_key(extract, "r", "s"),
            then=names.columns(both, of="r"),
            now=names.columns(both, of="s"),
        )
    ).fetchall()
    return Classes(**{str(name): int(keys) for name, keys in found})


# The same file in another attempt is the same owner by its time: the one that came later is the newer.
_CLASSES = """SELECT CASE WHEN s.load_run_file_id IS NULL THEN 'absent'
    WHEN ROW({then})::text = ROW({now})::text AND s.load_run_file_id = r.load_run_file_id THEN 'identical'
    WHEN s.load_run_file_id = r.load_run_file_id THEN 'changed'
    WHEN o.load_run_file_id IS NOT NULL AND n.load_run_file_id IS NOT NULL
        AND (restage.extracted_at(n.date_extracted), n.load_run_file_id)
        < (restage.extracted_at(o.date_extracted), o.load_run_file_id) THEN 'older'
    ELSE 'newer' END AS class, count(*)
FROM {recovered} r LEFT JOIN {stg} s ON {same}
LEFT JOIN etl.load_run_files o ON o.load_run_file_id = r.load_run_file_id
LEFT JOIN etl.load_run_files n ON n.load_run_file_id = s.load_run_file_id GROUP BY 1"""
