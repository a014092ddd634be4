"""Forward from files to the rows alive today: what of a file's records stands in staging, and who replaced the rest.

The keys of a file's records are looked up in staging; whose attempt the row of each names now says what became of it.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import class_row

from warehouse import names
from warehouse.chains import Link
from warehouse.registry import Extract

SECONDS = 30  # a page or a command waits no longer for the counts of one table
ALIVE, KEPT, REPLACED, ABSENT = "alive", "alive as made before", "replaced", "not in staging"


@dataclass
class Fate:
    """What became of the records of some attempts in one table.

    Of the `keys` that their records name: `alive` rows name one of these attempts; of `kept` ones the row stands as
    another attempt at the same file made it; `replaced` rows name other files, attempt → keys; `absent` ones have no
    row. `records` less `keys` are records of the same key or without one. `owned`: rows that name these attempts where
    raw holds nothing of them any more (None: it does).
    """

    table: str
    records: int = 0
    keys: int = 0
    alive: int = 0
    kept: Counter[int] = field(default_factory=Counter)
    replaced: Counter[int] = field(default_factory=Counter)
    absent: int = 0
    owned: int | None = None

    @property
    def in_staging(self) -> int:
        return self.owned if self.owned is not None else self.alive + self.keys_kept

    @property
    def keys_kept(self) -> int:
        return self.kept.total()

    @property
    def keys_replaced(self) -> int:
        return self.replaced.total()


@dataclass(frozen=True)
class Standing:
    """A record of a file with what became of its key, the key masked. `owner`: the attempt that the row names."""

    record_no: int
    line_no: int | None
    masked: list[str]
    owner: int | None
    rejected: list[str]


def of_files(connection: psycopg.Connection, extract: Extract, links: Sequence[Link]) -> Fate:
    """The fate of these attempts' records. Raises psycopg's QueryCanceled where it takes longer than SECONDS."""
    fate, files = Fate(extract.table), [link.load_run_file_id for link in links]
    chain = _chain(connection, links)
    parts = _parts(extract, files)
    with connection.transaction():
        connection.execute(f"SET LOCAL statement_timeout = '{SECONDS}s'")
        for owner, keys, records in connection.execute(sql.SQL(_FATES).format(**parts)):
            _add(fate, owner, keys, files, chain)
            fate.records += records
        if not fate.records and any(link.rows_ingested for link in links):
            (fate.owned,) = connection.execute(sql.SQL(_OWNED).format(**parts)).fetchone() or (0,)
    return fate


def standings(
    connection: psycopg.Connection, extract: Extract, file: int, *, after: int = 0, most: int = 50
) -> list[Standing]:
    """The records of an attempt behind number `after`, in file order, with their keys masked."""
    masked = sql.SQL(", ").join(
        sql.SQL("coalesce(restage.mask(restage.clean(r.{})), '')").format(sql.Identifier(name))
        for name in extract.natural_key
    )
    query = sql.SQL(
        "SELECT r.record_no, r.line_no, ARRAY[{masked}] AS masked, s.load_run_file_id AS owner,"
        " (SELECT coalesce(array_agg(x.column_name || ': ' || x.reason), '{{}}') FROM restage.rejections x"
        " WHERE x.load_run_file_id = r.load_run_file_id AND x.record_no = r.record_no AND x.severity = 'reject')"
        " AS rejected FROM (SELECT * FROM {raw} WHERE load_run_file_id = {file} AND record_no > {after}"
        " ORDER BY record_no LIMIT {most}) r LEFT JOIN {stg} s ON {same} ORDER BY r.record_no"
    ).format(
        **_parts(extract, [file]),
        masked=masked,
        file=sql.Literal(file),
        after=sql.Literal(after),
        most=sql.Literal(most),
    )
    with connection.cursor(row_factory=class_row(Standing)) as cursor:
        return cursor.execute(query).fetchall()


def key_of(connection: psycopg.Connection, extract: Extract, file: int, record_no: int) -> dict[str, str] | None:
    """The natural key that a record of an attempt names; None where there is none such, or a part of it is empty."""
    found = connection.execute(
        sql.SQL("SELECT {key} FROM {raw} r WHERE r.load_run_file_id = {file} AND r.record_no = {number}").format(
            key=names.cleaned_key(extract, of="r"),
            raw=names.raw(extract),
            file=sql.Literal(file),
            number=sql.Literal(record_no),
        )
    ).fetchone()
    return dict(zip(extract.natural_key, found, strict=True)) if found and all(found) else None


def _add(fate: Fate, owner: int | None, keys: int, files: list[int], chain: set[int]) -> None:
    fate.keys += keys
    if owner is None:
        fate.absent += keys
    elif owner in files:
        fate.alive += keys
    elif owner in chain:
        fate.kept[owner] += keys
    else:
        fate.replaced[owner] += keys


def _chain(connection: psycopg.Connection, links: Sequence[Link]) -> set[int]:
    """Every attempt at the same files."""
    roots = [link.original for link in links]
    found = connection.execute(
        "SELECT load_run_file_id FROM etl.load_run_files WHERE original_load_run_file_id = ANY(%s)", [roots]
    ).fetchall()
    return {*roots, *(file for (file,) in found)}


def _parts(extract: Extract, files: Sequence[int]) -> dict[str, Any]:
    return {
        "raw": names.raw(extract),
        "stg": names.staging(extract),
        "files": names.integers(files),
        "cleaned": names.cleaned_key(extract, of="r"),
        "key": names.key(extract),
        "whole": sql.SQL(" AND ").join(
            sql.SQL("k.{} IS NOT NULL").format(sql.Identifier(name)) for name in extract.natural_key
        ),
        "found": names.same_key(extract, "s", "k"),
        "same": sql.SQL(" AND ").join(
            sql.SQL("s.{0} = restage.clean(r.{0})").format(sql.Identifier(name)) for name in extract.natural_key
        ),
    }


# A key counts once, however many records name it; records without a whole key count as records only.
_FATES = """
WITH k AS (SELECT {key}, count(*) AS records FROM (SELECT {cleaned} FROM {raw} r
    WHERE r.load_run_file_id = ANY({files})) r ({key}) GROUP BY {key})
SELECT s.load_run_file_id, count(*) FILTER (WHERE {whole}), sum(k.records)::bigint
FROM k LEFT JOIN {stg} s ON {found} GROUP BY 1
"""
_OWNED = "SELECT count(*) FROM {stg} WHERE load_run_file_id = ANY({files})"
