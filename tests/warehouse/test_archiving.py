"""Archiving: what a run owns is copied whole, counted, hashed and entered, each time as a version of its own."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from tests.house import House, row
from warehouse import archive_proof, archive_sets, archiving
from warehouse.archive_sets import ArchiveSet, Part
from warehouse.archiving import CannotArchiveError
from warehouse.journal import Writer

NOW = datetime(2027, 3, 15, 12, tzinfo=UTC)


def archive(house: House, run: UUID, *, now: datetime | None = None, reason: str = "before a change") -> ArchiveSet:
    with house.connection.transaction():
        return archiving.archive(
            house.connection,
            house.registry,
            run,
            ["visits"],
            reason=reason,
            expires_at=(now or NOW) + timedelta(days=90),
            writer=Writer(uuid4(), 1, "operator"),
            now=now,
        )


def part_of(house: House, made: ArchiveSet) -> Part:
    (part,) = archive_sets.parts(house.connection, [made.set_id])
    return part


def rows(house: House, part: Part) -> list[tuple[Any, ...]]:
    return sorted(house.connection.execute(archive_sets.rows_of(part)).fetchall())


def test_it_keeps_every_value_of_the_rows(house: House) -> None:
    run = house.deliver("20260105", row("1", note="a note"), row("2", fee="", seen=""))
    made = archive(house, run, now=NOW)
    part = part_of(house, made)
    assert rows(house, part) == sorted(house.connection.execute("SELECT * FROM stg.visits").fetchall())
    assert (part.rows, part.loaded, part.archive_version, part.hot) == (2, 2, 1, True)
    assert house.connection.execute(
        "SELECT DISTINCT archived_load_run_id, archive_reason, archive_version FROM stg.visits_archive_2027_03"
    ).fetchall() == [(run, "before a change", 1)]


def test_it_keeps_what_the_run_owns_now_and_says_of_how_many(house: House) -> None:
    first = house.deliver("20260105", row("1"), row("2"), row("3"), row("4", fee="wrong"))
    house.deliver("20260112", row("1", fee="11"))
    part = part_of(house, archive(house, first, now=NOW))
    assert (part.rows, part.loaded) == (2, 3)


def test_an_empty_archive_is_legal(house: House) -> None:
    first = house.deliver("20260105", row("1"))
    house.deliver("20260112", row("1", fee="11"))
    part = part_of(house, archive(house, first, now=NOW))
    assert (part.rows, part.loaded) == (0, 1)
    assert archive_proof.prove(house.connection, part, house.visits).holds


def test_each_archive_of_a_run_has_the_next_version(house: House) -> None:
    run, other = house.deliver("20260105", row("1")), house.deliver("20260106", row("2"))
    versions = [part_of(house, archive(house, chosen, now=NOW)).archive_version for chosen in (run, run, other)]
    assert versions == [1, 2, 1]


def test_a_row_without_a_hash_gets_it_in_the_archive(house: House) -> None:
    run = house.deliver("20260105", row("1"))
    with house.connection.transaction():
        house.connection.execute("SET LOCAL session_replication_role = replica")
        house.connection.execute("ALTER TABLE stg.visits DISABLE TRIGGER ALL")
        house.connection.execute("UPDATE stg.visits SET row_hash = NULL")
    part = part_of(house, archive(house, run, now=NOW))
    assert archive_proof.prove(house.connection, part, house.visits).holds


def test_statistics_are_of_the_key(house: House) -> None:
    run = house.deliver("20260105", row("b", seen="2026-01-02"), row("B", seen=""), row("c"))
    told = part_of(house, archive(house, run, now=NOW)).statistics
    assert told == {"visit_id": {"least": "B", "most": "c"}}


def test_it_makes_the_month_of_now(house: House) -> None:
    run = house.deliver("20260105", row("1"))
    part = part_of(house, archive(house, run))
    assert len(rows(house, part)) == 1
    default = house.connection.execute("SELECT to_regclass('stg.visits_archive_default')").fetchone()
    assert default == (None,)


def test_a_column_that_nobody_declared_is_kept_and_hashed(house: House) -> None:
    run = house.deliver("20260105", row("1"))
    house.connection.execute("ALTER TABLE stg.visits ADD COLUMN colour json")
    house.connection.execute("UPDATE stg.visits SET colour = '{\"a\": 1}'")
    part = part_of(house, archive(house, run, now=NOW))
    assert part.hashed["as_text"] == ["colour"]
    assert archive_proof.prove(house.connection, part, house.visits).holds
    house.connection.execute("UPDATE stg.visits_archive SET colour = '{\"a\": 2}'")
    assert not archive_proof.prove(house.connection, part, house.visits).checksum_holds


def test_a_retyped_column_is_refused_and_named(house: House) -> None:
    run = house.deliver("20260105", row("1"))
    house.connection.execute("ALTER TABLE stg.visits ALTER COLUMN reviewed_by TYPE varchar(20)")
    with pytest.raises(CannotArchiveError, match=r"visits\.reviewed_by is character varying"):
        archive(house, run, now=NOW)
    assert house.connection.execute("SELECT count(*) FROM restage.archive_sets").fetchone() == (0,)


@pytest.mark.parametrize(
    ("damage", "point"),
    [
        ("UPDATE stg.visits_archive SET fee = fee + 1 WHERE visit_id = '1'", "hashes_hold"),
        ("UPDATE stg.visits_archive SET load_ts = load_ts + interval '1 us' WHERE visit_id = '1'", "checksum_holds"),
        ("UPDATE stg.visits_archive SET reviewed_by = 'x' WHERE visit_id = '1'", "checksum_holds"),
        ("UPDATE stg.visits_archive SET row_hash = row_hash + 1 WHERE visit_id = '1'", "checksum_holds"),
        ("DELETE FROM stg.visits_archive WHERE visit_id = '1'", "rows_hold"),
        ("ALTER TABLE stg.visits_archive DROP COLUMN note", "columns"),
    ],
)
def test_a_deep_verify_finds_damage(house: House, damage: str, point: str) -> None:
    run = house.deliver("20260105", row("1"), row("2"))
    made = archive(house, run, now=NOW)
    part = part_of(house, made)
    assert archive_proof.verify(house.connection, part, house.visits).holds
    house.connection.execute(damage)
    found = archive_proof.verify(house.connection, part, house.visits)
    assert not found.holds
    assert found.columns == ("note",) if point == "columns" else getattr(found, point) is False
    kept = part_of(house, made).verified
    assert kept is not None and kept["hot"]["holds"] is False


def test_where_the_default_partition_holds_rows_of_the_month_the_rows_go_there(house: House) -> None:
    run = house.deliver("20260105", row("1"))
    house.connection.execute("CREATE TABLE stg.visits_archive_default PARTITION OF stg.visits_archive DEFAULT")
    house.connection.execute(
        "INSERT INTO stg.visits_archive (load_run_file_id, load_ts, archived_at, archived_load_run_id, archive_reason)"
        " VALUES (1, now(), %s, gen_random_uuid(), 'a test')",
        [NOW],
    )
    part = part_of(house, archive(house, run, now=NOW))
    assert len(rows(house, part)) == 1


def test_the_size_of_a_large_part_is_estimated_near_what_it_is(house: House, monkeypatch) -> None:
    run = house.deliver("20260105", *(row(str(number), note="n" * (number % 50)) for number in range(3_000)))
    exact = part_of(house, archive(house, run)).bytes
    monkeypatch.setattr(archiving, "WEIGHED_FROM", 1)
    assert abs(part_of(house, archive(house, run)).bytes / exact - 1) < 0.1
    monkeypatch.setattr(archiving, "WEIGHED", 1e9)  # chance chooses no page
    assert part_of(house, archive(house, run)).bytes == exact
