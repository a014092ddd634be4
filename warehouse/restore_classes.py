"""Every key of a part against staging: absent, identical, the same owner but changed, an older owner, a newer owner.

Precedence is that of the fold: the source's extraction time, the record's own update time, file order; of two attempts
at one file the one that counts. What raw holds of a key by now counts as well as what staging holds: a newer record may
have made the very same values, so that an older owner stands, or staging may have lost the row.

A row that the fold would not make is given `as_of`: it is to be pinned. What the fold makes is worked out only where it
is in doubt: an attempt that counts, whose rows were made by today's declaration and code before the set was archived,
makes the archived row again where no other attempt that counts has a record of its key.
"""

from collections import Counter
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any

import psycopg
from psycopg import sql

from warehouse import archive_proof, attempts, code, drift, hashes, names, quarantine, single, transform
from warehouse import change as changes
from warehouse.archive_sets import Part
from warehouse.archive_sources import Source
from warehouse.build import Workspace
from warehouse.change import Change
from warehouse.drift import Fit
from warehouse.errors import TellableError
from warehouse.registry import Extract

SKIP, FAIL, OVERWRITE = "skip", "fail", "overwrite"
ON_NEWER = (SKIP, FAIL, OVERWRITE)
PARTS = ("set", "owners", "files", "asked", "candidates", "fold", "diff")


class DamagedError(TellableError):
    """The archive does not hold what the catalogue says of the set. Nothing was changed."""


class NotProvenError(TellableError):
    """What stands in staging after the restore is not what the set holds; all of it is undone."""


@dataclass(frozen=True)
class Classes:
    """Keys of a part. The first five add up to its rows; `inserted`, `updated` (rows that are replaced) and
    `kept_newer` are what happens to them, `pinned` those that stand against the fold then, `quarantined` those that
    are written though nothing is to count of their file. `checksum` is order-free over all of it: equal checksums do
    the same."""

    absent: int = 0
    identical: int = 0
    changed: int = 0
    older: int = 0
    newer: int = 0
    inserted: int = 0
    updated: int = 0
    kept_newer: int = 0
    pinned: int = 0
    quarantined: int = 0
    checksum: str = ""

    @property
    def written(self) -> int:
        return self.inserted + self.updated

    def as_json(self) -> dict[str, Any]:
        """With the names by which the effect of every job is told."""
        return {**asdict(self), "deleted": 0, "unchanged": self.identical, "rejected": 0}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Classes":
        return cls(**{name: data[name] for name in cls.__dataclass_fields__ if name in data})


def stage(
    connection: psycopg.Connection, extract: Extract, part: Part, source: Source, fit: Fit, space: Workspace
) -> None:
    """Note aside, in `set`, what has to be known of each row of the part; it never changes. `kept` is the hash that the
    set itself has of the row, where that is one as staging makes it."""
    updated, alike = extract.record_updated_at, _is_hashed_alike(connection, extract, part)
    _make(
        connection,
        space.table(extract, "set"),
        sql.SQL(
            "SELECT {key}, m.load_run_file_id, {updated} AS updated, {made} AS after_hash, {meta} AS meta, {own} AS own"
            ", {kept} AS kept FROM ({rows}) m"
        ).format(
            kept=sql.Identifier("m", hashes.COLUMN) if alike else sql.SQL("NULL::bigint"),
            key=names.key(extract, of="m"),
            updated=sql.Identifier("m", updated) if updated else sql.SQL("NULL::timestamptz"),
            made=hashes.of_row(extract, "m"),
            meta=meta(extract, fit, "m"),
            own=_own(extract, fit, "m"),
            rows=fit.hashed_rows(source) if alike else fit.rows(source),
        ),
        known=("load_run_file_id",),
    )


def demand_whole(
    connection: psycopg.Connection, extract: Extract, part: Part, source: Source, space: Workspace
) -> bool:
    """Compare the rows with what the catalogue says: their number, and their checksum with every hash made anew.

    Whether the set keeps of each row the very hash that was made anew, so that it need not be made once more. Raises
    DamagedError.
    """
    rows, made, true = single.row(
        connection,
        sql.SQL(
            "SELECT count(*), coalesce(sum(after_hash) + sum(meta), 0), bool_and(kept IS NOT DISTINCT FROM after_hash)"
            " FROM {}"
        ).format(space.table(extract, "set")),
    )
    if rows != part.rows:
        raise DamagedError(
            f"The archive holds {rows:,} of the {part.rows:,} rows that the set had of stg.{extract.table}: it is"
            " damaged. Nothing was changed; another rung of the recovery ladder may hold them."
        )
    if not _is_hashed_alike(connection, extract, part):  # the staged hashes are over other columns
        of = archive_proof.of_part(part, extract)
        (made,) = single.row(
            connection,
            sql.SQL("SELECT {} FROM ({}) m").format(archive_proof.checksum_anew(of, "m"), source.rows),
        )
    if made != part.checksum:
        raise DamagedError(
            f"The archived rows of stg.{extract.table} are not those that were archived: their checksum is another."
            " Nothing was changed; another rung of the recovery ladder may hold them."
        )
    return bool(true)


def _is_hashed_alike(connection: psycopg.Connection, extract: Extract, part: Part) -> bool:
    """Whether its checksum was made over the columns, of the types, that staging's hashes are over today."""
    if hashes.COLUMN not in part.names:
        return False
    of = archive_proof.of_part(part, extract)
    alike = drift.is_alike(part, drift.targets_of(connection, names.staging(extract)))
    return alike and not of["as_text"] and of == archive_proof.hashed(extract, part.columns)


def prove(
    connection: psycopg.Connection, extract: Extract, fit: Fit, space: Workspace, checksum: Decimal | None
) -> None:
    """Under the lock, at the end: the rows of staging, hashed anew, add up to what the set holds of these keys.

    `checksum` is of the rows as the INSERT has stored them; where triggers of others may have changed them after that,
    they are read once more. Raises NotProvenError.
    """
    parts = {"diff": space.table(extract, "diff"), "stg": names.staging(extract)}
    (due,) = connection.execute(
        sql.SQL("SELECT sum(k.after_hash) + sum(k.meta) FROM {diff} k WHERE k.class IN ('inserted', 'updated')").format(
            **parts
        )
    ).fetchone() or (None,)
    if checksum == due and _others_act(connection, extract):
        (checksum,) = connection.execute(
            sql.SQL(
                "SELECT sum({made}) + sum({meta}) FROM {diff} k JOIN {stg} s ON {k_s}"
                " WHERE k.class IN ('inserted', 'updated')"
            ).format(
                **parts,
                made=hashes.of_row(extract, "s"),
                meta=meta(extract, fit, "s"),
                k_s=names.same_key(extract, "k", "s"),
            )
        ).fetchone() or (None,)
    if checksum != due:
        raise NotProvenError(
            f"The rows that were written to stg.{extract.table} are not those of the set: something changes rows as"
            " they are written, a trigger perhaps. All of it was undone."
        )


def _others_act(connection: psycopg.Connection, extract: Extract) -> bool:
    """Whether staging has triggers or rules that are not ours."""
    found = connection.execute(
        "SELECT EXISTS (SELECT FROM pg_trigger WHERE tgrelid = %(table)s::regclass AND NOT tgisinternal"
        " AND tgname <> %(ours)s) OR EXISTS (SELECT FROM pg_rewrite WHERE ev_class = %(table)s::regclass)",
        {"table": names.staging(extract).as_string(connection), "ours": hashes.TRIGGER},
    ).fetchone()
    return bool(found and found[0])


def meta(extract: Extract, fit: Fit, alias: str) -> sql.Composed:
    """Hash of what a row holds beside the columns that files feed: owner, load time, columns of staging alone."""
    return hashes.over({"load_run_file_id": "", "load_ts": "", **_only(extract, fit)}, alias)


def _own(extract: Extract, fit: Fit, alias: str) -> sql.Composable:
    """Hash of the columns of staging alone; 0 where there are none."""
    only = _only(extract, fit)
    return hashes.over(only, alias) if only else sql.SQL("0::bigint")


def _only(extract: Extract, fit: Fit) -> dict[str, str]:
    """The columns of staging alone that the set has too: name → type."""
    return {column.name: column.type for column in extract.staging_only if column.name in fit.pairs}


def classify(
    connection: psycopg.Connection, extract: Extract, part: Part, fit: Fit, space: Workspace, on_newer: str
) -> Classes:
    """Make `diff` of the staged part: each key with its `kind` (the five classes) and `class` (what is to happen:
    inserted, updated, identical, kept), `load_run_file_id` and hashes, `there` (ctid in staging) and `as_of`."""
    parts = _parts(extract, fit, space, on_newer)
    space.clear(connection, extract, *(made for made in PARTS if made != "set"))
    _make(connection, space.table(extract, "files"), changes.attempts(Change(extract)))
    _make(connection, space.table(extract, "owners"), _owners(connection, extract, part))
    connection.execute(sql.SQL(_COMPARE).format(**parts))
    connection.execute(sql.SQL("ANALYZE {diff} (class, kind)").format(**parts))
    _settle_doubts(connection, extract, space, parts)
    return _count(connection, parts)


def _parts(extract: Extract, fit: Fit, space: Workspace, on_newer: str) -> dict[str, sql.Composable]:
    updated = extract.record_updated_at
    return {
        **{made: space.table(extract, made) for made in PARTS},
        "stg": names.staging(extract),
        "raw": names.raw(extract),
        "key": names.key(extract, of="k"),
        "key_bare": names.key(extract),
        "k_s": names.same_key(extract, "k", "s"),
        "k_w": names.same_key(extract, "k", "w"),
        "k_raw": sql.SQL(" AND ").join(
            sql.SQL("restage.clean(r.{0}) = k.{0}").format(sql.Identifier(name)) for name in extract.natural_key
        ),
        "kept": hashes.kept(extract, "s"),
        "own": _own(extract, fit, "s"),
        "s_updated": sql.Identifier("s", updated) if updated else sql.SQL("NULL::timestamptz"),
        "v_updated": sql.Identifier("v", updated) if updated else sql.SQL("NULL::timestamptz"),
        "is_newer": sql.SQL(_IS_NEWER),
        "newer": sql.Literal("kept" if on_newer != OVERWRITE else "updated"),
    }


def _owners(connection: psycopg.Connection, extract: Extract, part: Part) -> sql.Composed:
    """SELECT of every attempt of the extract: its rank, whether it counts, whether it makes its archived rows again."""
    live = [
        file
        for (file,) in connection.execute(
            sql.SQL("SELECT f.load_run_file_id FROM etl.load_run_files f WHERE f.extract_type = {} AND {}").format(
                sql.Literal(extract.name), changes.LIVE
            )
        ).fetchall()
    ]
    return sql.SQL(
        "SELECT f.load_run_file_id, restage.extracted_at(f.date_extracted) AS extracted_at,"
        " coalesce(f.original_load_run_file_id, f.load_run_file_id) AS file_order, ({live}) AS live,"
        " ({live}) AND b.declaration = {declaration} AND b.folding = {folding} AND b.folded_at <= {at}"
        " AND f.load_run_file_id <> ALL({bare}) AS trusted, NOT ({live}) AND {quarantined} AS quarantined"
        " FROM etl.load_run_files f LEFT JOIN restage.builds b USING (load_run_file_id)"
        " WHERE f.extract_type = {extract}"
    ).format(
        live=changes.LIVE,
        declaration=sql.Literal(extract.digest),
        folding=sql.Literal(code.folding()),
        at=sql.Literal(part.archived_at),
        bare=names.integers(attempts.without_raw(connection, extract, live)),
        quarantined=quarantine.was_before(),
        extract=sql.Literal(extract.name),
    )


# (extracted_at, updated, file_order, live, id) of two owners; who is not known any more ranks above all: it is left.
_COMPARE = """CREATE UNLOGGED TABLE {diff} AS
SELECT {key_bare}, load_run_file_id, there, there_in, before_hash, after_hash, meta, updated, kind,
    CASE kind WHEN 'absent' THEN 'inserted' WHEN 'identical' THEN 'identical' WHEN 'newer' THEN {newer}
        ELSE 'updated' END AS class,
    kind <> 'identical' AND trusted IS NOT TRUE AS doubted, trusted, extracted_at, file_order, live,
    standing_at, quarantined,
    CASE WHEN kind <> 'identical' AND trusted IS NOT TRUE
        THEN greatest(extracted_at, standing_at) END AS as_of
FROM (SELECT k.*, a.extracted_at, a.file_order, a.live, a.trusted, coalesce(a.quarantined, false) AS quarantined,
    b.extracted_at AS standing_at,
    CASE WHEN k.there IS NULL THEN 'absent' WHEN k.before_hash = k.after_hash AND k.alike THEN 'identical'
        WHEN k.standing = k.load_run_file_id THEN 'changed' WHEN b.load_run_file_id IS NULL
        OR (b.extracted_at, coalesce(k.standing_updated, '-infinity'), b.file_order, b.live, b.load_run_file_id)
        > (a.extracted_at, coalesce(k.updated, '-infinity'), a.file_order, a.live, a.load_run_file_id) THEN 'newer'
        ELSE 'older' END AS kind
    FROM (SELECT {key}, k.load_run_file_id, k.updated, k.after_hash, k.meta, s.ctid AS there, s.tableoid AS there_in,
        CASE WHEN s.ctid IS NOT NULL THEN {kept} END AS before_hash, {own} = k.own AS alike,
        s.load_run_file_id AS standing, {s_updated} AS standing_updated
        FROM {set} k LEFT JOIN {stg} s ON {k_s}) k
    LEFT JOIN {owners} a ON a.load_run_file_id = k.load_run_file_id
    LEFT JOIN {owners} b ON b.load_run_file_id = k.standing) k"""


def _settle_doubts(
    connection: psycopg.Connection, extract: Extract, space: Workspace, parts: dict[str, sql.Composable]
) -> None:
    """Fold the keys that are in doubt, and say of each whether the fold makes the row, or has a newer owner for it."""
    connection.execute(sql.SQL("CREATE UNLOGGED TABLE {asked} AS {doubted}").format(**parts, doubted=_doubted(parts)))
    (asked,) = connection.execute(
        sql.SQL("SELECT EXISTS (SELECT FROM {asked}) AND EXISTS (SELECT FROM {files})").format(**parts)
    ).fetchone() or (False,)
    if not asked:
        return
    connection.execute(sql.SQL("ANALYZE {asked}").format(**parts))
    change = Change(extract)
    candidates = changes.other_candidates(change, space.table(extract, "asked"), space.table(extract, "files"))
    decided_by = (*extract.natural_key, "load_run_file_id", "record_no", "row_hash")
    _make(connection, space.table(extract, "candidates"), transform.typed_rows(extract, candidates), known=decided_by)
    winners = changes.winners(change, space.table(extract, "candidates"), space.table(extract, "files"))
    _make(connection, space.table(extract, "fold"), winners, known=(*extract.natural_key, "load_run_file_id"))
    connection.execute(sql.SQL(_SETTLE).format(**parts))


def _doubted(parts: dict[str, sql.Composable]) -> sql.Composed:
    """SELECT of the keys in doubt. Where one attempt counts, no other one has a record of a key."""
    return sql.SQL(
        "SELECT {key_bare} FROM {diff} k WHERE k.doubted UNION SELECT {key} FROM {diff} k JOIN {raw} r ON {k_raw}"
        " JOIN {files} a ON a.load_run_file_id = r.load_run_file_id WHERE k.kind <> 'identical' AND k.trusted"
        " AND r.load_run_file_id <> k.load_run_file_id AND (SELECT count(*) FROM {files}) > 1"
    ).format(**parts)


_SETTLE = """UPDATE {diff} k SET
    as_of = CASE WHEN w.row_hash = k.after_hash THEN NULL
        ELSE greatest(k.extracted_at, k.standing_at, w.extracted_at) END,
    kind = CASE WHEN {is_newer} THEN 'newer' ELSE k.kind END,
    class = CASE WHEN NOT {is_newer} THEN k.class WHEN k.there IS NULL AND {newer} = 'updated' THEN 'inserted'
        ELSE {newer} END
FROM (SELECT w.*, {v_updated} AS updated, a.extracted_at, a.file_order, a.live FROM {fold} w
    JOIN {candidates} v ON v.ctid = w.place JOIN {owners} a ON a.load_run_file_id = w.load_run_file_id) w
WHERE {k_w} AND k.kind <> 'identical'"""
_IS_NEWER = """(w.row_hash <> k.after_hash AND w.load_run_file_id <> k.load_run_file_id
    AND (w.extracted_at, coalesce(w.updated, '-infinity'), w.file_order, w.live, w.load_run_file_id)
    > (k.extracted_at, coalesce(k.updated, '-infinity'), k.file_order, k.live, k.load_run_file_id))"""


def _count(connection: psycopg.Connection, parts: dict[str, sql.Composable]) -> Classes:
    rows = connection.execute(
        sql.SQL(
            "SELECT kind, class, count(*), count(as_of) FILTER (WHERE class IN ('inserted', 'updated')),"
            " count(*) FILTER (WHERE class IN ('inserted', 'updated') AND quarantined),"
            " sum(hash_record_extended(ROW(kind, class, before_hash, after_hash, meta, as_of), quarantined::integer))"
            " FROM {diff} GROUP BY 1, 2"
        ).format(**parts)
    ).fetchall()
    found: Counter[str] = Counter()
    for kind, act, keys, pinned, quarantined, _sum in rows:
        found[kind] += keys
        found["pinned"] += pinned
        found["quarantined"] += quarantined
        if kind != "identical":
            found["kept_newer" if act == "kept" else act] += keys
    checksum = sum(int(number) for *_, number in rows) % (1 << 96)
    return Classes(**found, checksum=f"{checksum:024x}")


def _make(
    connection: psycopg.Connection, table: sql.Identifier, query: sql.Composable, *, known: tuple[str, ...] = ()
) -> None:
    connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(table))
    connection.execute(sql.SQL("CREATE UNLOGGED TABLE {} AS {}").format(table, query))
    of = sql.SQL("({})").format(names.columns(known)) if known else sql.SQL("")
    connection.execute(sql.SQL("ANALYZE {} {}").format(table, of))
