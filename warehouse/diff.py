"""What a build would change in staging, by natural key: counts, a content checksum, and a masked sample.

Only the columns that files feed are compared; a row that stays as it is keeps its load_run_file_id and load_ts.
"""

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Any

import psycopg
from psycopg import sql

from warehouse import change as changes
from warehouse import hashes, names, transform
from warehouse.build import Workspace
from warehouse.change import Change
from warehouse.registry import Extract

SAMPLE_ROWS = 12
COMPARED_FIRST = 1_000  # keys that tell whether most of them change
FEW = 20  # times as many rows in staging as keys: to look each key up takes less than to read staging's hashes


@dataclass(frozen=True)
class Counts:
    """Keys by what happens to them, and the records of the change's own attempts that reach no key.

    Of the keys: inserted + updated + deleted + unchanged + kept_newer = all touched keys that exist before or after.
    `kept_newer`: the new attempt has a valid record of the key, a newer file's stands. `deleted_by_rejection` is the
    part of `deleted` whose record in the new attempt was rejected; `rewritten` is the part of `unchanged` that gets a
    new owner and load time all the same (mode replace). Of the records: `rejected` by a check, `deduplicated` because a
    later record of the same attempts has the same key.
    """

    inserted: int = 0
    updated: int = 0
    deleted: int = 0
    unchanged: int = 0
    kept_newer: int = 0
    rejected: int = 0
    deleted_by_rejection: int = 0
    rewritten: int = 0
    deduplicated: int = 0
    records: int = 0

    @property
    def written(self) -> int:
        return self.inserted + self.updated + self.deleted


@dataclass(frozen=True)
class Diff:
    """`checksum` is order-free over every changed key's row before and after: equal checksums change the same."""

    counts: Counts
    checksum: str

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self.counts), "checksum": self.checksum}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Diff":
        return cls(Counts(**{k: v for k, v in data.items() if k != "checksum"}), data["checksum"])


def compute(connection: psycopg.Connection, change: Change, space: Workspace) -> Diff:
    """Compare the build with staging as it is now; leaves the changed keys, classified, in `diff`.

    First by the hashes alone: a winner whose hash stands in staging stays (the hash is over the key too). Only the
    others are joined by key, with where the row lies in staging (`there`, a ctid, of the table `there_in`, which may be
    a partition: good as long as staging is locked). Where keys are few beside the rows of staging, most of them seem to
    change, or rows that stay are to be written too, all keys are joined at once.
    """
    parts = _parts(change, space)
    with connection.transaction():  # one commit for all of it
        space.clear(connection, change.extract, "changed", "diff")
        source = parts["keys"]
        if not change.rewrite and not _at_once(connection, parts):
            source = parts["changed"]
            connection.execute(
                sql.SQL(
                    "CREATE UNLOGGED TABLE {changed} AS SELECT k.* FROM {keys} k LEFT JOIN {stg} s"
                    " ON s.row_hash = k.row_hash WHERE s.row_hash IS NULL"
                ).format(**parts)
            )
            connection.execute(sql.SQL("ANALYZE {changed}").format(**parts))
        connection.execute(
            sql.SQL(
                "CREATE UNLOGGED TABLE {diff} AS SELECT *, CASE WHEN after_hash IS NULL THEN 'deleted'"
                " WHEN before_hash IS NULL THEN 'inserted' WHEN before_hash = after_hash THEN 'rewritten'"
                " ELSE 'updated' END AS class FROM (SELECT {key}, k.place, k.load_run_file_id,"
                " s.ctid AS there, s.tableoid AS there_in, k.row_hash AS after_hash,"
                " CASE WHEN s.ctid IS NOT NULL THEN {kept} END AS before_hash,"
                " coalesce(o.accepted, false) AS accepted, coalesce(o.refused, false) AS refused"
                " FROM {source} k LEFT JOIN {stg} s ON {k_s} LEFT JOIN {beaten} o ON {k_o}) d"
                " WHERE (before_hash IS DISTINCT FROM after_hash OR {rewrite} AND load_run_file_id = ANY({new}))"
                " AND (place IS NOT NULL OR after_hash IS NULL)"  # else a pinned row, which nobody here can make
            ).format(**parts, source=source)
        )
        connection.execute(sql.SQL("ANALYZE {diff} (class, place, there, there_in)").format(**parts))
    return _counted(connection, parts)


def _at_once(connection: psycopg.Connection, parts: dict[str, sql.Composable]) -> bool:
    """Whether the keys are few beside the rows of staging, by its statistics, or more than a quarter of some of them
    changes. Only the way of comparing depends on it."""
    keys, few = connection.execute(
        sql.SQL(
            "SELECT keys, keys * {few} <= (SELECT coalesce(sum(greatest(reltuples, 0)), 0) FROM pg_class WHERE"
            " relkind = 'r' AND (oid = {stg}::regclass OR oid IN (SELECT relid FROM pg_partition_tree({stg}))))"
            " FROM {tally}"
        ).format(tally=parts["tally"], few=sql.Literal(FEW), stg=sql.Literal(parts["stg"].as_string(connection)))
    ).fetchone() or (0, True)
    if few:
        return True
    percent = sql.Literal(min(100.0, 100 * COMPARED_FIRST / max(keys, 1)))
    (found,) = connection.execute(
        sql.SQL(
            "SELECT count(*) FILTER (WHERE s.row_hash IS DISTINCT FROM k.row_hash) * 4 > count(*)"
            " FROM {keys} k TABLESAMPLE SYSTEM ({percent}) REPEATABLE (0) LEFT JOIN {stg} s ON {k_s}"
        ).format(**parts, percent=percent)
    ).fetchone() or (False,)
    return bool(found)


def _parts(change: Change, space: Workspace) -> dict[str, sql.Composable]:
    extract = change.extract
    tables = {part: space.table(extract, part) for part in ("files", "typed", "keys", "beaten", "tally", "changed")}
    return {
        **tables,
        "diff": space.table(extract, "diff"),
        "stg": names.staging(extract),
        "key": names.key(extract, of="k"),
        "kept": hashes.kept(extract, "s"),
        "new": names.integers(change.new),
        "rewrite": sql.Literal(change.rewrite),
        "k_s": names.same_key(extract, "k", "s"),
        "k_o": names.same_key(extract, "k", "o"),
    }


def _counted(connection: psycopg.Connection, parts: dict[str, sql.Composable]) -> Diff:
    """Keys that stay as they are do not stand in `diff`: they are the winners that are left.

    The checksum is made of a sum for each class: of a 64-bit hash of each row's hashes before and after.
    """
    found = connection.execute(
        sql.SQL(
            "SELECT class, accepted, refused, count(*), sum(hashint8extended(coalesce(before_hash, 0),"
            " coalesce(after_hash, 0))) FROM {diff} GROUP BY 1, 2, 3"
        ).format(**parts)
    ).fetchall()
    keys, sums = (dict.fromkeys(("inserted", "updated", "deleted", "rewritten"), 0) for _ in range(2))
    for kind, _accepted, _refused, number, hashed in found:
        keys[kind] += number
        sums[kind] += int(hashed)
    records, rejected, winners, own_winners, accepted = connection.execute(
        sql.SQL("SELECT records, rejected, winners, own_winners, accepted FROM {tally}").format(**parts)
    ).fetchone() or (0, 0, 0, 0, 0)
    kept_newer = accepted - sum(row[3] for row in found if row[1])
    counts = Counts(
        **keys,
        unchanged=winners - keys["inserted"] - keys["updated"] - kept_newer,
        kept_newer=kept_newer,
        rejected=rejected,
        deleted_by_rejection=sum(row[3] for row in found if row[0] == "deleted" and row[2]),
        deduplicated=records - rejected - own_winners - accepted,
        records=records,
    )
    return Diff(counts, hashlib.sha256(json.dumps(sums).encode()).hexdigest()[:24])


def of_attempts(connection: psycopg.Connection, change: Change, space: Workspace) -> dict[int, Counts]:
    """What became of the records of each of the change's own attempts: records, rejected, deduplicated."""
    found = connection.execute(
        sql.SQL(
            "SELECT load_run_file_id, count(*), count(*) FILTER (WHERE NOT valid),"
            " count(*) FILTER (WHERE valid AND place > 1)"
            " FROM (SELECT load_run_file_id, v.row_hash IS NOT NULL AS valid,"
            " row_number() OVER (PARTITION BY {own_key}, v.row_hash IS NULL ORDER BY {precedence}) AS place"
            " FROM {typed} v JOIN {files} a USING (load_run_file_id) WHERE v.load_run_file_id = ANY({new})) r"
            " GROUP BY load_run_file_id"
        ).format(
            **_parts(change, space),
            own_key=names.key(change.extract, of="v"),
            precedence=changes.precedence(change.extract),
        )
    ).fetchall()
    return {
        attempt: Counts(records=records, rejected=rejected, deduplicated=deduplicated)
        for attempt, records, rejected, deduplicated in found
    }


def sample(connection: psycopg.Connection, change: Change, space: Workspace) -> list[dict[str, Any]]:
    """Some changed rows, values masked: `{"class", "key", "columns": [{"name", "before", "after"}]}`, up to 12.

    Rows are drawn by the hash of their key, each class gets its share, so the same diff shows the same rows.
    """
    parts = _parts(change, space)
    key_text = sql.SQL(" || ' · ' || ").join(
        sql.SQL("restage.mask({})").format(sql.Identifier("k", name)) for name in change.extract.natural_key
    )
    rows = connection.execute(
        sql.SQL(
            "SELECT k.class, {key_text}, (SELECT coalesce(json_agg(json_build_object('name', c.name, 'before',"
            " restage.mask(c.before), 'after', restage.mask(c.after))), '[]') FROM ({columns}) c)"
            " FROM (SELECT *, row_number() OVER (PARTITION BY class ORDER BY hashtextextended(ROW({bare})::text, 0)) n"
            " FROM {diff} WHERE class <> 'rewritten') k LEFT JOIN {typed} b ON b.ctid = k.place"
            " LEFT JOIN {stg} s ON {k_s} ORDER BY k.n, k.class LIMIT {limit}"
        ).format(
            **parts,
            key_text=key_text,
            bare=names.key(change.extract),
            columns=_changed_columns(change.extract),
            limit=sql.Literal(SAMPLE_ROWS),
        )
    ).fetchall()
    return [{"class": kind, "key": key, "columns": columns} for kind, key, columns in rows]


def _changed_columns(extract: Extract) -> sql.Composed:
    """The columns whose values differ, as text; of an inserted or deleted row those that hold a value."""
    return sql.SQL(
        "SELECT key AS name, o.value AS before, n.value AS after"
        " FROM jsonb_each_text(to_jsonb(b) - 'load_run_file_id') n"
        " FULL JOIN jsonb_each_text(to_jsonb(s) - 'load_run_file_id' - 'load_ts') o USING (key)"
        " WHERE n.value IS DISTINCT FROM o.value AND key = ANY({})"
    ).format(sql.Literal([column.name for column in extract.staged if column.name not in extract.natural_key]))


def causes(connection: psycopg.Connection, change: Change, space: Workspace) -> list[dict[str, Any]]:
    """The broken checks of the change's own records, most frequent first: column, reason, severity, records."""
    listed = transform.checks(change.extract)
    found = connection.execute(
        sql.SQL(
            "SELECT p, count(*) FROM {} v, unnest(v.problems) p WHERE v.load_run_file_id = ANY({})"
            " GROUP BY p ORDER BY count(*) DESC, p"
        ).format(space.table(change.extract, "typed"), names.integers(change.new))
    ).fetchall()
    return [
        {
            "column": listed[number - 1].column,
            "reason": listed[number - 1].reason,
            "severity": listed[number - 1].severity,
            "records": records,
        }
        for number, records in found
    ]
