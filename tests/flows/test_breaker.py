"""The circuit breaker: a preview that looks wrong stops its job and every later one, until a person lets one try."""

import pytest
from django.test import Client

from approvals import gate
from approvals.models import Request
from audit.models import Event
from jobs import submission
from reprocessing import breaker, requests
from reprocessing.breaker import Evidence
from reprocessing.models import Breaker
from reprocessing.planning import Options
from tests.house import House, row
from tests.workers import worked
from warehouse.diff import Counts

pytestmark = pytest.mark.django_db(databases="__all__")


@pytest.mark.parametrize(
    ("found", "told"),
    [
        (Evidence(Counts(records=200, rejected=10)), ""),
        (Evidence(Counts(records=200, rejected=11)), "5.5 % of the records were rejected (limit 5 %)."),
        (Evidence(Counts(records=9, rejected=9)), ""),
        (Evidence(Counts(records=10), malformed=10), "50 % of the records were rejected (limit 5 %)."),
        (Evidence(Counts(records=100, rejected=10), before_read=100, before_rejected=10), ""),
        (
            Evidence(Counts(records=100, rejected=11), before_read=100, before_rejected=10),
            "11 % of the records were rejected (limit 5 %). Of the attempts it would replace it was 10 %.",
        ),
        (Evidence(Counts(records=50), before_read=100, before_rejected=0), ""),
        (Evidence(Counts(records=150), before_read=100, before_rejected=0), ""),
        (Evidence(Counts(records=4), before_read=9, before_rejected=0), ""),
        (Evidence(Counts(records=49), before_read=100), "49 records were read, and 100 by the attempts to replace"),
        (Evidence(Counts(records=151), before_read=100), "151 records were read, and 100 by the attempts"),
        (Evidence(Counts(deleted=20, unchanged=80)), ""),
        (Evidence(Counts(deleted=21, unchanged=79)), "21 of 100 rows would be removed (21 %, limit 20 %)."),
        (Evidence(Counts(deleted=9)), ""),
        (Evidence(Counts(), failures_in_a_row=5), ""),
        (Evidence(Counts(), failures_in_a_row=6), "6 files in a row could not be read (limit 5)."),
    ],
)
def test_each_limit_is_strict_and_small_numbers_say_nothing(found, told):
    said = breaker.judge(found)
    assert len(said) == bool(told)
    assert not told or said[0].startswith(told)


@pytest.fixture
def ask(console: House, people, settings):
    def asked(run, **options):
        dry_run = options.pop("dry_run", False)
        job = requests.ask_reprocess(
            settings.WAREHOUSE_URL, [run], Options(**options), reason="r", actor=people["operator"], dry_run=dry_run
        )
        return worked(job)

    return asked


GOOD = [row(str(n)) for n in range(40)]
BAD = [row(str(n), seen="never" if n < 12 else "2026-01-05") for n in range(40)]


@pytest.fixture
def spoilt(console: House):
    run = console.deliver("20260105", *GOOD)
    console.write("20260105", *BAD)
    return run


def test_a_bad_preview_stops_its_job_and_shows_what_it_found(console, ask, spoilt):
    before = console.state()
    job = ask(spoilt)
    assert job.state == "failed"
    assert job.error.startswith("Stopped before publishing. Staging is unchanged. Visits: 30 % of the records")
    assert job.plan.tables["visits"]["rejected"] == 12 and job.plan.digest
    assert console.state() == before
    found = Breaker.objects.get()
    assert (found.extract, found.state, found.tripped_by) == ("Visits", "open", job)
    assert Event.objects.filter(action="breaker open", subject=f"breaker:{found.pk}").exists()


def test_an_open_breaker_stops_good_jobs_too_until_one_is_let_try(console, ask, spoilt, people):
    first = ask(spoilt)
    console.write("20260105", *GOOD, row("41"))
    stopped = ask(spoilt)
    assert stopped.state == "failed" and "The circuit breaker of Visits is open" in stopped.error
    breaker.reset(Breaker.objects.get(), people["ops"], reason="the supplier sent it again")
    trial = ask(spoilt)
    assert trial.state == "queued"
    other = console.deliver("20260106", row("50"))
    assert f"job {trial.pk} is its trial" in ask(other).error, "one at a time"
    assert worked(trial).state == "succeeded"
    assert Breaker.objects.get().state == "closed"
    assert ask(other).state == "queued"
    assert console.violations() == 0
    assert first.state == "failed"


def test_a_trial_that_is_bad_again_opens_it_again(console, ask, spoilt, people):
    ask(spoilt)
    breaker.reset(Breaker.objects.get(), people["ops"], reason="perhaps")
    again = ask(spoilt)
    found = Breaker.objects.get()
    assert (again.state, found.state, found.tripped_by) == ("failed", "open", again)


def test_a_trial_that_was_cancelled_leaves_room_for_another(console, ask, spoilt, people):
    ask(spoilt)
    breaker.reset(Breaker.objects.get(), people["ops"], reason="perhaps")
    console.write("20260105", *GOOD)
    trial = ask(spoilt)
    submission.cancel(trial, people["operator"])
    assert Breaker.objects.get().state == "half open"
    assert ask(spoilt).state == "queued"


def test_a_dry_run_trips_nothing(console, ask, spoilt):
    job = ask(spoilt, dry_run=True)
    assert job.state == "previewed"
    (found,) = job.plan.preview["objections"]["Visits"][:1]
    assert found == "30 % of the records were rejected (limit 5 %). Of the attempts it would replace it was 0 %."
    assert not Breaker.objects.exists()


def test_past_the_breaker_only_with_an_approval(console, ask, spoilt, people):
    job = ask(spoilt, past_breaker=True)
    assert job.state == "awaiting approval"
    request = Request.objects.get(job=job)
    assert request.why == ["It goes past the circuit breaker."]
    gate.decide(
        request, people["reviewer"], approve=True, digest=job.plan.digest, reason="they are wrong at the source"
    )
    assert worked(job).state == "succeeded"
    assert len(console.staged()) == 28
    assert console.violations() == 0


def test_other_extracts_go_on(console, ask, spoilt):
    ask(spoilt)
    (console.folder / "a_calls_20260105.csv").write_text("call_id,seen_on,fee,note,updated_at\n7,,1,,\n")
    (loaded,) = console.load().runs
    assert ask(loaded.load_run_id).state == "queued"


def test_many_unreadable_files_in_a_row_trip_it(console, people, settings):
    for org in "abcdef":
        (console.folder / f"{org}_visits_20260105.csv").write_text("spoilt\n")
    (loaded,) = console.load().runs
    job = worked(
        requests.ask_reprocess(
            settings.WAREHOUSE_URL, [loaded.load_run_id], Options(), reason="r", actor=people["operator"]
        )
    )
    assert job.state == "failed"
    assert Breaker.objects.get().why == ["6 files in a row could not be read (limit 5)."]


def test_the_page_tells_why_and_a_reset_needs_a_right_and_a_reason(console, ask, spoilt, people):
    ask(spoilt)
    found = Breaker.objects.get()
    clients = {name: Client() for name in ("viewer", "operator", "ops")}
    for name, client in clients.items():
        client.force_login(people[name])
    assert "30 % of the records were rejected" in clients["viewer"].get("/breakers/").content.decode()
    path = f"/breakers/{found.pk}/reset/"
    assert clients["operator"].post(path, {"reason": "r"}).status_code == 403
    clients["ops"].post(path, {"reason": "  "})
    assert Breaker.objects.get().state == "open"
    clients["ops"].post(path, {"reason": "sent again"})
    found.refresh_from_db()
    assert (found.state, found.reset_reason, found.reset_by) == ("half open", "sent again", people["ops"])
    assert "was not open any more" in clients["ops"].post(path, {"reason": "r"}, follow=True).content.decode()
