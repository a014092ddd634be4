"""The times of a schedule: each wall-clock time once, whatever the clocks do, and the same from wherever one starts."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reprocessing import slots
from reprocessing.slots import NoScheduleError, between, next_times
from tests.proofs import further

ZONES = ["Pacific/Auckland", "Europe/London", "Australia/Lord_Howe", "Pacific/Apia"]
YEARS = (datetime(2011, 1, 1, tzinfo=UTC), datetime(2021, 1, 1, tzinfo=UTC))
MINUTE = timedelta(minutes=1)


def exists(naive: datetime, zone: ZoneInfo) -> bool:
    return naive.replace(tzinfo=zone).astimezone(UTC).astimezone(zone).replace(tzinfo=None) == naive


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("hour", further([2, 0, 1, 3, 9], tried=2))
def test_each_day_of_ten_years_has_its_time_once(zone: str, hour: int):
    """The time is the wall clock's, the first of two, or the end of the gap that it lies in."""
    where = ZoneInfo(zone)
    found = [m.astimezone(where) for m in between(f"15 {hour} * * *", zone, *YEARS)]
    first, last = (moment.astimezone(where).date() for moment in YEARS)
    days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    wanted = [datetime(day.year, day.month, day.day, hour, 15) for day in days]
    wanted = [naive for naive in wanted if YEARS[0] < naive.replace(tzinfo=where).astimezone(UTC) <= YEARS[1]]
    assert len(found) == len(set(found)) == len(wanted)
    for moment, naive in zip(found, wanted, strict=True):
        if exists(naive, where):
            assert moment.replace(tzinfo=None) == naive and moment.fold == 0
        else:
            before = (moment.astimezone(UTC) - MINUTE).astimezone(where).replace(tzinfo=None)
            assert before < naive < moment.replace(tzinfo=None), "the end of the gap"


@pytest.mark.parametrize("zone", ZONES)
def test_every_hour_follows_real_time(zone: str):
    """Ten years: each real occurrence of the full hour on the wall, and no other."""
    found = between("0 * * * *", zone, *YEARS)
    where, moment = ZoneInfo(zone), YEARS[0]
    wanted = []
    while (moment := moment + timedelta(minutes=30)) <= YEARS[1]:
        if moment.astimezone(where).minute == 0:
            wanted.append(moment)
    assert found == wanted


@pytest.mark.parametrize(
    ("expression", "zone", "after", "wanted"),
    [
        # Auckland: 02:00 → 03:00 on 27 September 2026, 03:00 → 02:00 on 5 April 2026
        ("30 2 * * *", "Pacific/Auckland", "2026-09-26T12:00Z", "2026-09-26T14:00Z"),
        ("0,30 2 * * *", "Pacific/Auckland", "2026-09-26T12:00Z", "2026-09-26T14:00Z 2026-09-27T13:00Z"),
        ("0 2,3 * * *", "Pacific/Auckland", "2026-09-26T12:00Z", "2026-09-26T14:00Z 2026-09-27T13:00Z"),
        ("*/20 2 * * *", "Pacific/Auckland", "2026-04-04T12:59Z", "2026-04-04T13:00Z 2026-04-04T13:20Z"
         " 2026-04-04T13:40Z 2026-04-05T14:00Z"),
        ("30 2 * * *", "Pacific/Auckland", "2026-04-04T14:10Z", "2026-04-05T14:30Z"),
        # Apia had no 30 December 2011
        ("0 9 30 12 *", "Pacific/Apia", "2011-12-01T00:00Z", "2011-12-30T10:00Z 2012-12-29T19:00Z"),
        # Lord Howe moves by half an hour
        ("15 2 * * *", "Australia/Lord_Howe", "2026-10-03T12:00Z", "2026-10-03T15:30Z"),
        ("45 1 * * *", "Australia/Lord_Howe", "2026-04-04T12:00Z", "2026-04-04T14:45Z 2026-04-05T15:15Z"),
        ("0 0 29 2 *", "UTC", "2026-01-01T00:00Z", "2028-02-29T00:00Z 2032-02-29T00:00Z"),
    ],
)  # fmt: skip
def test_the_rules_of_gap_and_repeat(expression: str, zone: str, after: str, wanted: str):
    moments = [datetime.fromisoformat(text) for text in wanted.split()]
    found = next_times(expression, zone, datetime.fromisoformat(after), len(moments))
    assert [moment.astimezone(UTC) for moment in found] == moments


EXPRESSIONS = ["30 2 * * *", "*/20 2 * * *", "0,30 1-3 * * *", "*/7 * * * *", "15 * * * *", "0 */2 * * *", "0 0 * * *",
               "59 23 * * SUN", "0 3 1 * *"]  # fmt: skip
NEAR_A_CHANGE = [datetime(2026, 4, 4, 14), datetime(2026, 9, 26, 14), datetime(2026, 3, 29, 1),
                 datetime(2026, 10, 25, 1),
                 datetime(2026, 4, 4, 15), datetime(2026, 10, 3, 15, 30), datetime(2011, 12, 30, 10)]  # fmt: skip


@given(
    expression=st.sampled_from(EXPRESSIONS),
    zone=st.sampled_from(ZONES),
    middle=st.sampled_from(NEAR_A_CHANGE),
    offsets=st.lists(st.integers(-3 * 86400, 3 * 86400), min_size=3, max_size=3).map(sorted),
)
def test_it_does_not_matter_where_one_starts(expression, zone, middle, offsets):
    """The law that makes a slot the same for every process, whenever each of them looked last."""
    start, cut, end = (middle.replace(tzinfo=UTC) + timedelta(seconds=offset) for offset in offsets)
    whole = between(expression, zone, start, end)
    assert whole == [*between(expression, zone, start, cut), *between(expression, zone, cut, end)]
    assert whole == sorted(set(whole))
    shown = [moment.astimezone(UTC) for moment in next_times(expression, zone, start, len(whole))]
    assert shown == whole, "preview and firing agree"


@pytest.mark.parametrize(
    ("expression", "zone"),
    [
        ("", "UTC"), ("* * * *", "UTC"), ("* * * * * *", "UTC"), ("61 * * * *", "UTC"), ("0 0 31 2 *", "UTC"),
        ("@daily", "UTC"), ("0 0 * * \x00", "UTC"), ("0 0 * * *", "Mars/Olympus"), ("0 0 * * *", "../../etc/passwd"),
        ("0 0 * * *", ""), ("٣ 0 * * *", "UTC"),
    ],
)  # fmt: skip
def test_what_cannot_be_a_schedule_is_refused_in_words(expression: str, zone: str):
    with pytest.raises(NoScheduleError):
        slots.check(expression, zone)


def test_an_expression_is_told_in_words():
    assert "02:30" in slots.explained("30 2 * * *")
