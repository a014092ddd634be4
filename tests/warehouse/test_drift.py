"""Staging has changed since the set was archived: matched by name, or refused with the columns named; never shifted."""

import pytest

from tests.archived import archive, look, restore
from tests.house import House, row
from warehouse import drift
from warehouse.drift import DriftError
from warehouse.restore_classes import DamagedError

A = "ALTER TABLE stg.visits "


@pytest.fixture
def kept(house: House):
    """A set of two visits; staging has lost them."""
    run = house.deliver("20260105", row("1", fee="10.50", note="first"), row("2", fee="", note=""))
    made = archive(house, run)
    house.connection.execute("DELETE FROM stg.visits")
    return made


def back(house):
    return house.staged()


DUE = {"1": ("10.50", "first"), "2": (None, None)}

# what was done to staging → what a preview tells
FITTING = {
    "a column added": ("ADD COLUMN room text", "room is not in the set: it stays empty"),
    "a column added with a default": ("ADD COLUMN room text NOT NULL DEFAULT 'A1'", "room is not in the set: it gets"),
    "a generated column added": ("ADD COLUMN twice numeric GENERATED ALWAYS AS (fee * 2) STORED", "made by the table"),
    "an identity added": ("ADD COLUMN n bigint GENERATED ALWAYS AS IDENTITY", "numbered by the table"),
    "a default set": ("ALTER COLUMN note SET DEFAULT 'none'", None),
    "a column made wider": ("ALTER COLUMN fee TYPE numeric(12,3)", "fee was numeric(10,2) and becomes numeric(12,3)"),
    "NOT NULL where there is a value": ("ALTER COLUMN seen_on SET NOT NULL", None),
    "an enum column added": ("ADD COLUMN mood public.mood DEFAULT 'calm'", "mood is not in the set: it gets"),
}
REFUSED = {
    "a column dropped": (["DROP COLUMN note"], "note (text) is not in the table any more"),
    "a column renamed": (["RENAME COLUMN note TO remark"], "note (text) is not in the table any more"),
    "a narrower type": (["ALTER COLUMN fee TYPE numeric(8,2)"], "fee was numeric(10,2) and fee is numeric(8,2) now"),
    "another type": (["ALTER COLUMN seen_on TYPE timestamptz"], "seen_on was date and seen_on is timestamp with"),
    "an enum": (["ALTER COLUMN note TYPE public.mood USING 'calm'"], "note was text and note is mood now"),
    "NOT NULL without a value": (["ALTER COLUMN fee SET NOT NULL"], "fee must not be empty, and 1 rows have no value"),
    "a NOT NULL column added": (["ADD COLUMN room text NOT NULL"], "room must not be empty, and the set has no value"),
    "generated now": (
        ["DROP COLUMN note", "ADD COLUMN note text GENERATED ALWAYS AS ('x' || visit_id) STORED"],
        "note is made by the table itself now",
    ),
    "a part of the key renamed": (["RENAME COLUMN visit_id TO id"], "visit_id (text) is not in the table any more"),
}


@pytest.mark.parametrize("mutation", FITTING)
def test_what_fits_is_matched_by_name_and_told(house: House, kept, mutation):
    ddl, told = FITTING[mutation]
    house.connection.execute("CREATE TYPE public.mood AS ENUM ('calm', 'wild')")
    house.connection.execute((A + ddl).encode())
    found = look(house, kept).told["visits"]
    assert any(told in line for line in found) if told else found == []
    restore(house, kept)
    fees = {visit: (fee and f"{float(fee):.2f}", note) for visit, (fee, note) in back(house).items()}
    assert fees == DUE
    assert house.violations() == 0


@pytest.mark.parametrize("mutation", REFUSED)
def test_what_does_not_fit_is_refused_with_the_columns_named(house: House, kept, mutation):
    statements, told = REFUSED[mutation]
    house.connection.execute("CREATE TYPE public.mood AS ENUM ('calm', 'wild')")
    for statement in statements:
        house.connection.execute((A + statement).encode())
    with pytest.raises(DriftError) as refusal:
        look(house, kept)
    assert told in str(refusal.value)
    assert house.connection.execute("SELECT count(*) FROM stg.visits").fetchone() == (0,)
    assert restore(house, kept, into="side")["side"]["visits"]["rows"] == 2


def test_columns_of_the_same_type_in_another_order_are_not_shifted(house: House, kept):
    """note and reviewed_by change places; both are text."""
    house.connection.execute("ALTER TABLE stg.visits DROP COLUMN note; ALTER TABLE stg.visits ADD COLUMN note text; ")
    assert any("another order" in line for line in look(house, kept).told["visits"])
    restore(house, kept)
    assert back(house) == DUE


def test_a_partitioned_table_takes_the_rows(house: House, kept):
    house.connection.execute(
        "CREATE TABLE stg.parted (LIKE stg.visits INCLUDING DEFAULTS) PARTITION BY HASH (visit_id);"
        " CREATE TABLE stg.parted_0 PARTITION OF stg.parted FOR VALUES WITH (MODULUS 2, REMAINDER 0);"
        " CREATE TABLE stg.parted_1 PARTITION OF stg.parted FOR VALUES WITH (MODULUS 2, REMAINDER 1);"
        " DROP TABLE stg.visits; ALTER TABLE stg.parted RENAME TO visits;"
        " CREATE UNIQUE INDEX ON stg.visits (visit_id)"
    )
    restore(house, kept)
    assert back(house) == DUE
    house.connection.execute("UPDATE stg.visits SET fee = 3, row_hash = 3")
    assert restore(house, kept)["tables"]["visits"]["replaced"] == 2
    assert back(house) == DUE


def test_a_dropped_column_can_be_left_out(house: House, kept):
    house.connection.execute("ALTER TABLE stg.visits DROP COLUMN reviewed_by")
    with pytest.raises(DriftError, match="reviewed_by"):
        look(house, kept)
    assert look(house, kept, renamed={"reviewed_by": ""}).classes["visits"].absent == 2


def test_a_renamed_column_can_be_mapped(house: House, kept):
    house.connection.execute("UPDATE stg.visits_archive SET reviewed_by = 'Mere'")
    house.connection.execute(
        "UPDATE restage.archive_parts SET checksum = (SELECT sum(row_hash::numeric"
        " + hash_record_extended(ROW(load_run_file_id, load_ts, reviewed_by), 0)) FROM stg.visits_archive)"
    )
    house.connection.execute("ALTER TABLE stg.visits RENAME COLUMN reviewed_by TO seen_by")
    restore(house, kept, renamed={"reviewed_by": "seen_by"})
    assert house.connection.execute("SELECT DISTINCT seen_by FROM stg.visits").fetchall() == [("Mere",)]


def test_damage_is_found_also_where_the_columns_have_drifted(house: House, kept):
    house.connection.execute("ALTER TABLE stg.visits ADD COLUMN room text")
    house.connection.execute("UPDATE stg.visits_archive SET fee = -fee WHERE visit_id = '1'")
    with pytest.raises(DamagedError):
        look(house, kept)


@pytest.mark.parametrize(
    "renamed, told",
    [
        ({"nothing": "note"}, "The set has no column nothing"),
        ({"note": "nowhere"}, "stg has no column nowhere"),
        ({"note": "reviewed_by"}, "Two columns of the set would become reviewed_by"),
        ({"load_ts": ""}, "owner, load time and hash stay"),
        ({"visit_id": ""}, "a part of the natural key"),
    ],
)
def test_a_mapping_that_cannot_be_meant_is_refused(house: House, kept, renamed, told):
    with pytest.raises(DriftError, match=told):
        look(house, kept, renamed=renamed)


@pytest.mark.parametrize(
    "old, new, holds",
    [
        ("integer", "bigint", True),
        ("bigint", "integer", False),
        ("integer", "numeric(10,0)", True),
        ("integer", "numeric(10,2)", False),
        ("numeric(10,2)", "numeric(12,4)", True),
        ("numeric(10,2)", "numeric(10,3)", False),
        ("numeric", "numeric(10,2)", False),
        ("numeric(10,2)", "numeric", True),
        ("character varying(5)", "character varying(6)", True),
        ("character varying(6)", "character varying(5)", False),
        ("character varying(6)", "text", True),
        ("text", "character varying(6)", False),
        ("timestamp without time zone", "timestamp with time zone", False),
        ("timestamp with time zone", "date", False),
        ("text", "integer", False),
        ("boolean", "integer", False),
    ],
)
def test_only_casts_that_can_neither_fail_nor_lose_are_made(old, new, holds):
    assert drift.lossless(old, new) is holds
