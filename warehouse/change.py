"""What counts: a Change of which file attempts are live, and the fold that staging must be afterwards.

Staging is a function of raw. For every natural key it holds the valid row made from the live raw record of greatest
precedence: the source's extraction time, then the record's own update time, then file order, then record order.
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


def touched_keys(change: Change) -> sql.Composed:
    """SELECT DISTINCT of the natural keys that the change can affect; records without a whole key have none."""
    parts = []
    if change.in_raw:
        parts.append(
            sql.SQL("SELECT {key} FROM {raw} r WHERE r.load_run_file_id = ANY({ids})").format(
                key=names.cleaned_key(change.extract, of="r"),
                raw=names.raw(change.extract),
                ids=names.integers(change.in_raw),
            )
        )
    if change.arrived_in:
        parts.append(
            sql.SQL("SELECT {} FROM {} r").format(names.cleaned_key(change.extract, of="r"), change.arrived_in)
        )
    whole = sql.SQL(" AND ").join(
        sql.SQL("{} IS NOT NULL").format(sql.Identifier(n)) for n in change.extract.natural_key
    )
    return sql.SQL("SELECT DISTINCT * FROM ({}) k ({}) WHERE {}").format(
        sql.SQL(" UNION ALL ").join(parts), names.key(change.extract), whole
    )


def candidates(change: Change, keys: sql.Identifier, files: sql.Identifier) -> sql.Composed:
    """SELECT of the raw records that can win one of the `keys`, and of all records of the change's own attempts.

    `files` holds the attempts() of the change.
    """
    columns = names.columns([*(c.name for c in change.extract.columns), "load_run_file_id", "record_no"], of="r")
    cleaned = sql.SQL(" AND ").join(
        sql.SQL("restage.clean(r.{0}) = k.{0}").format(sql.Identifier(name)) for name in change.extract.natural_key
    )
    own = change.new if not change.arrived_in else ()
    of_keys = sql.SQL(
        "SELECT {columns} FROM {keys} k JOIN {raw} r ON {cleaned}"
        " JOIN {files} a ON a.load_run_file_id = r.load_run_file_id WHERE r.load_run_file_id <> ALL({own})"
    ).format(
        columns=columns, keys=keys, files=files, raw=names.raw(change.extract), cleaned=cleaned, own=names.integers(own)
    )
    if change.arrived_in:
        return sql.SQL("{} UNION ALL SELECT {} FROM {} r").format(of_keys, columns, change.arrived_in)
    return sql.SQL("{} UNION ALL SELECT {} FROM {} r WHERE r.load_run_file_id = ANY({})").format(
        of_keys, columns, names.raw(change.extract), names.integers(own)
    )


def precedence(extract: Extract) -> sql.Composed:
    """ORDER BY terms that put the winner of a key first (`v` valid rows joined with `a` attempts)."""
    updated = (
        sql.SQL("v.{} DESC NULLS LAST, ").format(sql.Identifier(extract.record_updated_at))
        if extract.record_updated_at
        else sql.SQL("")
    )
    return sql.SQL("a.extracted_at DESC, {}a.file_order DESC, v.record_no DESC NULLS LAST").format(updated)


def valid(extract: Extract) -> sql.Composed:
    """Condition on a typed row: none of its problems keeps it out of staging."""
    return sql.SQL("NOT (v.problems && {})").format(names.integers(transform.blocking(extract)))


def whole_fold(extract: Extract) -> sql.Composed:
    """SELECT of what the whole staging table must be now, with `load_run_file_id` of the winner."""
    everything = Change(extract)
    source = sql.SQL("SELECT r.* FROM {} r JOIN attempts a USING (load_run_file_id)").format(names.raw(extract))
    return sql.SQL(
        "WITH attempts AS MATERIALIZED ({attempts}), v AS ({typed})"
        " SELECT DISTINCT ON ({key}) {columns}, v.load_run_file_id FROM v JOIN attempts a USING (load_run_file_id)"
        " WHERE {valid} ORDER BY {key}, {precedence}"
    ).format(
        attempts=attempts(everything),
        typed=transform.typed_rows(extract, source),
        key=names.key(extract, of="v"),
        columns=names.staged(extract, of="v"),
        valid=valid(extract),
        precedence=precedence(extract),
    )
