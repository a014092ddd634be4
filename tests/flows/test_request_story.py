"""A request from end to end, on a warehouse: sent back, planned anew, approved for a window, carried out once."""

from datetime import UTC, timedelta

import pytest
from django.utils import timezone

from approvals.models import Request, Window
from jobs import work
from jobs.models import Job
from reprocessing import requests, revising, rollback_requests
from reprocessing.planning import CannotPlanError, Options
from tests import ruling
from tests.house import House, row
from tests.tampering import unguarded
from tests.workers import worked

pytestmark = pytest.mark.django_db(databases="__all__")


@pytest.fixture
def sent_back(console: House, people, as_, settings, monkeypatch):
    """A reprocessing whose reviewer has asked for changes."""
    ruling.limit(1)
    run = console.deliver("20260105", row("1"), row("2"))
    console.write("20260105", row("1", fee="11"), row("2", fee="12"))
    job = worked(
        requests.ask_reprocess(
            settings.WAREHOUSE_URL, [run], Options(), reason="fees were wrong", actor=people["operator"]
        )
    )
    as_("operator").post(f"/jobs/{job.pk}/comments/", {"text": "Finance found it."})
    verdict = {"digest": job.plan.digest, "verdict": "changes", "reason": "say which fees", "password": "pass-word-1"}
    as_("reviewer").post(f"/jobs/{job.pk}/decision/", verdict)
    job.refresh_from_db()
    assert (job.state, console.staged()["1"][0]) == ("rejected", "10.00")
    return job


def shut_for(hours: int) -> Window:
    begins = (timezone.now() + timedelta(hours=hours)).astimezone(UTC).time().replace(microsecond=0)
    ends = (timezone.now() + timedelta(hours=hours + 1)).astimezone(UTC).time().replace(microsecond=0)
    return Window.objects.create(name="Later", weekdays=list(range(7)), begins=begins, ends=ends, zone="UTC")


def test_sent_back_planned_anew_and_approved_for_a_window(console: House, sent_back: Job, people, as_):
    operator, reviewer, path = as_("operator"), as_("reviewer"), f"/jobs/{sent_back.pk}/revision/"
    assert "Make a new plan in its place" in operator.get(f"/jobs/{sent_back.pk}/").content.decode()
    form = operator.get(path)
    assert "say which fees" in form.content.decode() and "fees were wrong" in form.content.decode()
    assert reviewer.get(path).status_code == 403
    filled = {"source": "files", "which": "all", "reason": "fees of January were wrong", "publish": "once"}
    assert operator.post(path, {**filled, "reason": ""}).status_code == 422
    made = operator.post(path, filled).headers["Location"]
    job = worked(Job.objects.get(plan__options__follows=str(sent_back.pk)))
    assert made == f"/jobs/{job.pk}/" and job.asked_by == {people["operator"].pk}
    request = Request.objects.get(job=job)
    assert request.follows == Request.objects.get(job=sent_back)
    page = reviewer.get(made).content.decode()
    assert "Finance found it." in page and "on the former plan" in page

    window = shut_for(3)
    verdict = {"digest": job.plan.digest, "verdict": "approve", "window": window.pk, "password": "pass-word-1"}
    reviewer.post(f"{made}decision/", verdict)
    job = worked(job)
    assert (job.state, job.attempts, console.staged()["1"][0]) == ("queued", 0, "10.00")
    page = operator.get(made).content.decode()
    assert "It begins in the change window Later" in page and "Waiting for its change window, which opens" in page
    # somebody sets the time of the job to now: the approval's own window still holds it back
    Job.objects.filter(pk=job.pk).update(not_before=None)
    job = worked(job)
    assert (job.state, job.attempts) == ("queued", 0) and job.not_before > timezone.now() + timedelta(hours=2)
    with unguarded("approvals_request"):
        Request.objects.filter(pk=request.pk).update(
            window={"name": "Later", "weekdays": list(range(7)), "begins": "00:00", "ends": "00:00", "zone": "UTC"}
        )
    Job.objects.filter(pk=job.pk).update(not_before=None)
    job = worked(job)
    assert (job.state, console.staged()["1"][0]) == ("succeeded", "11.00")
    work.run(job.pk)
    assert console.violations() == 0


def test_a_rollback_that_was_turned_down_is_planned_anew_with_its_link(console: House, people, as_, settings):
    run = console.deliver("20260105", row("1"))
    console.write("20260105", row("1", fee="11"))
    url = settings.WAREHOUSE_URL
    done = worked(requests.ask_reprocess(url, [run], Options(), reason="r", actor=people["operator"]), times=2)
    back = worked(rollback_requests.ask(url, done, reason="wrong", actor=people["operator"]))
    with pytest.raises(CannotPlanError, match="Only a plan that was sent back"):
        revising.as_before(url, back, reason="wrong", actor=people["operator"])
    as_("operator").post(f"/jobs/{back.pk}/withdrawal/", {"reason": "too early"})
    as_("administrator").post(f"/jobs/{back.pk}/revision/", {"reason": "The first fee was right."})
    new = worked(Job.objects.get(plan__options__follows=str(back.pk)))
    assert (new.state, new.undoes, new.plan.reason) == ("awaiting approval", done, "The first fee was right.")
    assert new.asked_by == {people["operator"].pk, people["administrator"].pk}
    assert Request.objects.get(job=new).follows == Request.objects.get(job=back)
