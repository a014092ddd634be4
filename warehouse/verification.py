"""The law of the warehouse, checked: every staging table equals the fold of its raw records."""

from dataclasses import dataclass

import psycopg
from psycopg import sql

from warehouse import change as changes
from warehouse import hashes, names
from warehouse.registry import Extract


@dataclass(frozen=True)
class Verdict:
    """Of one staging table. `keys` it holds; keys that are `missing`, `extra` or hold `different` values; and rows
    whose kept hash is `stale`."""

    keys: int
    missing: int
    extra: int
    different: int
    stale: int

    @property
    def violations(self) -> int:
        return self.missing + self.extra + self.different + self.stale


def verify(connection: psycopg.Connection, extract: Extract) -> Verdict:
    """Compare stg with the fold of raw in one statement, so in one snapshot."""
    found = connection.execute(
        sql.SQL(
            "WITH w AS MATERIALIZED ({fold}) SELECT count(s.load_run_file_id),"
            " count(*) FILTER (WHERE s.load_run_file_id IS NULL), count(*) FILTER (WHERE w.load_run_file_id IS NULL),"
            " count(*) FILTER (WHERE s.load_run_file_id IS NOT NULL AND w.load_run_file_id IS NOT NULL"
            " AND ({kept}) IS DISTINCT FROM ({due})),"
            " count(*) FILTER (WHERE s.row_hash <> {row_hash}) FROM w FULL JOIN {stg} s ON {same}"
        ).format(
            fold=changes.whole_fold(extract),
            kept=names.staged(extract, of="s"),
            due=names.staged(extract, of="w"),
            stg=names.staging(extract),
            same=names.same_key(extract, "w", "s"),
            row_hash=hashes.of_row(extract, "s"),
        )
    ).fetchone()
    assert found is not None  # noqa: S101  an aggregate has a row
    return Verdict(*found)
