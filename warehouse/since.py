"""What was built on top of jobs that are to be taken back: later jobs and loads, and the tables that depend."""

from dataclasses import asdict, dataclass, field
from typing import Any
from uuid import UUID

import psycopg
from psycopg import sql

from warehouse import before_images, names
from warehouse.build import Workspace
from warehouse.change import Change
from warehouse.registry import Extract, Registry
from warehouse.undoing import Undo, Undoing, published_at


@dataclass(frozen=True)
class Later:
    """A later job, or a later load run, and of how many of the touched keys it changed the row."""

    job: str | None
    load_run: str | None
    keys: int


@dataclass(frozen=True)
class Dependant:
    """A table whose extract depends on this one; `rows` that refer to keys which would be removed.

    None where it cannot be counted, because it does not hold the whole key under the same names.
    """

    table: str
    rows: int | None


@dataclass(frozen=True)
class OnTop:
    """Of one table: the touched keys that were changed since, and how many of these the rollback leaves alone."""

    changed_since: int = 0
    stay: int = 0
    later: list[Later] = field(default_factory=list)
    dependants: list[Dependant] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def on_top(
    connection: psycopg.Connection, registry: Registry, undo: Undo, undoing: Undoing, change: Change, space: Workspace
) -> OnTop:
    """To be asked after build and diff of the change."""
    began = published_at(connection, undo.jobs)
    if began is None:
        return OnTop()
    rows = connection.execute(
        sql.SQL(_LATER).format(
            key_json=before_images.key_json(change, "k"),
            keys=space.table(change.extract, "keys"),
            diff=space.table(change.extract, "diff"),
            stg=names.staging(change.extract),
            table=sql.Literal(change.extract.table),
            jobs=sql.Literal(list(undo.jobs)),
            began=sql.Literal(began),
            withdrawn=names.integers(undoing.withdrawn),
            k_s=names.same_key(change.extract, "k", "s"),
            k_d=names.same_key(change.extract, "k", "d"),
        )
    ).fetchall()
    (_job, _run, changed, stay) = next((row for row in rows if row[0] is None and row[1] is None), (0, 0, 0, 0))
    later = [Later(_text(job), _text(run), keys) for job, run, keys, _stay in rows if job or run]
    return OnTop(changed, stay, later, _dependants(connection, registry, change.extract, space))


def _text(value: UUID | None) -> str | None:
    return str(value) if value else None


# A job that was itself taken back since has left nothing. A row's owner tells who wrote it where an image was purged.
_LATER = """
WITH touched AS (SELECT {key_json} AS key, k.*, s.load_run_file_id AS owner, s.load_ts,
        EXISTS (SELECT FROM {diff} d WHERE {k_d}) AS moves
    FROM {keys} k LEFT JOIN {stg} s ON {k_s}),
later AS (
    SELECT b.job_id, NULL::uuid AS load_run_id, t.key, t.moves FROM restage.job_steps j
    JOIN restage.before_images b ON b.job_id = j.job_id AND b.table_name = {table} JOIN touched t ON t.key = b.key
    WHERE j.step = 'publish' AND j.finished_at > {began} AND j.job_id <> ALL({jobs})
    AND NOT EXISTS (SELECT FROM restage.job_steps r WHERE r.step = 'rollback'
        AND (r.detail -> 'rolled_back_jobs' ? b.job_id::text OR r.detail ->> 'rolled_back_job' = b.job_id::text)
        AND r.detail -> 'tables' ? {table})
    UNION
    SELECT p.job_id, CASE WHEN p.job_id IS NULL THEN f.load_run_id END, t.key, t.moves FROM touched t
    JOIN etl.load_run_files f ON f.load_run_file_id = t.owner LEFT JOIN restage.run_parents p USING (load_run_id)
    WHERE t.load_ts > {began} AND t.owner <> ALL({withdrawn}))
SELECT job_id, load_run_id, count(DISTINCT key), count(DISTINCT key) FILTER (WHERE NOT moves) FROM later
GROUP BY GROUPING SETS ((job_id, load_run_id), ()) ORDER BY 3 DESC, 1, 2"""


def _dependants(
    connection: psycopg.Connection, registry: Registry, extract: Extract, space: Workspace
) -> list[Dependant]:
    """Every extract that depends on this one; rows of a table refer by columns named like the parts of the key."""
    found = []
    for other, direct in registry.dependants(extract.name):
        if not direct:
            continue
        rows = None
        if set(extract.natural_key) <= {column.name for column in other.staged}:
            same = sql.SQL(" AND ").join(
                sql.SQL("o.{0}::text = d.{0}::text").format(sql.Identifier(name)) for name in extract.natural_key
            )
            (rows,) = connection.execute(
                sql.SQL("SELECT count(*) FROM {} d JOIN {} o ON {} WHERE d.class = 'deleted'").format(
                    space.table(extract, "diff"), names.staging(other), same
                )
            ).fetchone() or (0,)
        found.append(Dependant(other.table, rows))
    return found
