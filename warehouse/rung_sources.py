"""What each rung of the recovery ladder holds of a load run or a table, counted: before-images, sets, raw records."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import LiteralString
from uuid import UUID

import psycopg
from psycopg import sql
from psycopg.rows import class_row

from warehouse import names
from warehouse.registry import Extract, Registry


@dataclass(frozen=True)
class Scope:
    """A load run, or a table of staging, or both; one of them is given."""

    run: UUID | None = None
    table: str = ""

    def __post_init__(self) -> None:
        if self.run is None and not self.table:
            raise ValueError("A ladder is of a load run or of a table.")


@dataclass(frozen=True)
class Image:
    """What a job keeps of one table: `back` rows would come back, `added` keys would go. Purged: both are 0 and `rows`
    says how many keys there were, `why` why it went."""

    job_id: UUID
    table_name: str
    rows: int
    back: int
    added: int
    bytes: int
    kept_at: datetime
    expires_at: datetime
    purged_at: datetime | None
    held: bool
    why: str


@dataclass(frozen=True)
class SetPart:
    """A set's share of one table, where it lies, and what the last verification of it said (None: none was)."""

    set_id: UUID
    load_run_id: UUID
    kind: str
    table_name: str
    rows: int
    hot: bool
    cold: bool
    archived_at: datetime
    expires_at: datetime
    held: bool
    sound: bool | None


@dataclass(frozen=True)
class Replaced:
    """An attempt that does not count any more and whose raw records are there: how many, and the job that replaced it
    (None: none of ours)."""

    load_run_file_id: int
    load_run_id: UUID
    table_name: str
    records: int
    superseded_at: datetime
    job_id: UUID | None


def images(connection: psycopg.Connection, scope: Scope) -> list[Image]:
    """The before-images of the jobs that replaced attempts of the run or made it, the newest first."""
    with connection.cursor(row_factory=class_row(Image)) as cursor:
        return cursor.execute(
            "SELECT s.job_id, s.table_name, s.rows, c.back, c.added, s.bytes, s.kept_at, s.expires_at, s.purged_at,"
            " EXISTS (SELECT FROM restage.image_holds h WHERE h.job_id = s.job_id AND h.released_at IS NULL) AS held,"
            " coalesce((SELECT max(detail ->> 'why') FROM restage.effects e WHERE e.job_id = s.job_id"
            " AND e.action = 'purge before-image' AND e.detail ->> 'table' = s.table_name), '') AS why"
            " FROM restage.before_image_sets s CROSS JOIN LATERAL (SELECT count(*) FILTER (WHERE image IS NOT NULL)"
            " AS back, count(*) FILTER (WHERE image IS NULL) AS added FROM restage.before_images b"
            " WHERE b.job_id = s.job_id AND b.table_name = s.table_name) c"
            " WHERE s.rows > 0 AND (%(table)s = '' OR s.table_name = %(table)s)"
            " AND (%(run)s::uuid IS NULL OR s.job_id IN (SELECT job_id FROM restage.run_parents"
            " WHERE %(run)s IN (load_run_id, parent_load_run_id))) ORDER BY s.kept_at DESC, s.job_id, s.table_name",
            _values(scope),
        ).fetchall()


def parts(connection: psycopg.Connection, scope: Scope) -> list[SetPart]:
    """The parts whose rows are somewhere, the newest first."""
    with connection.cursor(row_factory=class_row(SetPart)) as cursor:
        return cursor.execute(
            "SELECT s.set_id, s.load_run_id, s.kind, p.table_name, p.rows, p.hot, p.cold IS NOT NULL AS cold,"
            " s.archived_at, s.expires_at, EXISTS (SELECT FROM restage.archive_holds h WHERE h.set_id = s.set_id"
            " AND h.released_at IS NULL) AS held, CASE WHEN p.verified IS NOT NULL THEN"
            " (p.verified #>> '{hot,holds}')::boolean IS NOT FALSE"
            " AND (p.verified #>> '{cold,holds}')::boolean IS NOT FALSE END AS sound"
            " FROM restage.archive_sets s JOIN restage.archive_parts p USING (set_id) WHERE s.removed_at IS NULL"
            " AND (p.hot OR p.cold IS NOT NULL) AND (%(table)s = '' OR p.table_name = %(table)s)"
            " AND (%(run)s::uuid IS NULL OR s.load_run_id = %(run)s)"
            " ORDER BY s.archived_at DESC, s.set_id, p.table_name",
            _values(scope),
        ).fetchall()


def removed_sets(connection: psycopg.Connection, scope: Scope) -> int:
    """How many sets there once were of it whose rows are gone."""
    (found,) = connection.execute(
        "SELECT count(DISTINCT s.set_id) FROM restage.archive_sets s JOIN restage.archive_parts p USING (set_id)"
        " WHERE s.removed_at IS NOT NULL AND (%(table)s = '' OR p.table_name = %(table)s)"
        " AND (%(run)s::uuid IS NULL OR s.load_run_id = %(run)s)",
        _values(scope),
    ).fetchone() or (0,)
    return int(found)


def replaced(connection: psycopg.Connection, registry: Registry, scope: Scope) -> list[Replaced]:
    """The attempts of the run that were replaced, and those that it replaced itself, newest first; only those of which
    raw holds records."""
    found = []
    for extract in _extracts(registry, scope):
        attempts = connection.execute(
            "SELECT f.load_run_file_id, f.load_run_id, f.superseded_at, r.job_id FROM etl.load_run_files f"
            " LEFT JOIN etl.load_run_files n ON n.load_run_file_id = f.superseded_by_load_run_file_id"
            " LEFT JOIN restage.run_parents r ON r.load_run_id = n.load_run_id WHERE f.extract_type = %(extract)s"
            " AND f.superseded_at IS NOT NULL AND f.status = 'completed' AND (%(run)s::uuid IS NULL"
            " OR %(run)s IN (f.load_run_id, n.load_run_id))",
            {**_values(scope), "extract": extract.name},
        ).fetchall()
        records = _records(connection, extract, [file for file, *_ in attempts])
        found += [
            Replaced(file, run, extract.table, records[file], at, job)
            for file, run, at, job in attempts
            if records.get(file)
        ]
    return sorted(found, key=lambda one: (one.superseded_at, one.load_run_file_id), reverse=True)


def counting(connection: psycopg.Connection, registry: Registry, scope: Scope) -> dict[str, int]:
    """Table → the raw records of the run's attempts that count: staging is folded from them."""
    found = {}
    for extract in _extracts(registry, scope):
        attempts = [
            file
            for (file,) in connection.execute(
                "SELECT load_run_file_id FROM etl.load_run_files WHERE extract_type = %(extract)s"
                " AND superseded_at IS NULL AND status = 'completed'"
                " AND (%(run)s::uuid IS NULL OR load_run_id = %(run)s)",
                {**_values(scope), "extract": extract.name},
            )
        ]
        if records := sum(_records(connection, extract, attempts).values()):
            found[extract.table] = records
    return found


def jobs_with_effect(connection: psycopg.Connection, scope: Scope, most: int) -> list[UUID]:
    """The newest jobs that have changed rows of it: the moments just before them can be named."""
    return [
        job
        for (job,) in connection.execute(
            "SELECT job_id FROM restage.before_image_sets s WHERE rows > 0"
            " AND (%(table)s = '' OR table_name = %(table)s)"
            " AND (%(run)s::uuid IS NULL OR job_id IN (SELECT job_id FROM restage.run_parents"
            " WHERE %(run)s IN (load_run_id, parent_load_run_id)))"
            " GROUP BY job_id ORDER BY max(kept_at) DESC, job_id LIMIT %(most)s",
            {**_values(scope), "most": most},
        )
    ]


def witnessed(connection: psycopg.Connection, table: str, since: datetime) -> tuple[int, datetime] | None:
    """How many rows the table had when it was last counted for drills, not before `since`; and when."""
    found: tuple[int, datetime] | None = connection.execute(
        "SELECT rows, at FROM restage.witnesses WHERE table_name = %s AND at >= %s ORDER BY at DESC LIMIT 1",
        [table, since],
    ).fetchone()
    return found


@dataclass(frozen=True)
class Held:
    """What a rung holds of the whole warehouse: so many of `what` (jobs, sets, attempts), rows and bytes (None: not
    counted), and when the first of it goes."""

    things: int
    rows: int | None
    bytes: int | None
    first_goes: datetime | None


def images_held(connection: psycopg.Connection) -> Held:
    return _held(
        connection,
        "SELECT count(DISTINCT job_id), coalesce(sum(rows), 0)::bigint, coalesce(sum(bytes), 0)::bigint,"
        " min(expires_at) FROM restage.before_image_sets WHERE purged_at IS NULL AND rows > 0",
    )


def sets_held(connection: psycopg.Connection, *, cold: bool) -> Held:
    """Of cold parts the bytes are those of their files."""
    which = (
        {"size": "(p.cold ->> 'bytes')::bigint", "there": "p.cold IS NOT NULL"}
        if cold
        else {"size": "p.bytes", "there": "p.hot"}
    )
    query = sql.SQL(
        "SELECT count(DISTINCT s.set_id), coalesce(sum(p.rows), 0)::bigint, coalesce(sum({size}), 0)::bigint,"
        " min(s.expires_at) FROM restage.archive_sets s JOIN restage.archive_parts p USING (set_id)"
        " WHERE s.removed_at IS NULL AND {there}"
    )
    return _held(connection, query.format(**{name: sql.SQL(said) for name, said in which.items()}))


def replaced_held(connection: psycopg.Connection) -> Held:
    """The attempts that were replaced; whether raw still holds their records a ladder counts."""
    return _held(
        connection,
        "SELECT count(*), NULL, NULL, NULL FROM etl.load_run_files WHERE superseded_at IS NOT NULL"
        " AND status = 'completed'",
    )


def _held(connection: psycopg.Connection, query: LiteralString | sql.Composed) -> Held:
    return Held(*(connection.execute(query).fetchone() or (0, 0, 0, None)))


def run_is_known(connection: psycopg.Connection, run: UUID) -> bool:
    return connection.execute("SELECT FROM etl.load_runs WHERE load_run_id = %s", [run]).fetchone() is not None


def tables_of_run(connection: psycopg.Connection, registry: Registry, run: UUID) -> list[str]:
    """The tables that the files of a run feed, in the registry's order."""
    feeds = connection.execute("SELECT DISTINCT extract_type FROM etl.load_run_files WHERE load_run_id = %s", [run])
    named = {name for (name,) in feeds}
    return [extract.table for extract in registry.extracts if extract.name in named]


def _extracts(registry: Registry, scope: Scope) -> Iterator[Extract]:
    return (extract for extract in registry.extracts if scope.table in ("", extract.table))


def _records(connection: psycopg.Connection, extract: Extract, attempts: Iterable[int]) -> dict[int, int]:
    """Attempt → how many records raw holds of it."""
    chosen = list(attempts)
    if not chosen:
        return {}
    return dict(
        connection.execute(
            sql.SQL("SELECT load_run_file_id, count(*) FROM {} WHERE load_run_file_id = ANY({}) GROUP BY 1").format(
                names.raw(extract), names.integers(chosen)
            )
        ).fetchall()
    )


def _values(scope: Scope) -> dict[str, object]:
    return {"run": scope.run, "table": scope.table}
