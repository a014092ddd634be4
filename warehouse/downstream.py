"""What must follow a change of staging: the keys that `core` has not taken over yet, and which tables depend on it.

Restage never writes core. Every publication notes the keys that it changed, in its transaction; from MOST_KEYS on it
notes how many they are of which load run instead. A key counts as taken over once a core merge of the load run that
owns it has begun after the change was seen committed (`settled_at`) and is completed. Core is upserted only, so a
deleted key stays until a person says that it is dealt with.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any
from uuid import UUID

import psycopg
from psycopg import sql
from psycopg.rows import class_row, dict_row

from warehouse import before_images, names
from warehouse.build import Workspace
from warehouse.change import Change
from warehouse.diff import Counts
from warehouse.registry import Extract, Registry

MOST_KEYS = 1_000  # of one publication and extract that are noted one by one

# The names under which core's loader knows an extract: ours, the table's, or ours in the singular.
_MERGED = """EXISTS (SELECT FROM etl.core_merge_runs m WHERE m.status = 'completed' AND m.load_run_id = c.load_run_id
    AND lower(m.extract_type) IN (lower(c.extract_type), {table}, regexp_replace(lower(c.extract_type), 's$', ''))
    AND m.started_at > c.settled_at AND c.class <> 'deleted')"""


@dataclass(frozen=True)
class Stale:
    """What core has not taken over of one extract; `seen`: until when this was seen.

    `changes` = `changed` + `deleted`: of keys, where a key that several noted load runs hold counts in each of them.
    """

    extract_type: str
    changes: int
    changed: int
    deleted: int
    since: datetime
    one_by_one: int
    load_runs: list[UUID]
    last_merge: datetime | None
    seen: datetime


def note(
    connection: psycopg.Connection,
    change: Change,
    space: Workspace,
    counts: Counts,
    job_id: UUID | None = None,
    ids: Mapping[int, int] = MappingProxyType({}),
) -> None:
    """Inside the publishing transaction, after staging was written and with its lock held.

    `ids`: the real attempt of each stand-in. Reads the diff only.
    """
    if not counts.written:
        return
    extract = change.extract
    _forget(connection, extract)
    parts = {
        "extract": sql.Literal(extract.name),
        "key": before_images.key_json(change, "k"),
        "job": sql.SQL("{}::uuid").format(sql.Literal(str(job_id) if job_id else None)),
        "diff": space.table(extract, "diff"),
        "stand_ins": names.integers(ids.keys()),
        "real": names.integers(ids.values()),
    }
    rows = sql.SQL(
        " FROM {diff} k LEFT JOIN unnest({stand_ins}, {real}) i (stand_in, real) ON i.stand_in = k.load_run_file_id"
        " LEFT JOIN etl.load_run_files f ON f.load_run_file_id = coalesce(i.real, k.load_run_file_id)"
        " WHERE k.class IN ('inserted', 'updated', 'deleted')"
    ).format(**parts)
    if counts.written > MOST_KEYS:
        head = "SELECT {extract}, f.load_run_id, NULL::jsonb, count(*), k.class, {job}"
        tail = " GROUP BY f.load_run_id, k.class"
    else:
        head = "SELECT {extract}, f.load_run_id, {key}, 1, k.class, {job}"
        tail = (
            " ON CONFLICT (extract_type, key) WHERE key IS NOT NULL DO UPDATE SET load_run_id = excluded.load_run_id,"
            " class = excluded.class, job_id = excluded.job_id, settled_at = NULL"
        )
    into = sql.SQL("INSERT INTO restage.stale_core (extract_type, load_run_id, key, keys, class, job_id) ")
    connection.execute(into + sql.SQL(head).format(**parts) + rows + sql.SQL(tail))


def settle(connection: psycopg.Connection) -> None:
    """Note that what can be seen is committed: only a merge that begins from now on can have read it.

    Waits for nobody: a row that a publication is changing right now is left for later.
    """
    connection.execute(
        "UPDATE restage.stale_core SET settled_at = clock_timestamp() WHERE ctid IN (SELECT ctid"
        " FROM restage.stale_core WHERE settled_at IS NULL FOR UPDATE SKIP LOCKED)"
    )


def _forget(connection: psycopg.Connection, extract: Extract) -> None:
    """Drop what core has taken over since."""
    connection.execute(
        sql.SQL("DELETE FROM restage.stale_core c WHERE c.extract_type = {} AND {}").format(
            sql.Literal(extract.name), _merged(extract)
        )
    )


def _merged(extract: Extract) -> sql.Composed:
    return sql.SQL(_MERGED).format(table=sql.Literal(extract.table))


def look(connection: psycopg.Connection, registry: Registry) -> list[Stale]:
    """What is stale now, in the registry's order. Writes nothing."""
    found = []
    for extract in registry.extracts:
        with connection.cursor(row_factory=class_row(Stale)) as cursor:
            found += cursor.execute(
                sql.SQL(_STALE).format(merged=_merged(extract)), {"extract": extract.name, "table": extract.table}
            ).fetchall()
    return found


_STALE = """SELECT extract_type, sum(keys)::bigint AS changes,
    coalesce(sum(keys) FILTER (WHERE class <> 'deleted'), 0)::bigint AS changed,
    coalesce(sum(keys) FILTER (WHERE class = 'deleted'), 0)::bigint AS deleted,
    min(since) AS since, count(key) AS one_by_one,
    coalesce(array_agg(DISTINCT load_run_id) FILTER (WHERE load_run_id IS NOT NULL), '{{}}') AS load_runs,
    (SELECT max(completed_at) FROM etl.core_merge_runs m WHERE m.status = 'completed'
        AND lower(m.extract_type) IN (lower(%(extract)s), %(table)s, regexp_replace(lower(%(extract)s), 's$', '')))
        AS last_merge, clock_timestamp() AS seen
    FROM restage.stale_core c WHERE extract_type = %(extract)s AND NOT {merged} GROUP BY extract_type"""


def dealt_with(connection: psycopg.Connection, extract: Extract, *, seen: datetime) -> int:
    """A person says that core holds what was stale at `seen`: drop it; how many changes of keys. Later ones stay, and
    so does what a publication is changing right now. What is not settled stays too, and is settled for the next time.
    """
    rows = connection.execute(
        sql.SQL(
            "DELETE FROM restage.stale_core WHERE ctid IN (SELECT ctid FROM restage.stale_core c"
            " WHERE c.extract_type = {} AND c.settled_at <= {} AND NOT {} FOR UPDATE SKIP LOCKED) RETURNING keys"
        ).format(sql.Literal(extract.name), sql.Literal(seen), _merged(extract))
    ).fetchall()
    settle(connection)
    return sum(changes for (changes,) in rows)


def list_columns(*, in_clear: bool) -> list[str]:
    """Of the re-merge list."""
    return ["extract", "load_run_id", "change", "since", "changes", "key_hash", *(["key"] if in_clear else [])]


def merge_list(
    connection: psycopg.Connection, extract: Extract, *, in_clear: bool, hashed: Callable[[str], str]
) -> Iterator[dict[str, Any]]:
    """The re-merge list: one row a key (as `hashed` makes it, and itself where `in_clear`) or a load run's keys."""
    with connection.transaction(), connection.cursor("merge_list", row_factory=dict_row) as cursor:
        for found in cursor.execute(
            sql.SQL(
                "SELECT c.extract_type AS extract, c.load_run_id, c.class AS change, c.since, c.keys AS changes,"
                " c.key::text AS key FROM restage.stale_core c WHERE c.extract_type = {extract} AND NOT {merged}"
                " ORDER BY c.load_run_id, c.since, c.key"
            ).format(extract=sql.Literal(extract.name), merged=_merged(extract))
        ):
            key = found.pop("key")
            found["key_hash"] = "whole run" if key is None else hashed(key)
            yield {**found, "key": key} if in_clear else found


def dependants(connection: psycopg.Connection, registry: Registry, changed: Iterable[str]) -> list[dict[str, Any]]:
    """The extracts depending on changed tables: `extract`, `table`, `of` (tables), `direct`, `rows` standing now."""
    found: dict[str, dict[str, Any]] = {}
    for table in changed:
        for extract, direct in registry.dependants(registry.of_table(table).name):
            entry = found.setdefault(
                extract.name, {"extract": extract.name, "table": extract.table, "of": [], "direct": False}
            )
            entry["of"].append(table)
            entry["direct"] |= direct
    for entry in found.values():
        count = sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier("stg", entry["table"]))
        (entry["rows"],) = connection.execute(count).fetchone() or (0,)
    return sorted(found.values(), key=lambda entry: (not entry["direct"], entry["extract"]))
