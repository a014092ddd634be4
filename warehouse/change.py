"""What counts: a Change of which file attempts are live, and the fold that staging must be afterwards.

Staging is a function of raw. For every natural key it holds the valid row made from the live raw record of greatest
precedence: the source's extraction time, then the record's own update time, then file order, then record order.
Rows that a restore keeps against that are pinned (pins.py).
File order is the order of the original files: a new attempt at an old file stays as old as that file.
Load, reprocess, rollback are all the same act: change which attempts are live, refold the keys they touch.
"""

from dataclasses import dataclass, field

from psycopg import sql

from warehouse import names, transform
from warehouse.registry import Extract

LIVE = sql.SQL("f.status = 'completed' AND f.superseded_at IS NULL")


@dataclass(frozen=True)
class Change:
    """Which attempts (load_run_file_id) leave, come back and arrive, and which are only read again.

    `arrived_in` is the table that holds the raw rows of the arriving attempts: raw itself once they are there, or a
    table of restage_build with stand-in ids below zero while nothing may be written yet.
    """

    extract: Extract
    retire: tuple[int, ...] = ()
    revive: tuple[int, ...] = ()
    arrive: tuple[int, ...] = ()
    refold: tuple[int, ...] = ()
    arrived_in: sql.Identifier | None = None
    # a table of natural keys to be folded too, though no attempt of theirs moves
    asked: sql.Identifier | None = None
    # stand-in id → the attempt it will replace, for its place in the file order (None: a first attempt)
    stands_for: dict[int, int | None] = field(default_factory=dict)
    # write the rows that the change's own attempts win anew also where their values stay
    rewrite: bool = False

    @property
    def new(self) -> tuple[int, ...]:
        """The attempts whose records this change is about: its rejects and its kept-newer keys are theirs."""
        return self.arrive or self.refold or self.revive

    @property
    def in_raw(self) -> tuple[int, ...]:
        """Attempts of this change whose records lie in raw."""
        return (*self.retire, *self.revive, *self.refold, *(() if self.arrived_in else self.arrive))


def attempts(change: Change) -> sql.Composed:
    """SELECT of (load_run_file_id, extracted_at, file_order) of the attempts that are live after the change."""
    live = sql.SQL(
        "SELECT f.load_run_file_id, restage.extracted_at(f.date_extracted) AS extracted_at,"
        " coalesce(f.original_load_run_file_id, f.load_run_file_id) AS file_order FROM etl.load_run_files f"
        " WHERE f.extract_type = {extract} AND (({live} AND f.load_run_file_id <> ALL({retire}))"
        " OR f.load_run_file_id = ANY({come}))"
    ).format(
        extract=sql.Literal(change.extract.name),
        live=LIVE,
        retire=names.integers(change.retire),
        come=names.integers([*change.revive, *(() if change.arrived_in else change.arrive)]),
    )
    if not change.stands_for:
        return live
    rows = sql.SQL(", ").join(
        sql.SQL("({}::integer, {}::integer)").format(sql.Literal(stand_in), sql.Literal(old))
        for stand_in, old in change.stands_for.items()
    )
    return sql.SQL(
        "{live} UNION ALL SELECT s.id, restage.extracted_at(f.date_extracted),"
        " coalesce(f.original_load_run_file_id, f.load_run_file_id)"
        " FROM (VALUES {rows}) s (id, old) JOIN etl.load_run_files f ON f.load_run_file_id = s.old"
    ).format(live=live, rows=rows)


def own_records(change: Change) -> sql.Composed:
    """SELECT of the raw records of the change's own attempts."""
    if change.arrived_in:
        return sql.SQL("SELECT * FROM {}").format(change.arrived_in)
    return sql.SQL("SELECT * FROM {} WHERE load_run_file_id = ANY({})").format(
        names.raw(change.extract), names.integers(change.new)
    )


def touched_keys(change: Change, typed: sql.Identifier) -> sql.Composed:
    """SELECT of the natural keys that the change can affect; `typed` holds the own_records(). A record of which a
    part of the key is missing has none."""
    extract = change.extract
    whole = sql.SQL(" AND ").join(sql.SQL("{} IS NOT NULL").format(sql.Identifier(n)) for n in extract.natural_key)
    return sql.SQL("SELECT * FROM (SELECT {key} FROM {typed} UNION {left}) k WHERE {whole}").format(
        key=names.key(extract), typed=typed, left=_keys_alone(change), whole=whole
    )


def _left(change: Change) -> list[int]:
    """The attempts that the change concerns and whose records it does not read: they leave."""
    return [attempt for attempt in change.in_raw if attempt not in change.new]


def _keys_alone(change: Change) -> sql.Composed:
    """SELECT of the natural keys that the change can affect and of whose records it reads none itself."""
    left = _keys_of(change.extract, _left(change))
    if change.asked is None:
        return left
    return sql.SQL("{} UNION SELECT {} FROM {}").format(left, names.key(change.extract), change.asked)


def _keys_of(extract: Extract, attempts: list[int]) -> sql.Composed:
    """SELECT of the natural keys of the raw records of these attempts, as staging holds them."""
    return sql.SQL(
        "SELECT * FROM (SELECT {cleaned} FROM {raw} r WHERE r.load_run_file_id = ANY({attempts})) r ({key})"
    ).format(
        cleaned=names.cleaned_key(extract, of="r"),
        raw=names.raw(extract),
        attempts=names.integers(attempts),
        key=names.key(extract),
    )


def other_candidates(change: Change, touched: sql.Identifier, files: sql.Identifier) -> sql.Composed:
    """SELECT of the raw records of other attempts that can win one of the `touched` keys (each there once).

    `files` holds the attempts() of the change.
    """
    extract = change.extract
    columns = names.columns([*(c.name for c in extract.columns), "load_run_file_id", "record_no"], of="r")
    cleaned = sql.SQL(" AND ").join(
        sql.SQL("restage.clean(r.{0}) = k.{0}").format(sql.Identifier(name)) for name in extract.natural_key
    )
    return sql.SQL(
        "SELECT {columns} FROM {touched} k JOIN {raw} r ON {cleaned}"
        " JOIN {files} a ON a.load_run_file_id = r.load_run_file_id WHERE r.load_run_file_id <> ALL({own})"
    ).format(
        columns=columns,
        touched=touched,
        raw=names.raw(extract),
        cleaned=cleaned,
        files=files,
        own=names.integers(change.new),
    )


def winners(change: Change, typed: sql.Identifier, files: sql.Identifier) -> sql.Composed:
    """SELECT of every touched key with the winner of the fold: its `place` (ctid) in `typed`, load_run_file_id and
    row_hash, NULL in all of them where no valid record is left.

    `typed` holds the own_records() and the other_candidates(). Records of attempts that do not count do not win.
    """
    extract = change.extract
    deciding = transform.deciding(extract)
    whole = sql.SQL(" AND ").join(sql.SQL("v.{} IS NOT NULL").format(sql.Identifier(n)) for n in extract.natural_key)
    records = sql.SQL(
        "SELECT {deciding}, CASE WHEN a.load_run_file_id IS NOT NULL THEN v.ctid END AS place, a.load_run_file_id,"
        " CASE WHEN a.load_run_file_id IS NOT NULL THEN v.row_hash END AS row_hash, v.record_no, a.extracted_at,"
        " a.file_order FROM {typed} v LEFT JOIN {files} a"
        " ON a.load_run_file_id = v.load_run_file_id AND v.row_hash IS NOT NULL WHERE {whole}"
    ).format(deciding=names.columns(deciding, of="v"), typed=typed, files=files, whole=whole)
    if _left(change) or change.asked:
        keys_alone = sql.SQL(
            "SELECT {deciding}, NULL, NULL, NULL, NULL, NULL, NULL FROM ({left}) v WHERE {whole}"
        ).format(
            deciding=sql.SQL(", ").join(
                sql.Identifier("v", name) if name in extract.natural_key else sql.SQL("NULL") for name in deciding
            ),
            left=_keys_alone(change),
            whole=whole,
        )
        records = sql.SQL("{} UNION ALL {}").format(records, keys_alone)
    return sql.SQL(
        "SELECT DISTINCT ON ({key}) v.row_hash, {key}, v.place, v.load_run_file_id FROM ({records}) v"
        " ORDER BY {key}, v.place IS NULL, {precedence}"
    ).format(key=names.key(extract, of="v"), records=records, precedence=precedence(extract, file="v"))


def precedence(extract: Extract, *, file: str = "a") -> sql.Composed:
    """ORDER BY terms that put the winner of a key first (valid typed rows `v` joined with their attempts, `file`)."""
    updated = (
        sql.SQL("v.{} DESC NULLS LAST, ").format(sql.Identifier(extract.record_updated_at))
        if extract.record_updated_at
        else sql.SQL("")
    )
    return sql.SQL("{file}.extracted_at DESC, {updated}{file}.file_order DESC, v.record_no DESC NULLS LAST").format(
        file=sql.Identifier(file), updated=updated
    )


def whole_fold(extract: Extract) -> sql.Composed:
    """SELECT of what raw says that staging must be now (pins apart), with the winner's attempt and `extracted_at`."""
    everything = Change(extract)
    source = sql.SQL("SELECT r.* FROM {} r JOIN attempts a USING (load_run_file_id)").format(names.raw(extract))
    return sql.SQL(
        "WITH attempts AS MATERIALIZED ({attempts}), v AS ({typed})"
        " SELECT DISTINCT ON ({key}) {columns}, v.load_run_file_id, a.extracted_at FROM v JOIN attempts a"
        " USING (load_run_file_id) WHERE v.row_hash IS NOT NULL ORDER BY {key}, {precedence}"
    ).format(
        attempts=attempts(everything),
        typed=transform.typed_rows(extract, source),
        key=names.key(extract, of="v"),
        columns=names.staged(extract, of="v"),
        precedence=precedence(extract),
    )
