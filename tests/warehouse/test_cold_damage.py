"""What is not, byte by byte, what was written is refused before anything is written of it."""

import json
import os
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest
from psycopg import sql

from tests import cold
from tests.house import House, row
from warehouse import cold_loading, cold_manifest, cold_verifying, cooling
from warehouse.cold_reading import CHECKSUM, FOREIGN, MANIFEST, MISSING, ROWS, SHA256, SIZE, DamagedError
from warehouse.cold_sealing import Tier
from warehouse.cold_verifying import Known

INTO = sql.Identifier("restage_build", "visits_back")


@pytest.fixture
def tier(tmp_path: Path) -> Tier:
    return cold.tier(tmp_path / "archive")


@pytest.fixture
def cooled(house: House, tier: Tier) -> UUID:
    set_id = cold.kept(house, row("1", note="one"))
    cold.cool(house, tier, set_id)
    return set_id


def verdicts(house: House, tier: Tier, set_id: UUID) -> list[str]:
    return judged(tier, set_id, cooling.known(cold.part_of(house, set_id)))


def judged(tier: Tier, set_id: UUID, known: Known | None) -> list[str]:
    found = cold_verifying.verify(tier.store, tier.secrets, set_id, "visits", known=known)
    return sorted({finding.verdict for finding in found.findings})


def folder(tier: Tier, set_id: UUID) -> Path:
    """Of the files of the part's manifest."""
    (found,) = [path for path in Path(tier.store.path(f"sets/{set_id}/visits")).iterdir() if path.is_dir()]
    return found


def rows_file(tier: Tier, set_id: UUID) -> Path:
    return folder(tier, set_id) / "rows-0001.parquet"


def manifest_file(tier: Tier, set_id: UUID) -> Path:
    return Path(tier.store.path(f"sets/{set_id}/visits/manifest.json"))


def test_what_is_whole_holds(house: House, tier: Tier, cooled: UUID):
    assert verdicts(house, tier, cooled) == []


def flip(path: Path, place: int) -> None:
    """One bit of a byte; done again it is as it was."""
    with path.open("r+b") as file:
        file.seek(place)
        (byte,) = file.read(1)
        file.seek(place)
        file.write(bytes([byte ^ (1 << place % 8)]))


def test_every_byte_flipped_is_found(house: House, tier: Tier, cooled: UUID):
    known = cooling.known(cold.part_of(house, cooled))
    refused: dict[Path, tuple[list[str], ...]] = {
        rows_file(tier, cooled): ([SHA256], [FOREIGN])
    }  # it may say now that it is another's
    refused[folder(tier, cooled) / "keys.bin"] = ([SHA256],)
    refused[manifest_file(tier, cooled)] = ([MANIFEST],)
    for path, expected in refused.items():
        for place in range(path.stat().st_size):
            flip(path, place)
            assert judged(tier, cooled, known) in expected, place
            flip(path, place)
    assert judged(tier, cooled, known) == []


def test_every_length_is_found(house: House, tier: Tier, cooled: UUID):
    known = cooling.known(cold.part_of(house, cooled))
    refused = {rows_file(tier, cooled): SIZE, folder(tier, cooled) / "keys.bin": SIZE}
    refused[manifest_file(tier, cooled)] = MANIFEST
    for path, expected in refused.items():
        whole = path.read_bytes()
        path.write_bytes(whole + b"\0")
        assert judged(tier, cooled, known) == [expected]
        for length in reversed(range(len(whole))):
            os.truncate(path, length)
            assert judged(tier, cooled, known) == [expected], length
        path.write_bytes(whole)
    assert judged(tier, cooled, known) == []


def test_nothing_is_written_of_a_damaged_archive(house: House, tier: Tier, cooled: UUID):
    path = rows_file(tier, cooled)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DamagedError, match="bytes instead of"):
        cold_loading.load(house.connection, tier.store, tier.secrets, cooled, "visits", into=INTO)
    assert house.connection.execute("SELECT to_regclass('restage_build.visits_back')").fetchone() == (None,)


def test_files_of_another_set_are_told(house: House, tier: Tier, cooled: UUID):
    other = cold.keep(house, house.deliver("20260106", row("2", note="two")))
    cold.cool(house, tier, other)
    ours, theirs = rows_file(tier, cooled), rows_file(tier, other)
    one, two = ours.read_bytes(), theirs.read_bytes()
    ours.write_bytes(two)
    theirs.write_bytes(one)
    assert verdicts(house, tier, cooled) == verdicts(house, tier, other) == [FOREIGN]
    found = cold_verifying.verify(tier.store, tier.secrets, cooled, "visits")
    assert str(other) in found.findings[0].told


def test_a_manifest_of_another_set_is_refused(house: House, tier: Tier, cooled: UUID):
    other = cold.keep(house, house.deliver("20260106", row("2")))
    cold.cool(house, tier, other)
    manifest_file(tier, cooled).write_bytes(manifest_file(tier, other).read_bytes())
    assert verdicts(house, tier, cooled) == [MANIFEST]


def test_missing_files_are_told(house: House, tier: Tier, cooled: UUID):
    rows_file(tier, cooled).unlink()
    assert verdicts(house, tier, cooled) == [MISSING]
    manifest_file(tier, cooled).unlink()
    assert verdicts(house, tier, cooled) == [MISSING]


def test_a_file_that_nobody_listed_is_told(house: House, tier: Tier, cooled: UUID):
    (folder(tier, cooled) / "rows-0002.parquet").write_bytes(rows_file(tier, cooled).read_bytes())
    assert verdicts(house, tier, cooled) == [FOREIGN]


@pytest.mark.parametrize(
    ("name", "value"), [("rows", 2), ("checksum", "1"), ("table", "calls"), ("files", []), ("tool", "Another")]
)
def test_an_edited_manifest_is_refused(house: House, tier: Tier, cooled: UUID, name: str, value: object):
    path = manifest_file(tier, cooled)
    path.write_text(json.dumps({**json.loads(path.read_text()), name: value}, indent=1, sort_keys=True) + "\n")
    assert verdicts(house, tier, cooled) == [MANIFEST]


def test_a_manifest_without_a_seal_is_refused(house: House, tier: Tier, cooled: UUID):
    path = manifest_file(tier, cooled)
    said = json.loads(path.read_text())
    seals: list[object] = [None, {}, {"key": said["seal"]["key"]}, "x", []]
    for seal in seals:
        path.write_text(json.dumps({**said, "seal": seal}, indent=1, sort_keys=True) + "\n")
        assert verdicts(house, tier, cooled) == [MANIFEST]
    for content in (b"", b"[]", b"null", b"{}", b"[" * 100_000, b"\xff"):
        path.write_bytes(content)
        assert verdicts(house, tier, cooled) == [MANIFEST]


def test_a_sealed_manifest_that_speaks_of_other_rows_than_the_catalogue_is_refused(house: House, tier: Tier, cooled):
    house.connection.execute("UPDATE restage.archive_parts SET checksum = checksum + 1")
    assert verdicts(house, tier, cooled) == [MANIFEST]


@pytest.mark.parametrize(("change", "verdict"), [({"checksum": "1"}, CHECKSUM), ({"rows": 2}, ROWS)])
def test_rows_that_are_not_what_a_sealed_manifest_says_are_refused(house: House, tier: Tier, cooled, change, verdict):
    manifest, _sha256 = cold_manifest.read(tier.store, cooled, "visits", tier.secrets)
    if "rows" in change:
        change["files"] = tuple(replace(entry, rows=2) for entry in manifest.files)
    manifest_file(tier, cooled).write_bytes(replace(manifest, **change).sealed(tier.secrets))
    with pytest.raises(DamagedError) as raised:
        cold_loading.load(house.connection, tier.store, tier.secrets, cooled, "visits", into=INTO)
    assert [finding.verdict for finding in raised.value.findings] == [verdict]
    assert house.connection.execute("SELECT to_regclass('restage_build.visits_back')").fetchone() == (None,)
