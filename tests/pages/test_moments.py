"""Moments that forms ask for: read in the zone that is named beside them, and shown again as they were written."""

import re
from datetime import UTC, datetime

import pytest
from django.utils import timezone

from access import zones
from archives.recover_forms import RecoverForm
from monitoring.alerts.models import Downtime

pytestmark = pytest.mark.django_db(databases="__all__")
# Berlin's clocks go back on that day, in a year to come: the page lists no downtime that is over.
FORM = {"begins": "2099-10-25T01:30", "ends": "2099-10-25T03:30", "extract": "", "reason": "Backup of the warehouse"}
NEW = "/alerts/downtimes/new/"


def in_zone(zone: str) -> dict[str, str]:
    return {**FORM, "begins_zone": zone, "ends_zone": zone}


def hidden(page: str) -> dict[str, str]:
    return dict(re.findall(r'<input type="hidden" name="(\w+_zone)" value="([^"]+)">', page))


def test_a_form_is_read_in_the_zone_that_it_names_though_another_is_chosen_meanwhile(as_, people):
    client = as_("ops")
    zones.choose(people["ops"], "Europe/Berlin")
    page = client.get(NEW).content.decode()
    assert page.count("in Europe/Berlin</span>") == 2
    zones.choose(people["ops"], "Asia/Kolkata")
    assert client.post(NEW, {**FORM, **hidden(page)}).status_code == 302
    made = Downtime.objects.get()
    assert (made.begins, made.ends) == tuple(datetime(2099, 10, d, h, 30, tzinfo=UTC) for d, h in ((24, 23), (25, 2)))
    assert "Sun 25 Oct 05:00" in client.get("/alerts/rules/").content.decode()


def test_what_is_wrong_comes_back_as_it_was_written(as_, people):
    zones.choose(people["ops"], "Asia/Kolkata")
    answer = as_("ops").post(NEW, {**in_zone("Europe/Berlin"), "reason": ""})
    page = answer.content.decode()
    assert answer.status_code == 422 and hidden(page) == {"begins_zone": "Europe/Berlin", "ends_zone": "Europe/Berlin"}
    assert 'value="2099-10-25T01:30"' in page and 'value="2099-10-25T03:30"' in page


@pytest.mark.parametrize("wall", ["2099-10-25T02:30", "2099-03-29T02:30"])
def test_a_time_that_comes_twice_or_never_is_not_guessed(as_, people, wall):
    answer = as_("ops").post(NEW, {**in_zone("Europe/Berlin"), "begins": wall})
    assert answer.status_code == 422 and not Downtime.objects.exists()
    assert "The clocks of Europe/Berlin are changed then" in answer.content.decode()
    assert as_("ops").post(NEW, {**in_zone("UTC"), "begins": "2099-10-25T00:30"}).status_code == 302


def test_a_zone_that_does_not_exist_is_refused_and_without_one_it_is_that_of_the_page(as_, people):
    assert as_("ops").post(NEW, in_zone("Mars/Olympus")).status_code == 422 and not Downtime.objects.exists()
    zones.choose(people["ops"], "Asia/Kolkata")
    assert as_("ops").post(NEW, FORM).status_code == 302
    assert Downtime.objects.get().begins == datetime(2099, 10, 24, 20, tzinfo=UTC)


@pytest.mark.parametrize(
    ("zone", "at"), [("Europe/Berlin", "08:15:30"), ("Asia/Kolkata", "04:45:30"), ("Pacific/Auckland", "")]
)
def test_a_moment_to_recover_is_that_of_the_reader_to_the_second(zone, at):
    """The last is in the hour that Auckland's clocks skip."""
    wall = "2026-09-27T10:15:30" if at else "2026-09-27T02:15:30"
    with timezone.override(zone):
        form = RecoverForm({"table": "visits", "at": wall, "into": "set", "reason": "r"}, ["visits"], {})
        assert form.is_valid() == bool(at)
    if at:
        assert form.asked().when == datetime.fromisoformat(f"2026-09-27T{at}Z")


@pytest.mark.parametrize("zone", ["Pacific/Auckland", "America/New_York"])
@pytest.mark.parametrize(
    "days", [("0001-01-01", "0001-01-02"), ("9999-12-30", "9999-12-31"), ("1899-12-31", "1900-01-01")]
)
def test_a_moment_that_no_zone_can_tell_is_refused(as_, zone, days):
    """In another zone it lies before the year 1 or after 9999, and cannot be read back."""
    begins, ends = (f"{day}T23:00" for day in days)
    answer = as_("ops").post(NEW, {**in_zone(zone), "begins": begins, "ends": ends})
    assert answer.status_code == 422 and not Downtime.objects.exists()
    assert "Give a moment of the years 1900 to 2999." in answer.content.decode()
