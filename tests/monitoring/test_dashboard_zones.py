"""The dashboard for readers of several zones: kept once, told to each in their own, its days those of the console."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client
from django.utils import timezone

from access import days, zones
from jobs.models import Job, Plan
from monitoring import dashboard

pytestmark = pytest.mark.django_db(databases="__all__")
BEGUN = datetime(2026, 10, 25, 1, 30, tzinfo=UTC)  # 30 min after Berlin's clocks went back
TOLD = {"Europe/Berlin": "2026-10-25 02:30:00 CET", "Asia/Kolkata": "2026-10-25 07:00:00 IST"}
CONSOLE = "2026-10-25 14:30:00 NZDT"


@pytest.fixture(autouse=True)
def nothing_is_kept() -> Iterator[None]:
    dashboard._kept.clear()
    yield
    dashboard._kept.clear()


@pytest.fixture
def readers(as_, people) -> list[tuple[str, Client]]:
    """Two with a zone, and one without; and 24 reprocessings, one asked for in each of the last hours."""
    for name, zone in zip(("viewer", "operator"), TOLD, strict=True):
        zones.choose(people[name], zone)
    for hours in range(24):
        plan = Plan.objects.create(kind="reprocess", reason="Fee rule", options={"source": "files"}, preview={})
        state, begun = ("running", BEGUN) if hours == 0 else ("succeeded", None)
        job = Job.objects.create(
            plan=plan, kind="reprocess", state=state, requested_by=people["operator"], started_at=begun
        )
        Job.objects.filter(pk=job.pk).update(created_at=timezone.now() - timedelta(hours=hours))
    return [
        *((TOLD[zone], as_(name)) for name, zone in zip(("viewer", "operator"), TOLD, strict=True)),
        (CONSOLE, as_("ops")),
    ]


def test_what_is_kept_is_told_to_each_reader_in_their_zone(readers):
    for _ in range(2):
        answers = [(told, client.get("/?range=2d")) for told, client in readers]
        assert len({id(answer.context["found"]) for _told, answer in answers}) == 1
        for told, answer in answers:
            page = answer.content.decode()
            assert [one in page for one in (*TOLD.values(), CONSOLE)].count(True) == 1 and told in page


@pytest.mark.parametrize("query", ["range=2d", "range=7d", "range=365d"])
@pytest.mark.parametrize("reader", range(3))
def test_whoever_looks_first_counts_the_same_in_days_of_the_console(readers, reader, query):
    client = readers[reader][1]
    answer = client.get(f"/?{query}")
    jobs, period = answer.context["found"].jobs, answer.context["wanted"].period
    assert sum(series.total for series in jobs.chart.series) == 24
    assert (period.until, jobs.chart.moments[0]) == (days.of(timezone.now()), days.begin(period.since))
    page = answer.content.decode()
    if query != "range=2d":
        assert f"<span>{period.since:%-d %b %Y}</span><span>{period.until:%-d %b %Y}</span>" in page
    assert ("days of Pacific/Auckland, the console's zone" in page.replace("&#x27;", "'")) == (reader < 2)


def test_a_table_taken_out_is_the_same_for_everybody(readers, as_, people):
    zones.choose(people["auditor"], "Europe/Berlin")
    names, files, answered = set(), set(), readers[2][1].get("/?range=7d")
    for client in (readers[1][1], readers[2][1], as_("auditor")):
        answer = client.post("/figures/running/export/", {"query": "range=7d"})
        names.add(answer.headers["Content-Disposition"][:-8])  # its minute may be the next one
        files.add(b"".join(answer.streaming_content))
    with timezone.override("Asia/Kolkata"):  # a file is sent once its request is over, but need not be
        files.add("".join(dashboard.shown(answered.context["wanted"]).jobs.running.csv()).encode())
    assert len(names) == len(files) == 1 and b"2026-10-25T14:30:00+13:00" in files.pop()


def test_an_hour_that_comes_twice_is_two_hours(console, people, as_):
    """On 5 April 2026 Auckland's clocks go back from 03:00 NZDT (14:00 UTC) to 02:00 NZST."""
    for hour, jobs in ((13, 1), (14, 2)):
        for _ in range(jobs):
            plan = Plan.objects.create(kind="reprocess", reason="Fee rule", options={"source": "files"}, preview={})
            job = Job.objects.create(plan=plan, kind="reprocess", state="succeeded", requested_by=people["operator"])
            Job.objects.filter(pk=job.pk).update(created_at=datetime(2026, 4, 4, hour, 30, tzinfo=UTC))
    answer = as_("ops").get("/?range=dates&since=2026-04-05&until=2026-04-05")
    (succeeded, *_others) = answer.context["found"].jobs.chart.series
    assert len(succeeded.values) == 25 and list(succeeded.values[1:5]) == [0, 1, 2, 0]


@pytest.mark.parametrize("days", ["since=9999-12-31&until=9999-12-31", "since=0001-01-01&until=0001-01-01"])
def test_days_after_which_there_is_none_are_refused_in_words(as_, days):
    answer = as_("ops").get(f"/?range=dates&{days}")
    assert answer.status_code == 200 and "Give days of the years 1970 to 2999." in answer.content.decode()
