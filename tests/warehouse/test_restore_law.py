"""Archived and restored is as it was: every row of every table, whatever its values, whatever became of it."""

from datetime import UTC, datetime
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import sql

from tests.archived import archive, restore
from tests.house import House
from tests.proofs import further
from warehouse import archive_tables, names
from warehouse.registry import Column, Extract

CASES, PARTS = 150, 3
ACTS = ("keep", "lose", "spoil", "spoil own column", "newer")
TEXTS = (
    *("", " ", "a", "Ō", "\u202e\u0000"[:1], "𝔘𝔫𝔦", "e\u0301", "\\N", "\\.", "a\tb\nc\rd", "'\"", "NULL", "%s{}", "0"),
    *("x" * 3_000, "\x01\x1f\x7f", "\uffff\U0010ffff", "-infinity"),
)
TIMES = (
    "infinity",
    "-infinity",
    "4713-01-01 00:00:00 BC",
    "294276-12-31 23:59:59.999999",
    "2000-02-29 23:59:59.000001",
)
VALUES: dict[str, tuple[str, ...]] = {
    "text": TEXTS,
    "boolean": ("true", "false"),
    "integer": ("0", "-1", "2147483647", "-2147483648"),
    "bigint": ("0", "9223372036854775807", "-9223372036854775808"),
    "date": ("infinity", "-infinity", "4713-01-01 BC", "5874897-12-31", "2000-02-29", "0001-01-01"),
    "timestamp": TIMES,
    "timestamptz": (*TIMES, "2026-04-05 02:30:00+12", "2026-04-05 02:30:00+13"),
}


def values(column: Column) -> tuple[str, ...]:
    """No NaN: no file makes one, and its hash is that of an empty value."""
    if not column.type.startswith("numeric"):
        return VALUES[column.type]
    if column.type == "numeric":
        return ("0", "1e-50", "-1e50", "1.000")
    precision, scale = map(int, column.type.removeprefix("numeric(").removesuffix(")").split(","))
    most = "9" * (precision - scale) + "." + "9" * scale
    return ("0", most, f"-{most}", f"{'0' if precision == scale else '1'}.{'0' * scale}")


def typed(dice: Random, column: Column, *, required: bool) -> sql.Composable:
    if not required and dice.random() < 0.3:
        return sql.SQL("NULL")
    return sql.SQL("{}::{}").format(sql.Literal(dice.choice(values(column))), sql.SQL(column.type))


def fill(house: House, extract: Extract, dice: Random, rows: int, file: int) -> None:
    """Staging holds so many rows of the file, of values drawn by `dice`."""
    columns = (*extract.staged, *extract.staging_only)
    made = []
    for number in range(rows):
        row: list[sql.Composable] = []
        for column in columns:
            if column.name in extract.natural_key:
                row.append(sql.Literal(f"{dice.choice(TEXTS)}{number}"))
            else:
                row.append(typed(dice, column, required=column.required))
        load_ts = sql.SQL("{}::timestamptz").format(sql.Literal(dice.choice(VALUES["timestamptz"])))
        made.append(sql.SQL("({})").format(sql.SQL(", ").join([*row, sql.Literal(file), load_ts])))
    house.connection.execute(
        sql.SQL("INSERT INTO {} ({}, load_run_file_id, load_ts) VALUES {}").format(
            names.staging(extract), names.columns([c.name for c in columns]), sql.SQL(", ").join(made)
        )
    )


def happen(house: House, extract: Extract, dice: Random, acts: list[str], newer: int) -> None:
    """Each row meets one of the acts: it is lost, a column of it is spoilt, another file takes it over."""
    keys = house.connection.execute(
        sql.SQL("SELECT {} FROM {} ORDER BY {}").format(names.key(extract), names.staging(extract), names.key(extract))
    ).fetchall()
    spoilt = [c for c in extract.staged if c.name not in extract.natural_key]
    for key, act in zip(keys, acts, strict=False):
        column = dice.choice(extract.staging_only if act == "spoil own column" and extract.staging_only else spoilt)
        drawn = typed(dice, column, required=column.required)
        change = sql.SQL("UPDATE {} SET {} = {}").format(names.staging(extract), sql.Identifier(column.name), drawn)
        if act == "newer":
            change += sql.SQL(", load_run_file_id = {}").format(sql.Literal(newer))
        if act == "lose":
            change = sql.SQL("DELETE FROM {}").format(names.staging(extract))
        if act != "keep":
            where = (
                sql.SQL("{} = {}").format(sql.Identifier(name), sql.Literal(value))
                for name, value in zip(extract.natural_key, key, strict=True)
            )
            house.connection.execute(change + sql.SQL(" WHERE ") + sql.SQL(" AND ").join(where))


def rows_of(house: House, extract: Extract) -> list[str]:
    """The rows as text, in order."""
    query = sql.SQL("SELECT s::text FROM {} s ORDER BY 1").format(names.staging(extract))
    return [text for (text,) in house.connection.execute(query).fetchall()]


def owner(house, extract, day):
    run = house.connection.execute(
        "INSERT INTO etl.load_runs (status, triggered_by) VALUES ('completed', 'a test') RETURNING load_run_id"
    ).fetchone()
    (file,) = house.connection.execute(
        "INSERT INTO etl.load_run_files (load_run_id, s3_bucket, s3_key, s3_version_id, file_hash, date_extracted,"
        " extract_type, per_org_id, practice_id, status) VALUES (%s, '', '', %s, '', %s, %s, '', '', 'completed')"
        " RETURNING load_run_file_id",
        [run[0], str(run[0]), day, extract.name],
    ).fetchone()
    return int(file)


def check(house, extract, seed, acts):
    dice = Random(seed)
    with house.connection.transaction(force_rollback=True):
        file, newer = owner(house, extract, "2026-01-05"), owner(house, extract, "2026-01-06")
        (run,) = house.connection.execute(
            "SELECT load_run_id FROM etl.load_run_files WHERE load_run_file_id = %s", [file]
        ).fetchone()
        fill(house, extract, dice, len(acts), file)
        before = rows_of(house, extract)
        kept = archive(house, run, extract.table)
        happen(house, extract, dice, acts, newer)
        outcome = restore(house, kept, on_newer="overwrite")["tables"][extract.table]
        after = rows_of(house, extract)
        # a row that the newer owner holds with the very same values is left to it
        assert all(f",{newer}," in text for text in set(after) - set(before))
        assert len(after) == len(before)
        assert sum(outcome[name] for name in ("absent", "identical", "changed", "older", "newer")) == len(before)
        again = restore(house, kept, on_newer="overwrite")["tables"][extract.table]
        assert (again["inserted"], again["updated"], rows_of(house, extract)) == (0, 0, after)


def hold(house: House, cases: int) -> None:
    """Raises AssertionError with the smallest case that does not hold."""
    make_months(house)

    @settings(max_examples=cases, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(
        extract=st.sampled_from(house.registry.extracts),
        seed=st.integers(0, 2**32),
        acts=st.lists(st.sampled_from(ACTS), min_size=1, max_size=5),
    )
    def holds(extract, seed, acts):
        check(house, extract, seed, acts)

    holds()


@pytest.mark.parametrize("part", further(range(PARTS), tried=1))
def test_archived_and_restored_is_as_it_was(house: House, part):
    hold(house, CASES // PARTS)


def make_months(house: House) -> None:
    """Once, and not in each case."""
    for extract in house.registry.extracts:
        archive_tables.make_ahead(house.connection, extract, datetime.now(UTC))


def test_of_every_table(house: House):
    make_months(house)
    for number, extract in enumerate(house.registry.extracts):
        check(house, extract, number, ["lose", "spoil", "keep", "newer"])
