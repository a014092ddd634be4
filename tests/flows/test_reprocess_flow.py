"""The whole way of a job: ask, preview, gate, decision, run, outcome, way back; with the worker in this process."""

import pytest
from django.core.exceptions import PermissionDenied

from approvals import gate
from approvals.gate import RefusedError
from approvals.models import Decision, Request
from audit.models import Event
from jobs import claims, submission
from jobs.submission import AlreadyActiveError
from reprocessing import requests, rollback_requests
from reprocessing.planning import CannotPlanError, Options
from tests import ruling
from tests.flows.cancelling import cancelling_once_it_sleeps
from tests.house import House, row
from tests.tampering import unguarded
from tests.workers import worked

pytestmark = pytest.mark.django_db(databases="__all__")
EVERYTHING = Options()


@pytest.fixture
def ask(console: House, people, settings):
    def asked(run, actor="operator", *, options=EVERYTHING, reason="the fee rule was wrong", dry_run=False):
        return requests.ask_reprocess(
            settings.WAREHOUSE_URL, [run], options, reason=reason, actor=people[actor], dry_run=dry_run
        )

    return asked


def one_change(house: House):
    run = house.deliver("20260105", row("1"), row("2"))
    house.write("20260105", row("1", fee="11"), row("2"))
    return run


def test_a_small_job_is_previewed_then_carried_out(console, ask):
    job = worked(ask(one_change(console)))
    assert (job.state, job.plan.tables["visits"]["updated"]) == ("queued", 1)
    assert console.staged()["1"][0] == "10.00", "the preview writes nothing"
    job = worked(job)
    assert (job.state, job.tables) == ("succeeded", job.plan.tables)
    assert job.outcome
    assert console.staged()["1"][0] == "11.00"
    assert console.violations() == 0


def test_the_plan_says_what_is_left_out_and_its_sums_add_up(console, ask):
    console.write("20260105", row("1"), org="a")
    console.write("20260105", row("2"), org="b")
    (loaded,) = console.load().runs
    (console.folder / "b_visits_20260105.csv").unlink()
    job = worked(ask(loaded.load_run_id))
    assert [item["key"] for item in job.plan.included] == ["a_visits_20260105.csv"]
    assert [(item["key"], item["code"]) for item in job.plan.excluded] == [("b_visits_20260105.csv", "missing")]


def test_trap_7_a_run_is_taken_file_by_file(console, ask, people):
    console.write("20260105", row("1"), org="a")
    (console.folder / "b_visits_20260105.csv").write_text("spoilt\n")
    (loaded,) = console.load().runs
    console.write("20260105", row("2"), org="b")
    job = worked(worked(ask(loaded.load_run_id, options=Options(which="failed"))))
    assert (job.state, [item["key"] for item in job.plan.included]) == ("succeeded", ["b_visits_20260105.csv"])
    job = worked(ask(loaded.load_run_id))
    assert [item["key"] for item in job.plan.included] == ["a_visits_20260105.csv"]
    assert [(item["key"], item["code"]) for item in job.plan.excluded] == [("b_visits_20260105.csv", "replaced")]


def test_trap_11_one_scope_holds_for_every_step(console, ask):
    console.write("20260105", row("1"))
    calls = console.folder / "a_calls_20260105.csv"
    calls.write_text("call_id,seen_on,fee,note,updated_at\n7,,1,,\n")
    (loaded,) = console.load().runs
    console.write("20260105", row("1", fee="11"))
    calls.write_text("call_id,seen_on,fee,note,updated_at\n7,,2,,\n")
    job = worked(worked(ask(loaded.load_run_id, options=Options(extracts=("Visits",)))))
    assert list(job.tables) == ["visits"]
    assert [(item["extract"], item["code"]) for item in job.plan.excluded] == [("Calls", "other extract")]
    left = console.connection.execute(
        "SELECT s.fee, f.superseded_at FROM stg.calls s JOIN etl.load_run_files f USING (load_run_file_id)"
    ).fetchall()
    assert [(int(fee), gone) for fee, gone in left] == [(1, None)]


def test_a_file_that_cannot_be_read_again_is_left_out_by_the_preview(console, ask):
    console.write("20260105", row("1"), org="a")
    bad = console.write("20260105", row("2"), org="b")
    (loaded,) = console.load().runs
    bad.write_text("spoilt\n")
    job = worked(ask(loaded.load_run_id))
    assert [(item["key"], item["code"]) for item in job.plan.excluded] == [("b_visits_20260105.csv", "unreadable")]
    assert worked(job).state == "partial"
    assert set(console.staged()) == {"1", "2"}, "the file that was left out still counts as it was"


def test_a_job_of_unreadable_files_only_fails_with_the_reason(console, ask):
    run = one_change(console)
    (console.folder / "a_visits_20260105.csv").write_text("spoilt\n")
    before = console.state()
    job = worked(ask(run))
    assert job.state == "failed"
    assert "header" in job.error and "Staging is unchanged" in job.error
    assert console.state() == before


def test_a_dry_run_ends_with_its_numbers(console, ask):
    before_run = one_change(console)
    before = console.state()
    job = worked(ask(before_run, dry_run=True))
    assert (job.state, job.plan.tables["visits"]["updated"]) == ("previewed", 1)
    assert console.state() == before


def test_a_run_has_one_active_job_at_most(console, ask):
    run = one_change(console)
    first = ask(run)
    with pytest.raises(AlreadyActiveError) as told:
        ask(run)
    assert told.value.job == first


@pytest.mark.parametrize("role", ["viewer", "reviewer", "archive admin", "ops", "auditor"])
def test_only_operators_ask(console, ask, role):
    with pytest.raises(PermissionDenied, match="operator, administrator"):
        ask(one_change(console), role)


def test_an_unknown_run_a_running_one_and_an_unknown_extract_are_refused(console, ask):
    run = one_change(console)
    with pytest.raises(CannotPlanError, match="no extract Nonsense"):
        ask(run, options=Options(extracts=("Nonsense",)))
    console.connection.execute("UPDATE etl.load_runs SET status = 'running', updated_at = now()")
    with pytest.raises(CannotPlanError, match="still running"):
        ask(run)
    console.connection.execute("UPDATE etl.load_runs SET updated_at = now() - interval '3 h'")
    console.connection.execute("UPDATE etl.load_run_files SET updated_at = now() - interval '3 h'")
    ask(run)


@pytest.fixture
def large(people):
    """Two records are more than the threshold."""
    ruling.limit(1)


def test_the_threshold_itself_needs_no_approval(console, ask):
    ruling.limit(2)
    assert worked(ask(one_change(console))).state == "queued"


def test_a_large_job_waits_for_a_second_person(console, ask, people, large):
    job = worked(ask(one_change(console)))
    assert job.state == "awaiting approval"
    worked(job)
    assert console.staged()["1"][0] == "10.00"
    request = Request.objects.get(job=job)
    gate.decide(request, people["reviewer"], approve=True, digest=job.plan.digest, reason="")
    assert worked(job).state == "succeeded"
    acts = list(Event.objects.order_by("id").values_list("actor_name", "action"))
    assert ("reviewer", "request approved") in acts and ("operator", "job requested") in acts


def test_nobody_decides_on_their_own_job(console, ask, people, large):
    job = worked(ask(one_change(console), "administrator"))
    request = Request.objects.get(job=job)
    with pytest.raises(RefusedError, match="somebody else"):
        gate.decide(request, people["administrator"], approve=True, digest=job.plan.digest, reason="")
    with pytest.raises(PermissionDenied):
        gate.decide(request, people["operator"], approve=True, digest=job.plan.digest, reason="")
    assert not Decision.objects.exists()


def test_a_decision_counts_for_the_digest_that_was_read_only(console, ask, people, large):
    job = worked(ask(one_change(console)))
    request = Request.objects.get(job=job)
    with pytest.raises(RefusedError, match="not the one that you were shown"):
        gate.decide(request, people["reviewer"], approve=True, digest="0" * 64, reason="")
    with unguarded("jobs_plan"):
        type(job.plan).objects.filter(pk=job.plan.pk).update(reason="something else")
    with pytest.raises(RefusedError, match="not the one that you were shown"):
        gate.decide(request, people["reviewer"], approve=True, digest=job.plan.digest, reason="")


def test_one_decision_is_final(console, ask, people, large):
    job = worked(ask(one_change(console)))
    request = Request.objects.get(job=job)
    with pytest.raises(RefusedError, match="needs a reason"):
        gate.decide(request, people["reviewer"], approve=False, digest=job.plan.digest, reason=" ")
    gate.decide(request, people["reviewer"], approve=False, digest=job.plan.digest, reason="not on a Friday")
    with pytest.raises(RefusedError, match="rejected"):
        gate.decide(request, people["reviewer2"], approve=True, digest=job.plan.digest, reason="")
    job.refresh_from_db()
    assert (job.state, job.error) == ("rejected", "Rejected by reviewer: not on a Friday")


def test_what_changed_after_the_approval_is_not_published(console, ask, people, large):
    run = one_change(console)
    job = worked(ask(run))
    gate.decide(Request.objects.get(job=job), people["reviewer"], approve=True, digest=job.plan.digest, reason="")
    console.deliver("20260112", row("1", fee="12"))
    before = console.state()
    job = worked(job)
    assert job.state == "failed"
    assert "not what was approved" in job.error
    assert console.state() == before


def test_a_rollback_is_asked_previewed_approved_and_done(console, ask, people, settings):
    job = worked(worked(ask(one_change(console))))
    back = rollback_requests.ask(settings.WAREHOUSE_URL, job, reason="wrong file", actor=people["operator"])
    back = worked(back)
    assert (back.state, back.plan.tables["visits"]["updated"]) == ("awaiting approval", 1)
    gate.decide(Request.objects.get(job=back), people["reviewer"], approve=True, digest=back.plan.digest, reason="")
    assert worked(back).state == "succeeded"
    job.refresh_from_db()
    assert job.state == "rolled back"
    assert console.staged()["1"][0] == "10.00"
    assert console.violations() == 0
    with pytest.raises(CannotPlanError):
        rollback_requests.ask(settings.WAREHOUSE_URL, job, reason="again", actor=people["operator"])


def test_cancelling_before_a_worker_comes_ends_the_job(console, ask, people):
    job = ask(one_change(console))
    assert submission.cancel(job, people["ops"]) is True
    before = console.state()
    assert worked(job).state == "cancelled"
    assert console.state() == before


@pytest.mark.django_db(transaction=True, databases="__all__")
def test_cancelling_a_running_job_stops_it_before_it_publishes(console, ask, people, monkeypatch, settings):
    monkeypatch.setattr(claims, "BEAT_SECONDS", 0.05)
    job = worked(ask(one_change(console)))
    console.connection.execute(
        "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(20); RETURN NEW; END'"
    )
    console.connection.execute("CREATE TRIGGER slow BEFORE INSERT ON raw.visits FOR EACH ROW EXECUTE FUNCTION slow()")
    before = console.state()
    with cancelling_once_it_sleeps(settings.WAREHOUSE_URL, job):
        job = worked(job)
    assert (job.state, "staging is unchanged" in job.error) == ("cancelled", True)
    assert console.state() == before


def test_two_workers_never_have_the_same_job(console, ask):
    job = ask(one_change(console))
    assert claims.claim(job.pk) is not None
    assert claims.claim(job.pk) is None


def test_no_value_of_a_row_reaches_the_job_or_the_trail(console, ask):
    run = one_change(console)
    console.write("20260105", row("1", note="secret"))
    job = worked(ask(run))
    console.connection.execute("ALTER TABLE stg.visits ADD CONSTRAINT hidden CHECK (note <> 'secret')")
    before = console.state()
    job = worked(job)
    assert (job.state, "constraint hidden" in job.error) == ("failed", True)
    said = f"{job.error}{job.plan.preview}{job.plan.included}{list(Event.objects.values())}"
    assert "secret" not in said
    assert console.state() == before
