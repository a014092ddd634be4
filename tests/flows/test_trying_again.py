"""What passes is tried again as a whole, what does not is not, and an outage fails no job."""

from uuid import uuid4

import psycopg
import pytest

from jobs import claims, work
from jobs.models import Job
from reprocessing import requests
from reprocessing.planning import Options
from tests.flows.cancelling import cancelling_once_it_sleeps
from tests.house import House, row
from warehouse import journal
from warehouse.connections import connect
from warehouse.journal import LostFenceError, Writer

pytestmark = pytest.mark.django_db(databases="__all__")


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(work, "WAITS", (0.01,) * 5)


@pytest.fixture
def queued(console: House, people, settings) -> Job:
    """A job that is previewed and may be carried out."""
    run = console.deliver("20260105", row("1"), row("2"))
    console.write("20260105", row("1", fee="11"), row("2"))
    job = requests.ask_reprocess(
        settings.WAREHOUSE_URL, [run], Options(), reason="the fee rule was wrong", actor=people["operator"]
    )
    return worked(job)


def worked(job: Job) -> Job:
    work.run(job.pk)
    return Job.objects.select_related("plan").get(pk=job.pk)


def trouble(house: House, what: str, *, times: int) -> None:
    """Have the first so many writes to staging meet `what`; a sequence counts, as no rollback undoes that."""
    house.connection.execute("CREATE SEQUENCE met")
    house.connection.execute(
        f"CREATE FUNCTION trouble() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        f" IF nextval('met') <= {times} THEN {what}; END IF; RETURN NULL; END $$".encode()
    )
    house.connection.execute("CREATE TRIGGER trouble AFTER UPDATE ON stg.visits EXECUTE FUNCTION trouble()")


def met(house: House) -> int:
    (found,) = house.connection.execute("SELECT last_value FROM met").fetchone() or (0,)
    return int(found)


LOST = "PERFORM pg_terminate_backend(pg_backend_pid()); PERFORM pg_sleep(5)"


@pytest.mark.parametrize(
    "what",
    [
        LOST,
        "RAISE EXCEPTION 'x' USING ERRCODE = 'serialization_failure'",
        "RAISE EXCEPTION 'x' USING ERRCODE = 'deadlock_detected'",
    ],
)
def test_what_passes_is_tried_again_and_done_once(console, queued, what):
    trouble(console, what, times=2)
    job = worked(queued)
    assert (job.state, met(console)) == ("succeeded", 3)
    assert job.attempts == 1, "the same worker went on"
    assert console.staged()["1"][0] == "11.00"
    assert console.violations() == 0
    assert console.connection.execute("SELECT count(*) FROM restage.effects").fetchone() == (1,)


def test_any_other_error_is_not_tried_again(console, queued):
    trouble(console, "RAISE EXCEPTION 'x' USING ERRCODE = 'check_violation'", times=9)
    before = console.state()
    job = worked(queued)
    assert (job.state, met(console)) == ("failed", 1)
    assert "SQLSTATE 23514" in job.error and "staging is unchanged" in job.error
    assert console.state() == before


def test_a_deadlock_that_does_not_pass_fails_the_job_after_six_tries(console, queued):
    trouble(console, "RAISE EXCEPTION 'x' USING ERRCODE = 'deadlock_detected'", times=99)
    before = console.state()
    job = worked(queued)
    assert (job.state, met(console)) == ("failed", 6)
    assert console.state() == before


def test_an_outage_fails_no_job_and_counts_no_attempt(console, queued, settings):
    there = settings.WAREHOUSE_URL
    settings.WAREHOUSE_URL = "postgresql://nobody@127.0.0.1:1/none"
    for _time in range(claims.MOST_ATTEMPTS + 1):
        job = worked(queued)
        assert (job.state, job.attempts, job.lease_until, job.error) == ("queued", 0, None, "")
    settings.WAREHOUSE_URL = there
    assert worked(queued).state == "succeeded"


def test_a_lost_commit_answer_is_settled_by_the_journal(console, queued, monkeypatch):
    """The connection is cut right when the answer to the publishing COMMIT arrives."""
    real = psycopg.Connection.wait
    cut: list[bool] = []

    def wait(self, *args, **options):
        found = real(self, *args, **options)
        name = self.info.parameter_status("application_name") or ""
        published = not cut and name.startswith("restage job") and self.info.transaction_status.name == "IDLE"
        if published and journal.done(console.connection, queued.pk, "publish"):
            cut.append(True)
            self.pgconn.finish()
            raise psycopg.OperationalError("cut")
        return found

    monkeypatch.setattr(psycopg.Connection, "wait", wait)
    job = worked(queued)
    assert (job.state, cut) == ("succeeded", [True])
    assert console.connection.execute("SELECT count(*) FROM restage.effects").fetchone() == (1,)
    assert console.violations() == 0


def test_a_worker_that_hangs_in_a_transaction_is_ended_by_the_next_claim(console, settings):
    older, newer = (Writer(job, epoch, "operator") for job in [uuid4()] for epoch in (1, 2))
    purpose = journal.session_purpose(older.job_id)
    with connect(settings.WAREHOUSE_URL, purpose=purpose) as hung:
        journal.raise_fence(hung, older)
        with pytest.raises(psycopg.OperationalError), hung.transaction():
            journal.hold_fence(hung, older)
            with connect(settings.WAREHOUSE_URL, purpose=purpose) as fresh:
                journal.raise_fence(fresh, newer)
            hung.execute("SELECT 1")
    with connect(settings.WAREHOUSE_URL, purpose=purpose) as again, pytest.raises(LostFenceError):
        journal.raise_fence(again, older)


def after_the_commit(house: House, what: str) -> None:
    """Have the statement after the publishing transaction meet `what`."""
    trouble(house, what, times=99)
    house.connection.execute("DROP TRIGGER trouble ON stg.visits")
    house.connection.execute(
        "CREATE TRIGGER trouble AFTER UPDATE ON restage.stale_core FOR EACH ROW"
        " WHEN (NEW.settled_at IS NOT NULL) EXECUTE FUNCTION trouble()"
    )


@pytest.mark.parametrize("state", ["query_canceled", "check_violation"])
def test_what_goes_wrong_after_the_commit_undoes_nothing_and_says_so(console, queued, state):
    """A cancel, say, that reaches the worker with the statement after the publishing transaction."""
    after_the_commit(console, f"RAISE EXCEPTION 'x' USING ERRCODE = '{state}'")
    job = worked(queued)
    assert (job.state, job.error) == ("succeeded", "")
    assert job.tables["visits"]["updated"] == 1
    assert console.staged()["1"][0] == "11.00"


@pytest.mark.django_db(transaction=True, databases="__all__")
def test_a_cancel_that_is_heard_after_the_commit_is_too_late(console, queued, monkeypatch, settings):
    monkeypatch.setattr(claims, "BEAT_SECONDS", 0.05)
    after_the_commit(console, "PERFORM pg_sleep(20)")
    with cancelling_once_it_sleeps(settings.WAREHOUSE_URL, queued):
        job = worked(queued)
    assert (job.state, job.cancel_asked, job.error) == ("succeeded", True, "")
    assert console.staged()["1"][0] == "11.00"


def test_a_cancel_that_no_worker_has_heard_yet_is_not_forgotten(console, queued):
    """It was asked for in the last moment of the preview, and the run is shorter than a heartbeat."""
    Job.objects.filter(pk=queued.pk).update(cancel_asked=True)
    before = console.state()
    assert worked(queued).state == "cancelled"
    assert console.state() == before
