"""Change windows: by the wall clock of their zone; what is approved for one begins only while it is open."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.test import Client
from django.utils import timezone

from access.rights import NotAllowedError
from approvals import gate, permits, windows
from approvals.gate import RefusedError
from approvals.models import Request, Window
from audit.models import Event
from jobs import claims, reconciler
from jobs.models import Job
from jobs.submission import NotPermittedError, NotYetError
from jobs.weekly import WEEKDAYS, Weekly
from tests.approvals.conftest import TWO, again, approve
from tests.tampering import unguarded

ZONE = "Pacific/Auckland"


def kept(begins: str, ends: str, days=range(7), zone: str = ZONE) -> windows.Kept:
    return {"name": "Night", "weekdays": list(days), "begins": begins, "ends": ends, "zone": zone}


def at(text: str, zone: str = "UTC") -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone))


@pytest.mark.parametrize(
    ("window", "now", "opens"),
    [
        (kept("22:00", "04:00"), "2026-11-26T21:59", "2026-11-26T22:00"),
        (kept("22:00", "04:00"), "2026-11-26T22:00", "2026-11-26T22:00"),
        (kept("22:00", "04:00"), "2026-11-27T03:59", "2026-11-27T03:59"),
        (kept("22:00", "04:00"), "2026-11-27T04:00", "2026-11-27T22:00"),
        (kept("22:00", "04:00", [5]), "2026-11-27T23:00", "2026-11-28T22:00"),  # a Friday: it opens on Saturdays
        (kept("22:00", "04:00", [5]), "2026-11-29T03:00", "2026-11-29T03:00"),  # the Sunday after
        (kept("09:00", "10:00", [3]), "2026-11-26T10:00", "2026-12-03T09:00"),  # a week later
        (kept("02:15", "02:45"), "2026-09-27T01:00", "2026-09-28T02:15"),  # the clocks skip from two to three
        (kept("02:15", "02:45", [6]), "2026-09-21T12:00", "2026-10-04T02:15"),
        (kept("02:15", "03:45"), "2026-09-27T01:00", "2026-09-27T03:00"),
        (kept("03:15", "03:45"), "2026-09-27T01:00", "2026-09-27T03:15"),
        (kept("00:00", "00:00"), "2026-11-26T13:00", "2026-11-26T13:00"),
    ],
)
def test_when_a_window_opens(window, now, opens):
    found = windows.opening(window, at(now, ZONE))
    assert found.astimezone(UTC) == at(opens, ZONE).astimezone(UTC)
    assert windows.is_open(window, at(now, ZONE)) is (now == opens)


@pytest.mark.parametrize(
    ("begins", "ends", "now", "opens"),
    [
        ("02:15", "02:45", "13:00", "13:15"),  # the clocks go from three back to two at 14:00 UTC
        ("02:15", "02:45", "13:50", "14:15"),
        ("01:30", "02:30", "13:40", "14:00"),
        ("01:30", "02:30", "14:10", "14:10"),
    ],
)
def test_an_hour_that_comes_twice_opens_twice(begins, ends, now, opens):
    """4 April 2026, 14:00 UTC, in Auckland."""
    window, moment = kept(begins, ends), at(f"2026-04-04T{now}")
    assert windows.opening(window, moment) == at(f"2026-04-04T{opens}")
    assert windows.is_open(window, at(f"2026-04-04T{opens}"))


@pytest.mark.django_db
def test_no_two_windows_have_names_that_look_alike(people):
    client = Client()
    client.force_login(people["administrator"])
    filled = {"weekdays": ["0"], "begins": "22:00", "ends": "04:00", "zone": ZONE}
    new = "/approvals/windows/new/"
    names = ("Night", "night ", "NIGHT", "\u202eNight", "\u200b")
    assert [client.post(new, {**filled, "name": name}).status_code for name in names] == [302, 422, 422, 422, 422]


def test_the_end_of_a_time_is_never_before_it():
    again = at("2026-04-04T14:10")  # ten past two for the second time
    end = Weekly(tuple(range(7)), time(1, 30), time(2, 30), ZoneInfo(ZONE)).end(again)
    assert end and end.astimezone(UTC) == at("2026-04-04T14:30")


@pytest.mark.parametrize("wrong", [{}, kept("25:00", "1"), kept("1:00", "2"), kept("22:00", "23:00", zone="Mars/Base"),
                                   kept("22:00", "23:00", [])])  # fmt: skip
def test_a_window_that_cannot_be_read_lets_nothing_begin(wrong):
    with pytest.raises(NotPermittedError):
        windows.opening(wrong, at("2026-11-26T12:00"))


def shut(now: datetime, **more) -> Window:
    """A window that opens in three hours."""
    begins = (now + timedelta(hours=3)).astimezone(UTC)
    return Window.objects.create(
        **{"name": "Later", "weekdays": list(range(7)), "zone": "UTC", **more},
        begins=begins.time().replace(second=0, microsecond=0),
        ends=(begins + timedelta(hours=1)).time().replace(second=0, microsecond=0),
    )


def opening_of(request: Request) -> datetime:
    """When the job of an approved request may begin."""
    found = again(request).job.not_before
    assert found
    return found


def window_of(request: Request) -> windows.Kept:
    found = again(request).window
    assert found
    return dict(found)


@pytest.mark.django_db
def test_an_approval_for_a_window_waits_in_the_queue_until_it_opens(asked, people):
    now, request = timezone.now(), asked()
    window = shut(now)
    approve(request, people["reviewer"], window=window)
    request = again(request)
    opens = opening_of(request)
    assert request.job.state == "queued" and timedelta(hours=2) < opens - now <= timedelta(hours=3)
    assert claims.claim(request.job_id, now=now) is None
    assert reconciler.reconcile(now=now + timedelta(hours=1)) == 0
    window.delete()  # what was approved keeps it
    with pytest.raises(NotYetError):
        permits.check(request.job, request, now)
    permits.check(request.job, request, opens)
    assert claims.claim(request.job_id, now=opens + timedelta(minutes=1))


@pytest.mark.django_db
def test_a_worker_that_comes_too_late_puts_it_down_again(asked, people):
    now, request = timezone.now(), asked()
    approve(request, people["reviewer"], window=shut(now))
    request = again(request)
    late = opening_of(request) + timedelta(hours=2)
    with pytest.raises(NotYetError) as not_yet:
        permits.check(request.job, request, late)
    assert not_yet.value.moment == opening_of(request) + timedelta(days=1)
    with pytest.raises(NotPermittedError, match="took it up in time"):
        permits.check(request.job, request, late + timedelta(days=1))
    job = claims.claim(request.job_id, now=late)
    assert job
    claims.put_down(job, until=not_yet.value.moment)
    job.refresh_from_db()
    assert (job.not_before, job.attempts, job.lease_until) == (not_yet.value.moment, 0, None)
    with unguarded("jobs_job"):
        Job.objects.filter(pk=job.pk).update(state=Job.State.RUNNING)
    permits.check(again(request).job, request, late)  # what has begun goes on


@pytest.mark.django_db
def test_the_window_of_the_first_approver_stands(asked, people):
    now, request = timezone.now(), asked(TWO)
    first, other = shut(now), shut(now, name="Another")
    approve(request, people["reviewer"], window=first)
    with pytest.raises(RefusedError, match="for the window Later"):
        approve(request, people["archive admin"], window=other)
    approve(request, people["archive admin"])
    assert opening_of(request) > now
    assert window_of(request)["name"] == "Later"


@pytest.mark.django_db
def test_windows_are_kept_by_who_manages_schedules(people):
    client = Client()
    client.force_login(people["ops"])
    form = {"name": "Night", "weekdays": ["0", "4"], "begins": "22:00", "ends": "04:00", "zone": ZONE}
    assert client.post("/approvals/windows/new/", {**form, "zone": "Mars/Base"}).status_code == 422
    assert client.post("/approvals/windows/new/", {**form, "weekdays": []}).status_code == 422
    assert client.post("/approvals/windows/new/", form).status_code == 302
    assert client.post("/approvals/windows/new/", form).status_code == 422
    window = Window.objects.get()
    assert f"Night: {WEEKDAYS[0]}, {WEEKDAYS[4]}, 22:00 to 04:00" in client.get("/approvals/windows/").content.decode()
    assert client.get(f"/approvals/windows/{window.pk}/remove/").status_code == 405
    with pytest.raises(NotAllowedError):
        windows.remove(window, people["reviewer"])
    client.force_login(people["reviewer"])
    assert client.get("/approvals/windows/new/").status_code == 403
    client.force_login(people["ops"])
    assert client.post(f"/approvals/windows/{window.pk}/remove/").status_code == 302
    assert list(
        Event.objects.filter(action__startswith="change window").order_by("id").values_list("action", flat=True)
    ) == [*("change window added", "change window removed")]


@pytest.mark.django_db
def test_a_window_chosen_in_the_form_is_told(asked, people):
    request, window = asked(), shut(timezone.now())
    client = Client()
    client.force_login(people["reviewer"])
    form = {"digest": request.digest, "verdict": "approve", "window": str(window.pk), "password": "pass-word-1"}
    assert client.post(f"/jobs/{request.job_id}/decision/", {**form, "window": "999"}).status_code == 422
    assert client.post(f"/jobs/{request.job_id}/decision/", form).status_code == 302
    assert window_of(request)["name"] == "Later"
    assert gate.waiting().count() == 0
    assert time.fromisoformat(window_of(request)["begins"]) == window.begins
