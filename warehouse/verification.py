"""The law of the warehouse, checked: every staging table equals the fold of its raw records, but for pinned rows."""

from dataclasses import dataclass

import psycopg
from psycopg import sql

from warehouse import change as changes
from warehouse import hashes, names, pins, single
from warehouse.registry import Extract


@dataclass(frozen=True)
class Verdict:
    """Of one staging table. `keys` it holds; keys that are `missing`, `extra` or hold `different` values; rows whose
    kept hash is `stale`; `pins` that explain a deviation, and pins that are `beaten` by a later record."""

    keys: int
    missing: int
    extra: int
    different: int
    stale: int
    pins: int = 0
    beaten: int = 0

    @property
    def violations(self) -> int:
        return self.missing + self.extra + self.different + self.stale + self.beaten


def verify(connection: psycopg.Connection, extract: Extract) -> Verdict:
    """Compare stg with the fold of raw in one statement, so in one snapshot.

    A pinned key must hold the pinned values; a pin that a later live record beats should not be there any more.
    """
    found = single.row(
        connection,
        sql.SQL(
            "WITH w AS MATERIALIZED ({fold}), p AS MATERIALIZED ({pins})"
            " SELECT count(owner), count(*) FILTER (WHERE owner IS NULL AND (won OR pinned)),"
            " count(*) FILTER (WHERE owner IS NOT NULL AND NOT (won OR pinned)),"
            " count(*) FILTER (WHERE owner IS NOT NULL AND (pinned AND unlike_pin OR won AND NOT pinned AND differs)),"
            " count(*) FILTER (WHERE stale), count(*) FILTER (WHERE pinned), count(*) FILTER (WHERE beaten)"
            " FROM (SELECT s.load_run_file_id AS owner, w.load_run_file_id IS NOT NULL AS won,"
            " p.as_of IS NOT NULL AND (w.extracted_at > p.as_of) IS NOT TRUE AS pinned,"
            " p.as_of IS NOT NULL AND (w.extracted_at > p.as_of) IS TRUE AS beaten,"
            " s.load_run_file_id IS NOT NULL AND ({kept}) IS DISTINCT FROM ({due}) AS differs,"
            " {row_hash} <> p.row_hash AS unlike_pin, s.row_hash <> {row_hash} AS stale"
            " FROM w FULL JOIN {stg} s ON {same} FULL JOIN p ON {same_pin}) r"
        ).format(
            fold=changes.whole_fold(extract),
            pins=pins.of_table(extract),
            kept=names.staged(extract, of="s"),
            due=names.staged(extract, of="w"),
            stg=names.staging(extract),
            same=names.same_key(extract, "w", "s"),
            same_pin=sql.SQL(" AND ").join(
                sql.SQL("p.{0} = coalesce(w.{0}, s.{0})").format(sql.Identifier(name)) for name in extract.natural_key
            ),
            row_hash=hashes.of_row(extract, "s"),
        ),
    )
    return Verdict(*found)
