"""When a blackout window is open: by the wall clock of its zone, over midnight and over changes of clocks."""

from datetime import datetime, time

import pytest

from jobs import weekly
from reprocessing.blackouts import in_force
from reprocessing.models import Blackout
from reprocessing.slots import NoScheduleError


def window(begins: str, ends: str, days=range(7), zone: str = "Pacific/Auckland", reason: str = "loads") -> Blackout:
    return Blackout(weekdays=list(days), begins=time.fromisoformat(begins), ends=time.fromisoformat(ends), zone=zone,
                    reason=reason)  # fmt: skip


@pytest.mark.parametrize(
    ("made", "moment", "until"),
    [
        (window("02:00", "04:00"), "2026-11-26T01:59+13:00", None),
        (window("02:00", "04:00"), "2026-11-26T02:00+13:00", "2026-11-26T04:00+13:00"),
        (window("02:00", "04:00"), "2026-11-26T03:59:59+13:00", "2026-11-26T04:00+13:00"),
        (window("02:00", "04:00"), "2026-11-26T04:00+13:00", None),
        (window("02:00", "04:00"), "2026-11-25T13:30+00:00", "2026-11-26T04:00+13:00"),
        # over midnight, beginning on Fridays (27 November 2026) only
        (window("22:00", "04:00", [4]), "2026-11-27T23:00+13:00", "2026-11-28T04:00+13:00"),
        (window("22:00", "04:00", [4]), "2026-11-28T03:00+13:00", "2026-11-28T04:00+13:00"),
        (window("22:00", "04:00", [4]), "2026-11-27T03:00+13:00", None),
        (window("22:00", "04:00", [4]), "2026-11-28T22:30+13:00", None),
        # a whole day, and from Sunday into Monday
        (window("06:00", "06:00", [6]), "2026-11-30T05:59+13:00", "2026-11-30T06:00+13:00"),
        # clocks go back at 03:00 on 5 April 2026: 02:30 comes twice and is in it twice
        (window("02:15", "02:45"), "2026-04-05T02:30+13:00", "2026-04-05T02:45+13:00"),
        (window("02:15", "02:45"), "2026-04-05T02:30+12:00", "2026-04-05T02:45+12:00"),
        # clocks go forward at 02:00 on 27 September 2026
        (window("01:30", "03:30"), "2026-09-27T03:10+13:00", "2026-09-27T03:30+13:00"),
        (window("02:00", "02:30"), "2026-09-27T03:10+13:00", None),
    ],
)
def test_it_is_open_by_the_wall_clock(made: Blackout, moment: str, until: str | None):
    found = in_force([made], datetime.fromisoformat(moment))
    assert (found is not None) == (until is not None)
    if found and until:
        assert found.until.replace(tzinfo=None) == datetime.fromisoformat(until).replace(tzinfo=None)


def test_of_several_the_one_that_ends_last_is_told():
    short, long = window("01:00", "02:00"), window("01:00", "05:00", reason="maintenance")
    found = in_force([short, long, window("06:00", "07:00")], datetime.fromisoformat("2026-11-26T01:30+13:00"))
    assert str(found) == "Blackout until Thursday 05:00 NZDT: maintenance"


def test_a_window_that_cannot_be_read_lets_nobody_pass():
    with pytest.raises(NoScheduleError):
        in_force([window("01:00", "02:00", zone="Nowhere")], datetime.fromisoformat("2026-11-26T01:30+13:00"))


@pytest.mark.parametrize(
    ("days", "told"),
    [(range(7), "every day"), ([0, 1, 2, 3, 4], "Monday to Friday"), ([6, 0], "Monday, Sunday"), ([5], "Saturday")],
)
def test_its_days_in_words(days, told):
    assert weekly.days(list(days)) == told
