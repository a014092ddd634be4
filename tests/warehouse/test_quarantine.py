"""A quarantined file: nothing of it counts, whatever is loaded after; rolled back, it counts as before."""

import pytest

from tests.house import House, new_run, row
from warehouse import attempts, deliveries, discovery, freshness
from warehouse.attempts import ReplacedMeanwhileError
from warehouse.reprocess import ChangedSincePreviewError, Work


def files(house: House, run) -> tuple[int, ...]:
    return tuple(attempt.load_run_file_id for attempt in attempts.of_runs(house.connection, [run]))


def quarantined(house: House, run):
    """The job that quarantined the files of the run, and its outcome."""
    return house.reprocess(run, work=Work(quarantine=files(house, run)))


def owners(house: House) -> dict[str, int]:
    return dict(house.connection.execute("SELECT visit_id, load_run_file_id FROM stg.visits").fetchall())


@pytest.fixture
def two(house: House):
    """Two runs; the second changed 1, said of 2 the same again, and brought 3."""
    first = house.deliver("20260105", row("1", "10"), row("2", "20"), row("9", "90"))
    second = house.deliver("20260106", row("1", "11"), row("2", "20"), row("3", "30"))
    return first, second


def test_rows_fall_back_to_the_file_before_or_go(house: House, two):
    _job, outcome = quarantined(house, two[1])

    assert house.staged() == {"1": ("10.00", None), "2": ("20.00", None), "9": ("90.00", None)}
    counts = outcome["tables"]["visits"]
    assert (counts["deleted"], counts["updated"], counts["inserted"]) == (1, 1, 0)
    assert house.violations() == 0


def test_a_row_that_stays_is_owned_by_the_file_that_makes_it_now(house: House):
    newer = house.deliver("20260106", row("2", "20"))
    older = house.deliver("20260105", row("2", "20"))
    assert owners(house) == {"2": files(house, newer)[0]}

    quarantined(house, newer)

    assert owners(house) == {"2": files(house, older)[0]}


def test_its_raw_records_stay_and_the_run_says_why(house: House, two):
    before = house.connection.execute("SELECT count(*) FROM raw.visits").fetchone()

    _job, outcome = quarantined(house, two[1])

    assert house.connection.execute("SELECT count(*) FROM raw.visits").fetchone() == before
    (made,) = attempts.of_runs(house.connection, [new_run(outcome)])
    (was,) = attempts.of_runs(house.connection, [two[1]])
    assert (made.status, made.rows_read, made.content) == ("quarantined", 0, was.content)
    assert was.superseded_in == new_run(outcome)
    assert house.connection.execute(
        "SELECT r.status, f.error_message FROM etl.load_runs r JOIN etl.load_run_files f USING (load_run_id)"
        " WHERE load_run_id = %s",
        [new_run(outcome)],
    ).fetchone() == ("completed", "logic changed")


def test_a_preview_says_what_the_publish_does(house: House, two):
    work = Work(quarantine=files(house, two[1]))
    shown = house.prepare(work)

    _job, outcome = house.reprocess(two[1], work=work, expected=shown.diffs)

    assert outcome["tables"]["visits"] == shown.diffs["visits"].as_json()


def test_what_was_shown_binds(house: House, two):
    work = Work(quarantine=files(house, two[1]))
    shown = house.prepare(work)
    house.deliver("20260107", row("3", "33"))
    before = house.state()

    with pytest.raises(ChangedSincePreviewError):
        house.reprocess(two[1], work=work, expected=shown.diffs)

    assert house.state() == before


def test_a_rollback_lets_it_count_again_exactly(house: House, two):
    house.connection.execute("UPDATE stg.visits SET reviewed_by = 'Ines' WHERE visit_id = '3'")
    before = house.connection.execute("SELECT * FROM stg.visits ORDER BY 1").fetchall()
    job, _outcome = quarantined(house, two[1])

    house.roll_back(job)

    assert house.connection.execute("SELECT * FROM stg.visits ORDER BY 1").fetchall() == before
    assert house.violations() == 0
    with pytest.raises(ReplacedMeanwhileError):
        house.reprocess(two[1], work=Work(quarantine=(files(house, two[1])[0] + 1,)))


def test_rows_that_stayed_but_passed_to_another_file_come_back_to_it(house: House):
    newer = house.deliver("20260106", row("2", "20"), row("3", "30"))
    house.deliver("20260105", row("2", "20"))
    before = house.connection.execute("SELECT * FROM stg.visits ORDER BY visit_id").fetchall()
    job, _outcome = quarantined(house, newer)
    house.connection.execute("UPDATE stg.visits SET reviewed_by = 'Ines' WHERE visit_id = '2'")

    assert house.roll_back(job)["tables"]["visits"]["restored_exactly"] == 2

    after = house.connection.execute("SELECT * FROM stg.visits ORDER BY visit_id").fetchall()
    assert [r[:6] + r[7:] for r in after] == [r[:6] + r[7:] for r in before]
    assert (after[0][6], after[1][6]) == ("Ines", None)


def test_a_row_that_somebody_has_written_since_keeps_its_owner(house: House):
    newer = house.deliver("20260106", row("2", "20"), org="a")
    older = house.deliver("20260105", row("2", "20"), org="a")
    job, _outcome = quarantined(house, newer)
    work = Work(files=house.work(older).files, rewrite=True)
    _again, outcome = house.reprocess(older, work=work)

    house.roll_back(job)

    assert house.violations() == 0
    assert owners(house) == {"2": files(house, new_run(outcome))[0]}


def test_a_later_file_wins_its_keys_and_the_quarantined_one_does_not_come_back(house: House, two):
    quarantined(house, two[1])
    house.deliver("20260107", row("3", "33"))
    assert house.staged()["3"] == ("33.00", None)
    assert house.staged()["1"] == ("10.00", None)
    assert house.violations() == 0


def test_it_is_not_loaded_again_and_nothing_proposes_it(house: House, two):
    _job, outcome = quarantined(house, two[1])

    (told,) = [left for left in house.load().left_out if "20260106" in left.key]
    assert told.code == "quarantined"
    assert str(new_run(outcome)) in told.reason
    assert discovery.find(house.connection, house.registry, discovery.Filter()).files == 0
    assert freshness.find(house.connection, house.registry).live == 1


def test_it_is_not_loaded_again_from_another_folder_either(house: House, two, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for path in house.folder.iterdir():
        (elsewhere / path.name).write_bytes(path.read_bytes())
    job, _outcome = quarantined(house, two[1])

    report = deliveries.load(house.connection, house.registry, str(elsewhere))

    assert (report.runs, {left.code for left in report.left_out}) == ([], {"loaded"})
    assert house.staged()["1"] == ("10.00", None)
    house.roll_back(job)
    assert house.staged()["1"] == ("11.00", None)


def test_reading_it_anew_ends_the_quarantine_and_taking_that_back_restores_it(house: House, two):
    _job, outcome = quarantined(house, two[1])
    house.write("20260106", row("1", "12"), row("3", "31"))

    again, _outcome = house.reprocess(new_run(outcome))
    assert house.staged() == {"1": ("12.00", None), "2": ("20.00", None), "3": ("31.00", None), "9": ("90.00", None)}
    assert house.violations() == 0

    house.roll_back(again)
    assert house.staged() == {"1": ("10.00", None), "2": ("20.00", None), "9": ("90.00", None)}
    assert house.violations() == 0


def test_a_file_of_which_no_content_was_kept_can_be_quarantined(house: House, two):
    house.connection.execute("UPDATE etl.load_run_files SET content_sha256 = NULL, content_bytes = NULL")

    _job, outcome = quarantined(house, two[1])

    (made,) = attempts.of_runs(house.connection, [new_run(outcome)])
    assert made.content is None
    hashes = house.connection.execute(
        "SELECT count(DISTINCT file_hash) FROM etl.load_run_files WHERE s3_key LIKE '%20260106%'"
    ).fetchone()
    assert hashes == (1,)


def test_one_quarantine_a_job(house: House, two):
    work = Work(quarantine=files(house, two[1]))
    job, outcome = house.reprocess(two[1], work=work)

    assert house.reprocess(two[1], job=job, epoch=2, work=work)[1] == outcome
    assert house.violations() == 0
