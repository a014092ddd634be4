"""Raw text → typed rows, as one SELECT. A value that is not of its type rejects its row, never the statement.

The SELECT has five levels, fenced so that each value is cleaned once, cast once and judged once: cleaned text
(`c_name`) → what PostgreSQL takes it for (`try_name`) → typed values (`name`) → the numbers of the checks that the row
breaks (`problems`) → what its bad texts look like (`problem_classes`), the hash of a row that may enter staging
(`row_hash`; NULL: it may not).
They are nested and not joined sideways: a planner that memoizes the sideways form takes three times as long. The
fence is OFFSET '0': of a plain OFFSET 0, an integer still to be cast, the planner does not see in time that it skips
nothing, and keeps the levels out of parallel workers.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from psycopg import sql

from warehouse import hashes, names
from warehouse.registry import Column, Extract, Rule

_TRIED = {"timestamptz": "timestamp"}  # what a text is first taken for, where that is not the type itself


@dataclass(frozen=True)
class Check:
    """One thing that can be wrong with a row. `condition` is SQL over cleaned and typed columns: true is bad."""

    column: str
    reason: str
    severity: str
    condition: sql.Composable


def checks(extract: Extract) -> list[Check]:
    """Every check of an extract; a row's `problems` are positions in this list, counted from 1."""
    found = [_missing_key(name) for name in extract.natural_key]
    for column in extract.staged:
        if column.type != "text" and column.cast != "presence" and column.invalid == "reject":
            found.append(_not_of_type(column))
        if column.required and column.name not in extract.natural_key:
            found.append(
                Check(column.name, "required and empty", "reject", sql.SQL("{} IS NULL").format(_typed(column)))
            )
    return found + [Check(rule.column, rule.reason, rule.severity, _broken(rule)) for rule in extract.rules]


def blocking(extract: Extract) -> list[int]:
    """The numbers of the checks that keep a row out of staging."""
    return [number for number, check in enumerate(checks(extract), start=1) if check.severity == "reject"]


def deciding(extract: Extract) -> list[str]:
    """The columns of a typed row that decide which record wins: the natural key, the time of its own update."""
    updated = extract.record_updated_at
    return [*extract.natural_key, *([updated] if updated and updated not in extract.natural_key else [])]


def typed_rows(extract: Extract, source: sql.Composable) -> sql.Composed:
    """SELECT of the typed rows of `source`, what decides over them first, so that it is read without the rest.

    The natural key, the time of the record's own update, `load_run_file_id, record_no, row_hash bigint,
    problems integer[], problem_classes text[]` (NULL: none), then the other staged columns. `source` is a query of raw
    rows (all columns of the file, load_run_file_id, record_no).
    """
    cleaned = sql.SQL(", ").join(
        sql.SQL("restage.clean(r.{}) AS {}").format(sql.Identifier(column.name), _text(column.name))
        for column in extract.staged
    )
    listed = checks(extract)
    judged = {check.column for check in listed}
    tried = sql.SQL(", ").join(
        [_text(column.name) for column in extract.staged]
        + [sql.SQL("{} AS {}").format(_try(column), _tried(column)) for column in extract.staged if _two_steps(column)]
    )
    typed = sql.SQL(", ").join(
        [sql.SQL("{} AS {}").format(_cast(column, extract), sql.Identifier(column.name)) for column in extract.staged]
        + [_text(column.name) for column in extract.staged if column.name in judged]
    )
    return sql.SQL(
        "SELECT {deciding}, load_run_file_id, record_no, CASE WHEN problems IS NULL OR NOT problems && {blocking}"
        " THEN {row_hash} END AS row_hash, problems, CASE WHEN problems IS NOT NULL THEN {classes} END"
        " AS problem_classes{rest} FROM (SELECT *, CASE WHEN {any} THEN {problems} END AS problems FROM"
        " (SELECT load_run_file_id, record_no, {typed} FROM (SELECT load_run_file_id, record_no, {tried}"
        " FROM (SELECT r.load_run_file_id, r.record_no, {cleaned} FROM ({source}) r OFFSET '0') c OFFSET '0') t"
        " OFFSET '0') v OFFSET '0') p"
    ).format(
        deciding=names.columns(deciding(extract)),
        blocking=names.integers(blocking(extract)),
        row_hash=hashes.of_row(extract, "p"),
        rest=sql.SQL("").join(
            sql.SQL(", {}").format(sql.Identifier(column.name))
            for column in extract.staged
            if column.name not in deciding(extract)
        ),
        any=sql.SQL(" OR ").join(check.condition for check in listed),
        problems=_of_broken(listed, "integer", [sql.Literal(number) for number in range(1, len(listed) + 1)]),
        classes=_of_broken(
            listed, "text", [sql.SQL("restage.value_class({})").format(_text(check.column)) for check in listed]
        ),
        typed=typed,
        tried=tried,
        cleaned=cleaned,
        source=source,
    )


def _of_broken(listed: list[Check], kind: str, told: Sequence[sql.Composable]) -> sql.Composed:
    """An array of what is told of each check that the row breaks."""
    each = sql.SQL(", ").join(
        sql.SQL("CASE WHEN {} THEN {} END").format(check.condition, value)
        for check, value in zip(listed, told, strict=True)
    )
    return sql.SQL("array_remove(ARRAY[{}]::{}[], NULL)").format(each, sql.SQL(kind))


def _two_steps(column: Column) -> bool:
    return column.cast != "presence" and column.type not in ("text", "boolean")


def _try(column: Column) -> sql.Composable:
    """What PostgreSQL takes the text for, before its shape is looked at."""
    if column.type.startswith("numeric"):
        limits = sql.Literal(column.type.removeprefix("numeric"))
        return sql.SQL("restage.try_numeric({}, {})").format(_given(column), limits)
    step = sql.Identifier(f"try_{_TRIED.get(column.type, column.type)}")
    return sql.SQL("restage.{}({})").format(step, _given(column))


def _cast(column: Column, extract: Extract) -> sql.Composable:
    value = _given(column)
    if column.cast == "presence":
        return sql.SQL("({} IS NOT NULL)").format(_text(column.name))
    if column.type == "text":
        return value
    if column.type == "boolean":
        return sql.SQL("restage.to_boolean({})").format(value)
    if column.type == "timestamptz":
        zone = sql.Literal(extract.time_zone)
        return sql.SQL("restage.to_timestamptz({}, {}, {})").format(value, _tried(column), zone)
    if column.type.startswith("numeric"):
        exact = sql.SQL("restage.to_numeric({}, {})").format(value, _tried(column))
        return sql.SQL("{}::{}").format(exact, sql.SQL(column.type))
    return sql.SQL("restage.{}({}, {})").format(sql.Identifier(f"to_{column.type}"), value, _tried(column))


def _given(column: Column) -> sql.Composable:
    """The text to be cast: cleaned, and as the declaration wants it."""
    value: sql.Composable = _text(column.name)
    if column.cast == "lower":
        value = sql.SQL("lower({})").format(value)
    if column.default is not None:
        value = sql.SQL("coalesce({}, {})").format(value, sql.Literal(column.default))
    return value


def _text(name: str) -> sql.Identifier:
    """The cleaned text of a column."""
    return sql.Identifier(f"c_{name}")


def _tried(column: Column) -> sql.Identifier:
    """What the cleaned text of a column is first taken for."""
    return sql.Identifier(f"try_{column.name}")


def _typed(column: Column) -> sql.Identifier:
    return sql.Identifier(column.name)


def _missing_key(name: str) -> Check:
    return Check(name, "part of the natural key and empty", "reject", sql.SQL("{} IS NULL").format(_text(name)))


def _not_of_type(column: Column) -> Check:
    bad = sql.SQL("{} IS NOT NULL AND {} IS NULL").format(_text(column.name), _typed(column))
    return Check(column.name, f"not a {column.type}", "reject", bad)


def _broken(rule: Rule) -> sql.Composed:
    """A rule holds for the value there is: an empty one never breaks it."""
    text, typed = _text(rule.column), sql.Identifier(rule.column)
    if rule.rule == "pattern":
        return sql.SQL("{} !~ {}").format(text, sql.Literal(rule.pattern))
    if rule.rule == "enum":
        return sql.SQL("{} <> ALL({})").format(text, sql.Literal(list(rule.values)))
    least, most = rule.values
    subject = sql.SQL("length({})").format(text) if rule.rule == "length" else typed
    return sql.SQL("{} NOT BETWEEN {} AND {}").format(subject, sql.Literal(least), sql.Literal(most))
