"""Profiles of delivered files: what raw holds of an attempt is counted in SQL, and kept without its values.

A profile is kept in the warehouse, as hashes and counts, since hashes of patients' values have no business outside of
it. It is written once for an attempt, in one statement: a death before it leaves the attempt due, two workers at once
do no harm. What an attempt is compared with is a feed: the files of one extract that one practice delivers.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import psycopg
from psycopg import sql
from psycopg.rows import class_row

from warehouse import names
from warehouse.registry import Extract

TABLE = """load_run_file_id integer PRIMARY KEY, rows bigint NOT NULL, body bytea NOT NULL,
    made_at timestamptz NOT NULL DEFAULT now()"""
MOST_ROWS = 20_000  # of a file that are looked at one by one; what SQL counts, it counts of all
LOOKED_BACK = timedelta(days=400)
MOST_HISTORY = 120
GONE = -1
NUMBER = r"^\s*[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?\s*$"


@dataclass(frozen=True)
class Delivered:
    """A live attempt that was loaded. `place`: its file's place in the order of the source."""

    load_run_file_id: int
    load_run_id: UUID
    extract: str
    per_org_id: str
    practice_id: str
    extracted_at: datetime | None
    place: int
    made_by: UUID | None
    ingested: int


@dataclass(frozen=True)
class Counted:
    """One column, over all rows. Empty text is no value; `top`: rows of the most frequent value."""

    name: str
    nulls: int
    distinct: int
    top: int
    blank: int
    numbers: int
    length: float | None
    length_least: int | None
    length_most: int | None


@dataclass(frozen=True)
class Measured:
    """`again`: rows that stand in the file more than once, each but the first. `sample`: rows of it, in its order."""

    rows: int
    again: int
    columns: list[Counted]
    names: tuple[str, ...]
    sample: list[tuple[str | None, ...]]


_DELIVERED = """SELECT f.load_run_file_id, f.load_run_id, f.extract_type AS extract, f.per_org_id, f.practice_id,
    nullif(restage.extracted_at(f.date_extracted), '-infinity') AS extracted_at,
    coalesce(f.original_load_run_file_id, f.load_run_file_id) AS place,
    (SELECT p.job_id FROM restage.run_parents p WHERE p.load_run_id = f.load_run_id) AS made_by,
    coalesce(f.rows_ingested, 0) AS ingested
    FROM etl.load_run_files f WHERE f.status = 'completed' AND f.superseded_at IS NULL"""


def due(connection: psycopg.Connection, extract: str, most: int) -> list[Delivered]:
    """Live attempts of the last 400 days without a profile, oldest first."""
    with connection.cursor(row_factory=class_row(Delivered)) as cursor:
        return cursor.execute(
            f"{_DELIVERED} AND f.created_at > now() - %s AND f.extract_type = %s AND NOT EXISTS"
            " (SELECT FROM restage.profiles p WHERE p.load_run_file_id = f.load_run_file_id)"
            " ORDER BY extracted_at NULLS FIRST, place LIMIT %s",
            [LOOKED_BACK, extract, most],
        ).fetchall()


def of_runs(connection: psycopg.Connection, load_runs: Iterable[UUID]) -> list[Delivered]:
    """The live attempts of these runs that were loaded, in the order of the source."""
    with connection.cursor(row_factory=class_row(Delivered)) as cursor:
        return cursor.execute(
            f"{_DELIVERED} AND f.load_run_id = ANY(%s) ORDER BY extracted_at NULLS FIRST, place", [list(load_runs)]
        ).fetchall()


def measure(connection: psycopg.Connection, extract: Extract, load_run_file_id: int) -> Measured:
    """One pass over the attempt's rows for the counts, and one for the rows looked at; as of one moment."""
    columns = tuple(column.name for column in extract.columns)
    with connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        rows, again = connection.execute(
            sql.SQL(
                "SELECT count(*), count(*) - count(DISTINCT hashtextextended(ROW({})::text, 0)) FROM {} r"
                " WHERE load_run_file_id = %s"
            ).format(names.columns(columns, of="r"), names.raw(extract)),
            [load_run_file_id],
        ).fetchone() or (0, 0)
        counted = _counted(connection, extract, columns, load_run_file_id)
        sample = _sample(connection, extract, columns, load_run_file_id, max(1, -(-rows // MOST_ROWS)))
    return Measured(rows, again, counted, columns, sample)


def _counted(
    connection: psycopg.Connection, extract: Extract, columns: tuple[str, ...], load_run_file_id: int
) -> list[Counted]:
    cells = sql.SQL(", ").join(
        sql.SQL("({}, nullif(r.{}, ''))").format(sql.Literal(name), sql.Identifier(name)) for name in columns
    )
    statement = sql.SQL(
        "SELECT name, coalesce(sum(n) FILTER (WHERE value IS NULL), 0)::bigint AS nulls, count(value) AS distinct,"
        " coalesce(max(n) FILTER (WHERE value IS NOT NULL), 0) AS top,"
        " coalesce(sum(n) FILTER (WHERE value ~ '^\\s*$'), 0)::bigint AS blank,"
        " coalesce(sum(n) FILTER (WHERE value ~ {number}), 0)::bigint AS numbers,"
        " (sum(n * length(value)) / nullif(sum(n) FILTER (WHERE value IS NOT NULL), 0))::float8 AS length,"
        " min(length(value)) AS length_least, max(length(value)) AS length_most"
        " FROM (SELECT c.name, c.value, count(*) AS n FROM {raw} r CROSS JOIN LATERAL (VALUES {cells}) c(name, value)"
        " WHERE r.load_run_file_id = {file} GROUP BY 1, 2) g GROUP BY name"
    ).format(number=sql.Literal(NUMBER), raw=names.raw(extract), cells=cells, file=sql.Literal(load_run_file_id))
    with connection.cursor(row_factory=class_row(Counted)) as cursor:
        return cursor.execute(statement).fetchall()


def _sample(
    connection: psycopg.Connection, extract: Extract, columns: tuple[str, ...], load_run_file_id: int, step: int
) -> list[tuple[str | None, ...]]:
    """Every row of a small file, each `step`th record of a large one: the same ones where it is delivered again."""
    cells = sql.SQL(", ").join(sql.SQL("nullif({}, '')").format(sql.Identifier(name)) for name in columns)
    return connection.execute(
        sql.SQL(
            "SELECT {} FROM {} WHERE load_run_file_id = %s AND coalesce(record_no, 0) %% %s = 0 ORDER BY record_no"
        ).format(cells, names.raw(extract)),
        [load_run_file_id, step],
    ).fetchall()


def keep(connection: psycopg.Connection, load_run_file_id: int, rows: int, body: bytes) -> None:
    """Of an attempt that has one already, the first is kept."""
    connection.execute(
        "INSERT INTO restage.profiles (load_run_file_id, rows, body) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
        [load_run_file_id, rows, body],
    )


def pass_over(connection: psycopg.Connection, load_run_file_id: int) -> None:
    """There is nothing to be known of the attempt: its rows have left raw. It is not due again, nor compared with."""
    keep(connection, load_run_file_id, GONE, b"")


def before(connection: psycopg.Connection, delivered: Delivered) -> list[int]:
    """Live attempts with a profile that come before it in its feed, oldest first; none at the same file."""
    found = connection.execute(
        "SELECT f.load_run_file_id FROM etl.load_run_files f JOIN restage.profiles p USING (load_run_file_id)"
        " WHERE f.extract_type = %(extract)s AND f.per_org_id = %(org)s AND f.practice_id = %(practice)s"
        " AND f.superseded_at IS NULL AND f.status = 'completed' AND p.rows >= 0"
        " AND coalesce(f.original_load_run_file_id, f.load_run_file_id) <> %(place)s"
        " AND (restage.extracted_at(f.date_extracted), coalesce(f.original_load_run_file_id, f.load_run_file_id))"
        " < (coalesce(%(at)s::timestamptz, '-infinity'), %(place)s)"
        " ORDER BY restage.extracted_at(f.date_extracted) DESC, 1 DESC LIMIT %(most)s",
        {
            "extract": delivered.extract,
            "org": delivered.per_org_id,
            "practice": delivered.practice_id,
            "place": delivered.place,
            "at": delivered.extracted_at,
            "most": MOST_HISTORY,
        },
    ).fetchall()
    return [file for (file,) in reversed(found)]


def is_newest(connection: psycopg.Connection, delivered: Delivered) -> bool:
    """Whether its feed has no later file."""
    found = connection.execute(
        "SELECT FROM etl.load_run_files WHERE extract_type = %s AND per_org_id = %s AND practice_id = %s"
        " AND restage.extracted_at(date_extracted) > %s LIMIT 1",
        [delivered.extract, delivered.per_org_id, delivered.practice_id, delivered.extracted_at],
    )
    return found.fetchone() is None


def bodies(connection: psycopg.Connection, files: Iterable[int]) -> dict[int, bytes]:
    found = connection.execute(
        "SELECT load_run_file_id, body FROM restage.profiles WHERE load_run_file_id = ANY(%s)", [list(files)]
    ).fetchall()
    return {file: bytes(body) for file, body in found}
