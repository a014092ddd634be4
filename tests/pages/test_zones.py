"""The zone in which a person reads: theirs on every page, nobody else's, and that of the console where none holds."""

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.conf import settings
from django.test import Client
from django.utils import timezone

from access import zones
from access.models import OwnZone
from approvals.models import Window
from jobs.models import Job, Plan
from reprocessing import askers
from reprocessing.models import Schedule, Slot

pytestmark = pytest.mark.django_db(databases="__all__")
PAGE = "/account/zone/"
# Berlin goes back from +2 to +1 at 01:00 UTC, Auckland is at +13, Kolkata at +5:30 all year.
BEFORE, AFTER = (datetime(2026, 10, 25, hour, 30, tzinfo=UTC) for hour in (0, 1))


@pytest.fixture
def shown(people):
    """How a page shows a moment: the times in the list of jobs, the newest first."""

    def look(client: Client) -> list[str]:
        return re.findall(r'<time datetime="[^"]+" title="([^"]+)"', client.get("/jobs/").content.decode())

    for at in (BEFORE, AFTER):
        plan = Plan.objects.create(kind="reprocess", reason="Fee rule", options={"source": "files"})
        job = Job.objects.create(plan=plan, kind="reprocess", state="succeeded", requested_by=people["operator"])
        Job.objects.filter(pk=job.pk).update(created_at=at)
    return look


def footer(client: Client) -> str:
    return client.get("/jobs/").content.decode().partition("<footer>")[2]


def test_each_reads_the_same_moments_in_their_own_zone_over_a_change_of_the_clocks(as_, people, shown):
    zones.choose(people["viewer"], "Europe/Berlin")
    zones.choose(people["operator"], "Asia/Kolkata")
    berlin, kolkata, auckland = as_("viewer"), as_("operator"), as_("ops")
    for _ in range(2):  # each request after one in another zone
        assert shown(berlin) == ["2026-10-25 02:30:00 CET", "2026-10-25 02:30:00 CEST"]
        assert shown(kolkata) == ["2026-10-25 07:00:00 IST", "2026-10-25 06:00:00 IST"]
        assert shown(auckland) == ["2026-10-25 14:30:00 NZDT", "2026-10-25 13:30:00 NZDT"]
    assert "Times in Europe/Berlin." in footer(berlin) and "Times in Pacific/Auckland." in footer(auckland)
    shown(kolkata)
    assert timezone.get_current_timezone_name() == settings.TIME_ZONE


def test_a_zone_is_chosen_one_click_from_any_page_and_leads_back_to_it(as_, people, shown):
    client = as_("viewer")
    (link,) = re.findall(r'href="(/account/zone/\?[^"]+)"', client.get("/jobs/?state=succeeded").content.decode())
    page = client.get(link)
    assert "you have not chosen a zone yet" in page.content.decode() and "data-unchosen" in page.content.decode()
    back = page.context["next"]
    answer = client.post(PAGE, {"zone": "Europe/Berlin", "next": back})
    assert (answer.status_code, answer.headers["Location"]) == (302, "/jobs/?state=succeeded")
    assert shown(client)[0].endswith("CET")
    page = client.get(PAGE).content.decode()
    assert '<option value="Europe/Berlin" selected>' in page and "data-unchosen" not in page
    answer = client.post(PAGE, {"zone": "", "next": "https://elsewhere.example/"})
    assert answer.headers["Location"] == "/"
    assert zones.choice(people["viewer"]) == "" and shown(client)[0].endswith("NZDT")


@pytest.mark.parametrize("wrong", ["Mars/Olympus", "../../etc/passwd", "a\0b", "Europe", "x" * 300])
def test_what_is_no_zone_is_not_taken(as_, people, wrong):
    client = as_("viewer")
    assert client.post(PAGE, {"zone": wrong}).status_code == 422
    assert zones.choice(people["viewer"]) is None


@pytest.mark.parametrize("gone", ["Mars/Olympus", "../zone.tab", "Europe", "/", "Europe/Berlin ", "x" * 64])
def test_a_zone_that_is_gone_is_told_as_the_consoles(as_, people, shown, gone):
    OwnZone.objects.create(user=people["viewer"], name=gone)
    client = as_("viewer")
    assert shown(client)[0].endswith("NZDT") and "Times in Pacific/Auckland." in footer(client)
    assert client.get(PAGE).status_code == 200


def test_a_part_of_a_page_is_told_in_the_zone_that_the_page_names(as_, people, shown):
    zones.choose(people["viewer"], "Europe/Berlin")
    client = as_("viewer")
    assert """hx-headers='{"X-Zone": "Europe/Berlin"}'""" in client.get("/jobs/").content.decode()
    zones.choose(people["viewer"], "Asia/Kolkata")
    part = {"HX-Request": "true", "X-Zone": "Europe/Berlin"}
    assert "CET" in client.get("/jobs/", headers=part).content.decode()
    assert "IST" in client.get("/jobs/", headers={**part, "X-Zone": "../x"}).content.decode()
    assert "IST" in client.get("/jobs/", headers={"X-Zone": "Europe/Berlin"}).content.decode()


def test_days_stay_those_of_the_console_and_the_page_says_so(as_, people, shown):
    """Both moments lie on the 25th in Auckland and in Berlin; from 11:00 UTC on it is the 26th in Auckland alone."""
    at = datetime(2026, 10, 25, 12, tzinfo=UTC)
    Job.objects.filter(created_at=AFTER).update(created_at=at)
    zones.choose(people["viewer"], "Europe/Berlin")
    theirs, console = as_("viewer"), as_("ops")
    for client in (theirs, console):
        assert len(shown_on(client, "since=2026-10-26&until=2026-10-26")) == 1
        assert len(shown_on(client, "until=2026-10-25")) == 1
        assert len(shown_on(client, "since=0001-01-01&until=9999-12-31")) == 2
    said = "Days of Pacific/Auckland"
    for path in ("/jobs/", "/runs/", "/archives/"):
        assert said in theirs.get(path).content.decode() and said not in console.get(path).content.decode()


def shown_on(client: Client, days: str) -> list[Job]:
    return list(client.get(f"/jobs/?{days}").context["page"].object_list)


def test_the_api_tells_times_as_ever(as_, people, shown):
    plain = as_("ops").get("/api/v1/jobs/").json()["results"]
    assert [job["created_at"] for job in plain] == ["2026-10-25T01:30:00Z", "2026-10-25T00:30:00Z"]
    zones.choose(people["viewer"], "Asia/Kolkata")
    assert as_("viewer").get("/api/v1/jobs/").json()["results"] == plain


def test_what_has_a_zone_of_its_own_keeps_it(as_, people):
    zones.choose(people["ops"], "Asia/Kolkata")
    client = as_("ops")
    schedule = Schedule(name="Nightly", expression="30 2 * * *", zone="Europe/Berlin", owner=people["operator"])
    schedule.until = AFTER
    askers.save(schedule, people["ops"])
    Slot.objects.create(schedule=schedule, slot=AFTER, came="skipped")
    opens = timezone.now().astimezone(ZoneInfo("Asia/Tokyo")) + timedelta(hours=6)
    ends = opens + timedelta(minutes=1)
    Window.objects.create(
        name="Night", weekdays=list(range(7)), begins=opens.time(), ends=ends.time(), zone="Asia/Tokyo"
    )
    assert "Sun 25 Oct 2026, 02:30 CET" in client.get(schedule.get_absolute_url()).content.decode()
    assert f"{opens:%a} {opens.day} {opens:%b %Y, %H:%M} JST" in client.get("/approvals/windows/").content.decode()
