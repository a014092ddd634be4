"""A set in the cold tier: whole, sealed, and given back row by row as it was."""

from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from psycopg import sql

from tests import cold
from tests.house import House, row
from warehouse import cold_loading, cold_manifest, cold_writing, cooling
from warehouse.cold_manifest import ManifestError, Secrets
from warehouse.cold_reading import DamagedError
from warehouse.cold_sealing import CannotCoolError, Tier
from warehouse.registry import Registry

INTO = sql.Identifier("restage_build", "visits_back")
STRANGE = "a \"quote\", a comma,\nlines\r\nand \\. backslash \\N 'x' \t tab é 漢字 🙂 \u2028 \ufeff end "


@pytest.fixture
def tier(tmp_path: Path) -> Tier:
    return cold.tier(tmp_path / "archive")


def back(house: House, tier: Tier, set_id: UUID, table: str = "visits") -> cold_loading.Loaded:
    known = cooling.known(cold.part_of(house, set_id, table))
    return cold_loading.load(house.connection, tier.store, tier.secrets, set_id, table, into=INTO, known=known)


def test_a_set_goes_cold_and_comes_back_as_it_was(house: House, tier: Tier):
    set_id = cold.kept(house, row("1", note="one"), row("2", fee=""), row("3", note="  3  "))
    hot = cold.hot_rows(house, set_id)
    outcome = cold.cool(house, tier, set_id)
    assert outcome["tables"]["visits"]["rows"] == 3 and outcome["tables"]["visits"]["hot"]
    assert cold.hot_rows(house, set_id) == hot
    loaded = back(house, tier, set_id)
    assert (loaded.rows, loaded.columns) == (3, cold.part_of(house, set_id).columns)
    assert cold.rows_in(house, INTO, [column["name"] for column in loaded.columns]) == hot


def test_every_value_of_every_type_comes_back(house: House, tier: Tier):
    house.connection.execute("CREATE TYPE public.mood AS ENUM ('calm', 'it''s, \"odd\"')")
    extra = {
        "exact": ("numeric", ["NaN", "Infinity", "-0.10", "1e-1000", "1" * 5000 + "." + "9" * 4000, "1e131071"]),
        "scaled": ("numeric(10,2)", ["-99999999.99", "0.00", "NaN"]),
        "small": ("smallint", ["-32768", "32767"]),
        "whole": ("integer", ["-2147483648", "2147483647"]),
        "large": ("bigint", ["-9223372036854775808", "9223372036854775807"]),
        "real_one": ("double precision", ["0.1", "-0", "NaN", "Infinity", "5e-324", "1.7976931348623157e308"]),
        "single": ("real", ["0.1", "3.4028235e38"]),
        "yes": ("boolean", ["t", "f"]),
        "day": ("date", ["infinity", "-infinity", "4713-01-01 BC", "5874897-12-31", "0044-03-15 BC", "2026-02-28"]),
        "moment": ("timestamptz", ["infinity", "-infinity", "4714-11-24 00:00+00 BC", "294276-12-31 23:59:59.999999Z"]),
        "at_time": ("timestamp", ["2026-10-25 02:30:00.000001", "0001-01-01 BC", "294276-12-31 23:59:59.999999"]),
        "hour": ("time", ["24:00:00", "00:00:00.000001"]),
        "span": ("interval", ["1 mon -3 days 00:00:00.000001", "-178000000 years"]),
        "words": ("text", ["", " ", "\\N", "NULL", STRANGE, "x" * 6_000_000]),
        "fixed": ("character(4)", ["a", "  b"]),
        "tree": ("jsonb", ['{"a": [1, null, "\\u00e9 \\" ,"]}', "null", '"\\n"']),
        "tree_as_written": ("json", ['{"b" : 1,   "b":2}']),
        "several": ("text[]", ['{"a,b",NULL,"NULL","","\\"q\\"","\n"}', "{}", "[2:3]={x,y}"]),
        "numbers": ("numeric(5,1)[]", ["{{1.5,NaN},{NULL,-0.1}}"]),
        "raw_bytes": ("bytea", ["\\x00ff0a22", "\\x"]),
        "id": ("uuid", ["00000000-0000-0000-0000-000000000000"]),
        "net": ("inet", ["10.0.0.0/8", "::1"]),
        "bounds": ("tstzrange", ["[2026-01-01 00:00:00+00,infinity)", "empty"]),
        "feeling": ("public.mood", ["calm", "it's, \"odd\""]),
    }  # fmt: skip
    for name, (kind, _values) in extra.items():
        house.connection.execute(f"ALTER TABLE stg.visits ADD COLUMN {name} {kind}".encode())
    most = max(len(values) for _kind, values in extra.values())
    run = house.deliver("20260105", *(row(str(n)) for n in range(most + 1)))
    for name, (kind, values) in extra.items():  # the last visit has NULL everywhere
        for n, value in enumerate(values):
            house.connection.execute(
                f"UPDATE stg.visits SET {name} = %s::text::{kind} WHERE visit_id = %s".encode(), [value, str(n)]
            )
    set_id = cold.keep(house, run)
    hot = cold.hot_rows(house, set_id)
    assert len(hot) == most + 1
    cold.cool(house, tier, set_id, drop_hot=True)
    loaded = back(house, tier, set_id)
    names = [column["name"] for column in loaded.columns]
    assert names[-len(extra) :] == list(extra)
    assert cold.rows_in(house, INTO, names) == hot
    exact = "SELECT count(*) FROM restage_build.visits_back WHERE exact::text = %s"
    assert house.connection.execute(exact, ["1" * 5000 + "." + "9" * 4000]).fetchone() == (1,)


def test_many_files_and_row_groups_are_one_set(house: House, tier: Tier, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(cold_writing, "ROW_GROUP_BYTES", 2_000)
    monkeypatch.setattr(cold_writing, "FILE_BYTES", 20_000)
    set_id = cold.kept(house, *(row(str(n), note=f"note {n * 7919 % 1000}") for n in range(2_000)))
    outcome = cold.cool(house, tier, set_id)
    assert outcome["tables"]["visits"]["files"] > 3
    assert back(house, tier, set_id).rows == 2_000
    names = [column["name"] for column in cold.part_of(house, set_id).columns]
    assert cold.rows_in(house, INTO, names) == cold.hot_rows(house, set_id)


def test_a_part_without_rows_is_a_manifest_without_files(house: House, tier: Tier):
    run = house.deliver("20260105", row("1"))
    house.deliver("20260106", row("1", fee="11"))
    set_id = cold.keep(house, run)
    cold.cool(house, tier, set_id, drop_hot=True)
    assert back(house, tier, set_id).rows == 0
    assert not cold.part_of(house, set_id).hot


def test_the_manifest_has_no_text_that_is_declared_as_a_date_since(house: House, tier: Tier):
    set_id = cold.kept(house, row("1", note="Anna"), row("2", note="Zoe"))
    note = next(column for column in house.visits.columns if column.name == "note")
    columns = tuple(replace(note, type="date") if c is note else c for c in house.visits.columns)
    later = replace(house.visits, columns=columns)
    registry = Registry([later if extract is house.visits else extract for extract in house.registry.extracts])
    cooling.cool(house.connection, registry, tier, set_id, cold.writer(house), drop_hot=False)
    manifest, _sha256 = cold_manifest.read(tier.store, set_id, "visits", tier.secrets)
    assert manifest.statistics["note"] == {"nulls": 0}


def test_the_manifest_says_what_a_restore_needs_and_no_value_of_a_person(house: House, tier: Tier):
    set_id = cold.kept(house, row("secret-key", note="secret note", seen="1987-06-05"))
    house.connection.execute(
        "INSERT INTO restage.archive_holds (set_id, reason, placed_by) VALUES (%s, 'a court asks', 'hana')", [set_id]
    )
    cold.cool(house, tier, set_id)
    manifest, _sha256 = cold_manifest.read(tier.store, set_id, "visits", tier.secrets)
    part = cold.part_of(house, set_id)
    assert (manifest.rows, manifest.columns, manifest.fingerprint) == (1, part.columns, part.fingerprint)
    assert manifest.checksum == str(part.checksum)
    assert manifest.statistics["seen_on"] == {"nulls": 0, "least": "1987-06-05", "most": "1987-06-05"}
    assert manifest.statistics["note"] == {"nulls": 0} and manifest.statistics["visit_id"] == {"nulls": 0}
    assert [hold["reason"] for hold in manifest.holds] == ["a court asks"]
    (source,) = manifest.sources
    assert source["s3_key"] == "a_visits_20260105.csv" and source["file_hash"]
    assert source["content_sha256"] == sha256((house.folder / source["s3_key"]).read_bytes()).hexdigest()
    assert manifest.archived["reason"] == "to be kept" and manifest.tool.startswith("Restage ")
    text = tier.store.read(manifest.name)
    assert b"secret-key" not in text and b"secret note" not in text


def test_the_version_of_the_tool_is_that_of_the_project():
    project = (Path(__file__).resolve().parents[2] / "pyproject.toml").read_text()
    assert f'version = "{cold_manifest.TOOL.removeprefix("Restage ")}"' in project


def test_hot_rows_go_once_the_files_have_given_them_back(house: House, tier: Tier):
    set_id = cold.kept(house)
    other = cold.keep(house, house.deliver("20260106", row("9")))
    hot = cold.hot_rows(house, set_id)
    outcome = cold.cool(house, tier, set_id, drop_hot=True)
    assert not outcome["tables"]["visits"]["hot"] and not cold.part_of(house, set_id).hot
    assert cold.hot_rows(house, set_id) == [] and len(cold.hot_rows(house, other)) == 1
    loaded = back(house, tier, set_id)
    assert cold.rows_in(house, INTO, [column["name"] for column in loaded.columns]) == hot
    told = house.connection.execute("SELECT action FROM restage.effects ORDER BY effect_id").fetchall()
    assert [action for (action,) in told] == ["write cold copy", "drop hot copy", "cool"]


def test_doing_it_again_does_nothing(house: House, tier: Tier):
    set_id, job = cold.kept(house), uuid4()
    outcome = cold.cool(house, tier, set_id, drop_hot=True, job=job)
    before = cold.files(Path(tier.store.url))
    assert cold.cool(house, tier, set_id, drop_hot=True, job=job, epoch=2) == outcome
    assert cold.cool(house, tier, set_id, drop_hot=True) == outcome
    assert cold.files(Path(tier.store.url)) == before


def test_changed_hot_rows_are_not_taken_for_the_set(house: House, tier: Tier):
    set_id = cold.kept(house)
    house.connection.execute("UPDATE stg.visits_archive SET load_ts = load_ts + interval '1 s' WHERE visit_id = '1'")
    with pytest.raises(CannotCoolError, match="does not hold the rows any more"):
        cold.cool(house, tier, set_id)
    assert cold.files(Path(tier.store.url)) == {}


def test_values_that_no_hash_stands_for_keep_the_hot_rows(house: House, tier: Tier):
    set_id = cold.kept(house)
    house.connection.execute("UPDATE stg.visits_archive SET note = 'other' WHERE visit_id = '1'")
    with pytest.raises(DamagedError, match="hashes made anew"):
        cold.cool(house, tier, set_id, drop_hot=True)
    assert len(cold.hot_rows(house, set_id)) == 2 and cold.part_of(house, set_id).hot


def test_a_set_that_another_job_reads_keeps_its_hot_rows(house: House, tier: Tier):
    set_id = cold.kept(house)
    house.connection.execute("INSERT INTO restage.archive_uses (set_id, job_id) VALUES (%s, %s)", [set_id, uuid4()])
    with pytest.raises(CannotCoolError, match="Another job reads this set"):
        cold.cool(house, tier, set_id, drop_hot=True)
    assert len(cold.hot_rows(house, set_id)) == 2 and cold.part_of(house, set_id).cold


def test_a_removed_set_is_not_moved(house: House, tier: Tier):
    set_id = cold.kept(house)
    house.connection.execute("UPDATE restage.archive_sets SET removed_at = now() WHERE set_id = %s", [set_id])
    with pytest.raises(CannotCoolError, match="was removed"):
        cold.cool(house, tier, set_id)


def test_another_secret_is_told_from_a_change_and_a_former_one_still_reads(house: House, tier: Tier):
    set_id = cold.kept(house)
    cold.cool(house, tier, set_id)
    with pytest.raises(ManifestError, match="signed with a key"):
        cold_manifest.read(tier.store, set_id, "visits", Secrets.of("another"))
    cold_manifest.read(tier.store, set_id, "visits", Secrets.of("another", "a secret of the tests"))
    assert "secret" not in repr(cold.SECRETS)


def test_cancelling_leaves_nothing_behind(house: House, tier: Tier):
    class Stop(Exception):
        pass

    def told(progress):
        raise Stop

    set_id = cold.kept(house)
    with pytest.raises(Stop):
        cold.cool(house, tier, set_id, told=told)
    assert cold.files(Path(tier.store.url)) == {}
    assert house.connection.execute("SELECT 1").fetchone() == (1,)
