"""What needs reprocessing: each file that is found has a reason to be taken or left out, and the sums add up."""

from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from tests.house import House, row
from warehouse import attempts, discovery
from warehouse.discovery import Filter

ANY = Filter()


def fail(house: House, day: str, org: str = "a", *, text: str = "spoilt\n") -> UUID:
    (house.folder / f"{org}_visits_{day}.csv").write_text(text)
    (loaded,) = house.load().runs
    assert loaded.failed
    return loaded.load_run_id


def file_of(house: House, run: UUID) -> int:
    (found,) = attempts.of_runs(house.connection, [run])
    return found.load_run_file_id


def age(house: House, run: UUID, by: str) -> None:
    for table in ("load_run_files", "load_runs"):
        house.connection.execute(
            f"UPDATE etl.{table} SET created_at = created_at - %(by)s::interval,"
            " updated_at = updated_at - %(by)s::interval WHERE load_run_id = %(run)s",
            {"by": by, "run": run},
        )
    house.connection.execute(
        "UPDATE etl.load_run_files SET finished_at = finished_at - %s::interval WHERE load_run_id = %s", [by, run]
    )


def last_tried(house: House, minutes: int) -> None:
    house.connection.execute("UPDATE restage.failed_tries SET at = now() - make_interval(mins => %s)", [minutes])


def find(house: House, wanted: Filter = ANY, **more):
    found = discovery.find(house.connection, house.registry, wanted, **more)
    listed = discovery.candidates(house.connection, house.registry, wanted, **more)
    assert found.files == found.taken + sum(found.left_out.values()) == len(listed)
    assert found.files == sum(cause.files for cause in found.causes) == sum(number for _label, number in found.ages)
    assert found.taken == sum(cause.taken for cause in found.causes) == len([c for c in listed if not c.code])
    return found


def codes(house: House, wanted: Filter = ANY, **more) -> dict[int, str]:
    return {c.load_run_file_id: c.code for c in discovery.candidates(house.connection, house.registry, wanted, **more)}


def test_a_warehouse_without_failures_needs_nothing(house: House):
    house.deliver("20260105", row("1"))
    assert find(house).files == 0


def test_trap_27_a_completed_run_with_a_failed_file_is_found(house: House):
    house.write("20260105", row("1"), org="a")
    (house.folder / "b_visits_20260105.csv").write_text("spoilt\n")
    (loaded,) = house.load().runs
    assert find(house).taken == 1
    (candidate,) = discovery.candidates(house.connection, house.registry, ANY)
    assert (candidate.s3_key, candidate.why, candidate.load_run_id) == (
        "b_visits_20260105.csv",
        "failed",
        loaded.load_run_id,
    )


def test_failures_of_one_kind_are_one_cause_whatever_their_names_and_numbers(house: House):
    for number in range(4):
        fail(house, f"2026010{number + 1}", org="abcd"[number])
    fail(house, "20260109", text="visit_id,seen_on,fee,note,updated_at\n" + "1,2\n" * 3)
    causes = find(house).causes
    assert [(cause.files, cause.runs) for cause in causes] == [(4, 4), (1, 1)]
    assert not any(character.isdigit() for cause in causes for character in cause.told)
    only = find(house, Filter(cause=causes[1].cause))
    assert (only.files, only.taken) == (1, 1)


def test_trap_26_a_file_stuck_in_processing_is_found_once_it_is_silent(house: House):
    run = house.deliver("20260105", row("1"))
    house.connection.execute("UPDATE etl.load_run_files SET status = 'processing', finished_at = NULL")
    house.connection.execute("UPDATE etl.load_runs SET status = 'running', updated_at = now()")
    assert find(house).left_out == {"still running": 1}
    age(house, run, "3 hours")
    (candidate,) = discovery.candidates(house.connection, house.registry, ANY)
    assert (candidate.why, candidate.code) == ("stuck", "")


@pytest.mark.parametrize(
    ("good", "bad", "found"), [(19, 1, False), (18, 1, True), (0, 1, True), (95, 5, False), (94, 5, True)]
)
def test_trap_28_more_than_five_of_a_hundred_records_refused(house: House, good, bad, found):
    rows = [row(str(n)) for n in range(good)] + [row(f"b{n}", seen="never") for n in range(bad)]
    house.deliver("20260105", *rows)
    assert find(house).taken == int(found), "strictly greater"


def test_trap_28_nothing_read_and_something_refused_is_all_of_it(house: House):
    run = house.deliver("20260105", row("1"))
    house.connection.execute("UPDATE etl.load_run_files SET rows_read = 0, rows_rejected = 1")
    assert find(house).taken == 1, run


def test_trap_32_age_and_limit_leave_out_with_a_count(house: House):
    runs = [fail(house, f"2026010{n}") for n in (1, 2, 3, 4)]
    for run, days in zip(runs, (40, 10, 2, 0), strict=True):
        age(house, run, f"{days} days")
    found = find(house, Filter(newer_than=timedelta(days=20), older_than=timedelta(days=1)))
    assert (found.taken, found.left_out) == (2, {"too old": 1, "too new": 1})
    assert [number for _label, number in found.ages] == [1, 0, 1, 1, 1]
    found = find(house, Filter(most=1))
    assert (found.taken, found.left_out) == (1, {"beyond the limit": 3})
    (first,) = discovery.candidates(house.connection, house.registry, Filter(most=1), only_taken=True)
    assert first.load_run_id == runs[0], "the source's oldest first"


def test_the_clock_of_the_age_can_be_chosen(house: House):
    fail(house, "20200101")
    assert find(house, Filter(age_of="extracted", newer_than=timedelta(days=30))).left_out == {"too old": 1}
    assert find(house, Filter(age_of="received", newer_than=timedelta(days=30))).taken == 1


def test_extracts_come_in_the_order_of_their_dependencies(house: House):
    fail(house, "20260105")
    (house.folder / "a_calls_20260101.csv").write_text("spoilt\n")
    house.load()
    order = [extract.name for extract in house.registry.extracts]
    found = [c.extract_type for c in discovery.candidates(house.connection, house.registry, ANY)]
    assert found == sorted(found, key=order.index)


def test_traps_33_34_a_file_that_keeps_failing_waits_longer_and_is_quarantined(house: House):
    run = fail(house, "20260105")
    file = file_of(house, run)
    for tried, minutes in enumerate((15, 30), start=1):
        discovery.note_failed_try(house.connection, uuid4(), file, "no")
        assert codes(house) == {file: "backing off"}
        last_tried(house, minutes - 1)
        assert codes(house) == {file: "backing off"}, tried
        last_tried(house, minutes + 1)
        assert codes(house) == {file: ""}
    discovery.note_failed_try(house.connection, uuid4(), file, "no")
    house.connection.execute("UPDATE restage.failed_tries SET at = now() - interval '1 year'")
    assert codes(house) == {file: "quarantined"}
    assert discovery.release(house.connection, [file, 999]) == 1
    assert codes(house) == {file: ""}


def test_one_job_counts_as_one_try(house: House):
    file, job = file_of(house, fail(house, "20260105")), uuid4()
    for _again in range(5):
        discovery.note_failed_try(house.connection, job, file, "no")
    (candidate,) = discovery.candidates(house.connection, house.registry, ANY)
    assert candidate.tries == 1


def test_trap_33_what_was_reprocessed_in_vain_is_not_taken_again(house: House):
    run = house.deliver("20260105", row("1"), row("2", seen="never"))
    assert find(house).taken == 1
    house.reprocess(run)
    assert find(house).left_out == {"reprocessed already": 1}


def test_what_was_reprocessed_with_success_is_not_found(house: House):
    run = fail(house, "20260105")
    house.write("20260105", row("1"))
    house.reprocess(run)
    assert find(house).files == 0


def test_trap_33_a_rolled_back_attempt_is_not_found_but_what_counts_again_is(house: House):
    run = fail(house, "20260105")
    house.write("20260105", row("1"))
    job, _outcome = house.reprocess(run)
    house.roll_back(job)
    assert list(codes(house)) == [file_of(house, run)]


def test_runs_of_active_jobs_and_undeclared_extracts_are_left_out(house: House):
    run = fail(house, "20260105")
    assert find(house, held=[run]).left_out == {"in flight": 1}
    house.connection.execute("UPDATE etl.load_run_files SET extract_type = 'Gone'")
    assert find(house).left_out == {"undeclared": 1}
    assert find(house, Filter(extract="Visits")).files == 0
