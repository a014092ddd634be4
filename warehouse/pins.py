"""Rows of staging that stand on purpose against the fold, because a restore has put them there.

A pin takes part in the fold as a candidate extracted at `as_of` that wins ties: while no live valid record extracted
later is there for its key, the pinned row stays; when one wins, the pin goes in the transaction that publishes it.
Whoever writes pins holds the lock of the staging table.
"""

from collections.abc import Iterable
from uuid import UUID

import psycopg
from psycopg import sql

from warehouse import names
from warehouse.registry import Extract


def are_there(connection: psycopg.Connection, extract: Extract) -> bool:
    """Whether any row of the table is pinned."""
    found = connection.execute(
        "SELECT EXISTS (SELECT FROM restage.pins WHERE table_name = %s)", [extract.table]
    ).fetchone()
    return bool(found and found[0])


def seal(extract: Extract) -> sql.Composed:
    """SELECT of one number, `pins`, that changes with the pins of the table."""
    return sql.SQL(
        "SELECT coalesce(sum(hashtextextended(concat_ws('/', key, row_hash, as_of), 0)), 0) AS pins FROM restage.pins"
        " WHERE table_name = {}"
    ).format(sql.Literal(extract.table))


def hold(connection: psycopg.Connection, extract: Extract, keys: sql.Identifier, files: sql.Identifier) -> None:
    """Let the pins win where they do: such a key has the row_hash of its pin, and neither a place nor an attempt.

    `keys` are the winners of the fold without pins, `files` the attempts that count.
    """
    if not are_there(connection, extract):
        return
    connection.execute(
        sql.SQL(
            "UPDATE {keys} k SET place = NULL, load_run_file_id = NULL, row_hash = p.row_hash FROM restage.pins p"
            " WHERE p.table_name = {table} AND p.key = {key} AND NOT EXISTS (SELECT FROM {files} a"
            " WHERE a.load_run_file_id = k.load_run_file_id AND a.extracted_at > p.as_of)"
        ).format(keys=keys, files=files, **_parts(extract, "k"))
    )


def release(connection: psycopg.Connection, extract: Extract, keys: sql.Identifier) -> None:
    """Inside the publishing transaction: drop the pins of keys that a record has won."""
    if not are_there(connection, extract):
        return
    connection.execute(
        sql.SQL(
            "DELETE FROM restage.pins p USING {keys} k WHERE p.table_name = {table} AND p.key = {key}"
            " AND k.place IS NOT NULL"
        ).format(keys=keys, **_parts(extract, "k"))
    )


def write(connection: psycopg.Connection, extract: Extract, restored: sql.Identifier, set_id: UUID, job: UUID) -> int:
    """Pin the rows of `restored` that have an `as_of`, unpin its others; how many are pinned.

    `restored`: keys that a restore has written, with load_run_file_id, after_hash and as_of. Former pins of these keys
    are replaced.
    """
    parts = _parts(extract, "k") | {"restored": restored}
    if are_there(connection, extract):
        connection.execute(
            sql.SQL(
                "DELETE FROM restage.pins p USING {restored} k WHERE p.table_name = {table} AND p.key = {key}"
                " AND k.class IN ('inserted', 'updated')"
            ).format(**parts)
        )
    return connection.execute(
        sql.SQL(
            "INSERT INTO restage.pins (table_name, key, load_run_file_id, row_hash, as_of, set_id, job_id)"
            " SELECT {table}, {key}, k.load_run_file_id, k.after_hash, k.as_of, {set}, {job} FROM {restored} k"
            " WHERE k.class IN ('inserted', 'updated') AND k.as_of IS NOT NULL"
        ).format(**parts, set=sql.Literal(set_id), job=sql.Literal(job))
    ).rowcount


def of_job(connection: psycopg.Connection, job: UUID) -> dict[str, int]:
    """Table → how many rows this restore keeps pinned."""
    return dict(
        connection.execute(
            "SELECT table_name, count(*) FROM restage.pins WHERE job_id = %s GROUP BY 1 ORDER BY 1", [job]
        ).fetchall()
    )


def of_files(connection: psycopg.Connection, files: Iterable[int]) -> dict[UUID, int]:
    """Restore → how many rows it keeps pinned that any attempt at the files of these attempts has brought."""
    return dict(
        connection.execute(
            "WITH files AS (SELECT coalesce(original_load_run_file_id, load_run_file_id) AS first"
            " FROM etl.load_run_files WHERE load_run_file_id = ANY(%s))"
            " SELECT p.job_id, count(*) FROM restage.pins p JOIN etl.load_run_files f USING (load_run_file_id)"
            " WHERE coalesce(f.original_load_run_file_id, f.load_run_file_id) IN (SELECT first FROM files)"
            " GROUP BY 1 ORDER BY 1",
            [list(files)],
        ).fetchall()
    )


def keys_of_job(extract: Extract, job: UUID) -> sql.Composed:
    """SELECT of the natural keys that this restore keeps pinned."""
    return sql.SQL("SELECT {key} FROM restage.pins p WHERE p.table_name = {table} AND p.job_id = {job}").format(
        key=_key_columns(extract), table=sql.Literal(extract.table), job=sql.Literal(job)
    )


def drop_of_job(connection: psycopg.Connection, extract: Extract, job: UUID) -> int:
    return connection.execute(
        "DELETE FROM restage.pins WHERE table_name = %s AND job_id = %s", [extract.table, job]
    ).rowcount


def of_table(extract: Extract) -> sql.Composed:
    """SELECT of every pin of the table: the natural key in its columns, row_hash, as_of."""
    return sql.SQL("SELECT {key}, p.row_hash, p.as_of FROM restage.pins p WHERE p.table_name = {table}").format(
        key=_key_columns(extract), table=sql.Literal(extract.table)
    )


def _key_columns(extract: Extract) -> sql.Composed:
    return sql.SQL(", ").join(
        sql.SQL("p.key ->> {} AS {}").format(sql.Literal(name), sql.Identifier(name)) for name in extract.natural_key
    )


def _parts(extract: Extract, alias: str) -> dict[str, sql.Composable]:
    return {"table": sql.Literal(extract.table), "key": names.key_json(extract, alias)}
