"""The columns of an archive set against those of staging today: matched by name, told in words, or refused.

Never by position, and never by a cast that could fail or lose something: then the names of the columns are said, and a
person maps them (old name → new name, or left out) or has the set put into a side table.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import psycopg
from psycopg import sql
from psycopg.rows import class_row

from warehouse import names
from warehouse.archive_sets import Part
from warehouse.archive_sources import Source
from warehouse.errors import TellableError
from warehouse.registry import Extract

OURS = ("load_run_file_id", "load_ts")
HASH = "row_hash"
LEFT_OUT = ""
_DIGITS = {"smallint": 5, "integer": 10, "bigint": 19}
_SIZED = re.compile(r"(numeric|character varying|character)\((\d+)(?:,(\d+))?\)")


class DriftError(TellableError):
    """The set does not fit staging as it is today; the message names the columns. Nothing was changed."""


@dataclass(frozen=True)
class Target:
    """A column of staging. `given`: SQL of its default or of what generates it ("": none)."""

    name: str
    type: str
    not_null: bool
    given: str
    generated: bool
    identity: bool


@dataclass
class Fit:
    """How the rows of a set become rows of staging. `told`: what a person should know of it, in words."""

    pairs: dict[str, sql.Composable] = field(default_factory=dict)  # column of staging → SQL over the set's row `m`
    generated: dict[str, sql.Composable] = field(default_factory=dict)  # … → SQL over the columns in `pairs`
    told: list[str] = field(default_factory=list)

    @property
    def written(self) -> list[str]:
        """The columns that an INSERT names, besides the hash."""
        return list(self.pairs)

    def rows(self, source: Source) -> sql.Composed:
        """SELECT of the set's rows as staging would have them."""
        inner = sql.SQL("SELECT {columns} FROM ({rows}) m").format(columns=_aliased(self.pairs), rows=source.rows)
        if not self.generated:
            return inner
        return sql.SQL("SELECT i.*, {generated} FROM ({inner}) i").format(
            generated=_aliased(self.generated), inner=inner
        )

    def hashed_rows(self, source: Source) -> sql.Composed:
        """The same with the hash that the set keeps of each row, where it has one and nothing is cast or made."""
        return sql.SQL("SELECT {columns}, {hash} FROM ({rows}) m").format(
            columns=_aliased(self.pairs), hash=sql.Identifier("m", HASH), rows=source.rows
        )


def fit(
    connection: psycopg.Connection, extract: Extract, part: Part, source: Source, renamed: Mapping[str, str]
) -> Fit:
    """Match a part with staging. `renamed`: column of the set → column of staging, or LEFT_OUT. Raises DriftError."""
    targets = targets_of(connection, names.staging(extract))
    found, wrong = Fit(), _senseless(renamed, source, targets)
    for name, kind in source.columns.items():
        if name != HASH and not wrong:
            _match(found, wrong, targets, name, kind, renamed.get(name, name), extract)
    if not wrong:
        _fill(found, wrong, targets, extract)
    if not wrong:
        wrong = _empty(connection, found, source, targets, part)
    if wrong:
        raise DriftError(
            f"The archived rows of stg.{extract.table} do not fit the table as it is today. {' '.join(wrong)} Nothing"
            " was changed. Map or leave out the columns named, or restore into a side table."
        )
    then = [column["name"] for column in part.columns]
    if [name for name in then if name in targets] != [name for name in targets if name in then]:
        found.told.append("Columns stand in another order than when it was archived: they are matched by name.")
    return found


def targets_of(connection: psycopg.Connection, table: sql.Identifier) -> dict[str, Target]:
    with connection.cursor(row_factory=class_row(Target)) as cursor:
        found = cursor.execute(
            "SELECT a.attname AS name, format_type(a.atttypid, a.atttypmod) AS type, a.attnotnull AS not_null,"
            " coalesce(pg_get_expr(d.adbin, d.adrelid), '') AS given, a.attgenerated <> '' AS generated,"
            " a.attidentity <> '' AS identity FROM pg_attribute a"
            " LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum"
            " WHERE a.attrelid = to_regclass(%s) AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum",
            [table.as_string(connection)],
        ).fetchall()
    return {target.name: target for target in found}


def is_alike(part: Part, targets: Mapping[str, Target]) -> bool:
    """Whether names and types are those of when it was archived."""
    return {c["name"]: c["type"] for c in part.columns} == {name: target.type for name, target in targets.items()}


def _senseless(renamed: Mapping[str, str], source: Source, targets: Mapping[str, Target]) -> list[str]:
    wrong = []
    for old, new in renamed.items():
        if old not in source.columns:
            wrong.append(f"The set has no column {old}.")
        if old in (*OURS, HASH) or new in (*OURS, HASH):
            wrong.append(
                f"{old} → {new or 'nothing'} is not for you to map: owner, load time and hash stay as they are."
            )
        if new != LEFT_OUT and new not in targets:
            wrong.append(f"stg has no column {new}.")
    taken = [renamed.get(name, name) for name in source.columns]
    wrong += [f"Two columns of the set would become {n}." for n in sorted(set(taken)) if n and taken.count(n) > 1]
    return wrong


def _match(
    found: Fit, wrong: list[str], targets: Mapping[str, Target], name: str, kind: str, to: str, extract: Extract
) -> None:
    if to == LEFT_OUT:
        if name in extract.natural_key:
            wrong.append(f"{name} is a part of the natural key and cannot be left out.")
        found.told.append(f"{name} of the set is left out.")
        return
    target = targets.get(to)
    if target is None:
        wrong.append(f"{name} ({kind}) is not in the table any more.")
    elif target.generated or target.identity:
        wrong.append(f"{to} is made by the table itself now: {name} of the set would be lost.")
    elif target.type != kind and not lossless(kind, target.type):
        wrong.append(f"{name} was {kind} and {to} is {target.type} now: the cast could fail or lose something.")
    else:
        column: sql.Composable = sql.Identifier("m", name)
        if target.type != kind:
            column = sql.SQL("{}::{}").format(column, sql.SQL(target.type))
            found.told.append(f"{name} was {kind} and becomes {target.type}.")
        if to != name:
            found.told.append(f"{name} of the set becomes {to}.")
        found.pairs[to] = column


def _fill(found: Fit, wrong: list[str], targets: Mapping[str, Target], extract: Extract) -> None:
    """The columns of staging that the set does not have; those that files feed are written out, for the hash."""
    fed = {column.name for column in extract.staged}
    for name, target in targets.items():
        if name in found.pairs or name == HASH:
            continue
        if target.generated:
            if name in fed:
                found.generated[name] = sql.SQL("({})").format(sql.SQL(target.given))
            found.told.append(f"{name} is made by the table itself.")
        elif target.identity:
            found.told.append(f"{name} is numbered by the table itself.")
        elif name in OURS:
            wrong.append(f"The set has no {name}.")
        elif target.given:
            if name in fed:
                found.pairs[name] = sql.SQL("({})").format(sql.SQL(target.given))
            found.told.append(f"{name} is not in the set: it gets its default.")
        elif target.not_null:
            wrong.append(f"{name} must not be empty, and the set has no value for it.")
        else:
            if name in fed:
                found.pairs[name] = sql.SQL("NULL::{}").format(sql.SQL(target.type))
            found.told.append(f"{name} is not in the set: it stays empty.")


def _empty(
    connection: psycopg.Connection, found: Fit, source: Source, targets: Mapping[str, Target], part: Part
) -> list[str]:
    """The columns that must not be empty today, and are in rows of the set."""
    full = {column["name"] for column in part.columns if column["not_null"]}
    asked = [name for name in found.pairs if targets[name].not_null and name not in full]
    if not asked:
        return []
    counts = connection.execute(
        sql.SQL("SELECT {} FROM ({}) i").format(
            sql.SQL(", ").join(
                sql.SQL("count(*) FILTER (WHERE {} IS NULL)").format(sql.Identifier(name)) for name in asked
            ),
            found.rows(source),
        )
    ).fetchone()
    pairs = zip(asked, counts or (), strict=True)
    return [f"{name} must not be empty, and {empty:,} rows have no value for it." for name, empty in pairs if empty]


def _aliased(expressions: Mapping[str, sql.Composable]) -> sql.Composed:
    return sql.SQL(", ").join(
        sql.SQL("{} AS {}").format(expression, sql.Identifier(name)) for name, expression in expressions.items()
    )


def lossless(old: str, new: str) -> bool:
    """Whether every value of the one type is the same value in the other, for certain."""
    if new in ("text", "character varying"):
        return True
    if old in _DIGITS and new in _DIGITS:
        return _DIGITS[old] <= _DIGITS[new]
    if old in _DIGITS and new.startswith("numeric"):
        whole, _scale = _numeric(new)
        return whole >= _DIGITS[old]
    if old.startswith("numeric") and new.startswith("numeric"):
        return all(before <= now for before, now in zip(_numeric(old), _numeric(new), strict=True))
    if old.startswith("character varying(") and new.startswith("character varying("):
        return _size(old) <= _size(new)
    return (old, new) in {("real", "double precision"), ("integer", "double precision")}


def _numeric(kind: str) -> tuple[float, float]:
    """Digits before and after the point."""
    sized = _SIZED.fullmatch(kind)
    if not sized:
        return float("inf"), float("inf")
    precision, scale = int(sized[2]), int(sized[3] or 0)
    return precision - scale, scale


def _size(kind: str) -> int:
    sized = _SIZED.fullmatch(kind)
    return int(sized[2]) if sized else 0
