"""What a build would change in staging, by natural key: counts, a content checksum, and a masked sample.

Only the columns that files feed are compared; a row that stays as it is keeps its load_run_file_id and load_ts.
"""

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
    """Compare the build with staging as it is now; leaves the classified keys in `diff`."""
    counts = classify(connection, change, space)
    return Diff(counts, _checksum(connection, _parts(change, space)))


def classify(connection: psycopg.Connection, change: Change, space: Workspace) -> Counts:
    """compute() without the checksum, for what nobody has to recognise later."""
    extract = change.extract
    space.clear(connection, extract, "diff")
    parts = _parts(change, space)
    connection.execute(
        sql.SQL(
            "CREATE UNLOGGED TABLE {diff} AS SELECT {key}, h.row_hash AS before_hash, w.row_hash AS after_hash,"
            " CASE WHEN w.row_hash IS NULL THEN 'deleted' WHEN h.row_hash IS NULL THEN 'inserted'"
            " WHEN h.row_hash <> w.row_hash THEN 'updated'"
            " WHEN {rewrite} AND w.load_run_file_id = ANY({new}) THEN 'rewritten' ELSE 'kept_newer' END AS class,"
            " w.row_hash IS NULL AND coalesce(o.refused, false) AS by_rejection,"
            " coalesce(o.accepted, false) AS accepted"
            " FROM {keys} k LEFT JOIN {winners} w ON {k_w} LEFT JOIN {hashes} h ON {k_h} LEFT JOIN ({own}) o ON {k_o}"
            " WHERE h.row_hash IS DISTINCT FROM w.row_hash OR o.accepted"
            " OR {rewrite} AND w.load_run_file_id = ANY({new})"
        ).format(**parts)
    )
    connection.execute(sql.SQL("ANALYZE {}").format(parts["diff"]))
    return _counts(connection, parts)


def _parts(change: Change, space: Workspace) -> dict[str, sql.Composable]:
    """`own`: of the keys that the change's own attempts do not win, whether these had a valid or a refused record."""
    extract = change.extract
    own = sql.SQL(
        "SELECT {key}, bool_or(v.valid) AS accepted, bool_or(NOT v.valid) AS refused"
        " FROM {marks} v LEFT JOIN {winners} w ON {v_w} WHERE v.load_run_file_id = ANY({new})"
        " AND (w.load_run_file_id = ANY({new})) IS NOT TRUE GROUP BY {key}"
    ).format(
        key=names.key(extract, of="v"),
        marks=space.table(extract, "marks"),
        winners=space.table(extract, "winners"),
        v_w=names.same_key(extract, "v", "w"),
        new=names.integers(change.new),
    )
    return {
        "diff": space.table(extract, "diff"),
        "keys": space.table(extract, "keys"),
        "winners": space.table(extract, "winners"),
        "built": space.table(extract, "built"),
        "marks": space.table(extract, "marks"),
        "hashes": hashes.table(extract),
        "stg": names.staging(extract),
        "key": names.key(extract, of="k"),
        "own_key": names.key(extract, of="v"),
        "own": own,
        "new": names.integers(change.new),
        "rewrite": sql.Literal(change.rewrite),
        "k_b": names.same_key(extract, "k", "b"),
        "k_s": names.same_key(extract, "k", "s"),
        "k_w": names.same_key(extract, "k", "w"),
        "k_h": names.same_key(extract, "k", "h"),
        "k_o": names.same_key(extract, "k", "o"),
    }


def _counts(connection: psycopg.Connection, parts: dict[str, sql.Composable]) -> Counts:
    """Keys that stay as they are do not stand in `diff`: they are the winners that are left."""
    found: dict[str, int] = dict(
        connection.execute(sql.SQL("SELECT class, count(*) FROM {diff} GROUP BY class").format(**parts)).fetchall()
    )
    by_rejection, accepted, winners, own_winners = connection.execute(
        sql.SQL(
            "SELECT (SELECT count(*) FROM {diff} WHERE by_rejection), (SELECT count(*) FROM {diff} WHERE accepted),"
            " count(*), count(*) FILTER (WHERE load_run_file_id = ANY({new})) FROM {winners}"
        ).format(**parts)
    ).fetchone() or (0, 0, 0, 0)
    records, rejected = connection.execute(
        sql.SQL(
            "SELECT count(*), count(*) FILTER (WHERE NOT v.valid) FROM {marks} v WHERE v.load_run_file_id = ANY({new})"
        ).format(**parts)
    ).fetchone() or (0, 0)
    return Counts(
        **found,
        unchanged=winners - sum(found.get(name, 0) for name in ("inserted", "updated", "kept_newer")),
        rejected=rejected,
        deleted_by_rejection=by_rejection,
        deduplicated=records - rejected - own_winners - accepted,
        records=records,
    )


def of_attempts(connection: psycopg.Connection, change: Change, space: Workspace) -> dict[int, Counts]:
    """What became of the records of each of the change's own attempts: records, rejected, deduplicated."""
    found = connection.execute(
        sql.SQL(
            "SELECT load_run_file_id, count(*), count(*) FILTER (WHERE NOT valid),"
            " count(*) FILTER (WHERE valid AND place > 1) FROM (SELECT v.load_run_file_id, v.valid,"
            " row_number() OVER (PARTITION BY {own_key}, v.valid ORDER BY {precedence}) AS place"
            " FROM {marks} v JOIN {files} a USING (load_run_file_id) WHERE v.load_run_file_id = ANY({new})) r"
            " GROUP BY load_run_file_id"
        ).format(
            **_parts(change, space),
            files=space.table(change.extract, "files"),
            precedence=changes.precedence(change.extract),
        )
    ).fetchall()
    return {
        attempt: Counts(records=records, rejected=rejected, deduplicated=deduplicated)
        for attempt, records, rejected, deduplicated in found
    }


def _checksum(connection: psycopg.Connection, parts: dict[str, sql.Composable]) -> str:
    """Sum of 64-bit hashes of (class, row before, row after), in hexadecimal; any order of rows gives the same."""
    (total,) = connection.execute(
        sql.SQL(
            "SELECT coalesce(sum(hashtextextended(concat_ws('/', class, before_hash, after_hash), 0)::numeric), 0)"
            " FROM {diff} WHERE class <> 'kept_newer'"
        ).format(**parts)
    ).fetchone() or (0,)
    return f"{int(total) % (1 << 96):024x}"


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
            " FROM {diff} WHERE class IN ('inserted', 'updated', 'deleted')) k"
            " LEFT JOIN {built} b ON {k_b} LEFT JOIN {stg} s ON {k_s} ORDER BY k.n, k.class LIMIT {limit}"
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
