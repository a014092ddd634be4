"""Which deliveries there are, when each is extracted, what is odd about it, and how many records its files hold."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta

from warehouse.sample.files import ZONE
from warehouse.sample.flaws import Flaw, OnTheNight, last_clock_change, none, one_over, one_short, repeated, unfit

# Records of a practice, in the order in which they refer to each other.
PROPORTIONS = {
    "PracticeInfo": 1,
    "Provider": 12,
    "Medicine": 300,
    "Vaccine": 60,
    "Patient": 2_500,
    "Appointments": 30_000,
    "Diagnosis": 8_000,
    "Immunisation": 15_000,
    "Invoices": 20_000,
    "InvoiceDetail": 40_000,
    "Measurements": 25_000,
}
LEAST = {"PracticeInfo": 1, "Provider": 3, "Medicine": 10, "Vaccine": 6, "InvoiceDetail": 40}
LEAST_OF_OTHERS = 20
SECOND_PRACTICE = 0.1  # of the size of the first
DELTA = 0.03  # of the baseline
LEAST_DELTA = 8
LARGE_FROM, LARGE = 1_000_000, 120_000
CATALOGUES = ("PracticeInfo", "Provider", "Medicine", "Vaccine")
CHANGING = ("Patient", "Appointments", "Diagnosis", "Immunisation", "Invoices", "InvoiceDetail", "Measurements")
BILLING = ("Appointments", "Invoices", "InvoiceDetail")
SUNDAY, WEEKDAY = time(12, 30), time(5, 44)
WEEKS = 12
DAYLIGHT_WEEK = 6  # where the clocks do not change within the weeks


@dataclass(frozen=True)
class Situation:
    """`first` and `second` are the extracts delivered for either practice, `days` the days since its week's Sunday.

    `whole` is a full extraction; `again` redelivers what the delivery before it held. `records` overrides the number
    of records of a file.
    """

    name: str
    first: tuple[str, ...] = CHANGING
    second: tuple[str, ...] = ()
    days: int = 0
    flaws: Mapping[str, Flaw] = field(default_factory=dict)
    whole: bool = False
    again: bool = False
    records: int = 0

    def extracted(self, sunday: date) -> datetime:
        return datetime.combine(sunday + timedelta(self.days), SUNDAY if self.days == 0 else WEEKDAY, ZONE)

    def count(self, extract: str, *, place: int, scale: float) -> int:
        """How many records the file of `extract` of the practice at `place` gets."""
        size = baseline_size(extract, place=place, scale=scale)
        if self.whole:
            return size
        return self.records or max(round(size * DELTA), min(size, LEAST_DELTA))

    def counts(self, scale: float) -> int:
        found = sum(
            self.count(extract, place=place, scale=scale)
            for place, extracts in enumerate((self.first, self.second))
            for extract in extracts
            if self.flaws.get(extract) is not none
        )
        return found


def deliveries(rows: int, ending: date) -> list[tuple[datetime, Situation]]:
    """The deliveries in the order in which they arrive, with the time each was extracted."""
    last = ending - timedelta(days=(ending.weekday() + 1) % 7)
    sundays = [last - timedelta(weeks=WEEKS - 1 - week) for week in range(WEEKS)]
    night = last_clock_change(last)
    weeks = _weeks(large=rows >= LARGE_FROM)
    place = sundays.index(night) if night in sundays[1:] else DAYLIGHT_WEEK
    on_the_night = Situation(
        "daylight saving",
        ("Appointments", "Immunisation"),
        flaws={"Appointments": OnTheNight(night, sundays[place])},
    )
    weeks.insert(place, (on_the_night,))
    return [
        (situation.extracted(sunday), situation)
        for sunday, week in zip(sundays, weeks, strict=True)
        for situation in week
    ]


def scale_for(rows: int, situations: list[Situation]) -> float:
    """The scale at which all files together hold about `rows` records."""
    low, high = 0.0, rows / 10_000
    for _halving in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if sum(item.counts(middle) for item in situations) < rows else (low, middle)
    return low


def baseline_size(extract: str, *, place: int, scale: float) -> int:
    if extract == "PracticeInfo":
        return 1
    share = SECOND_PRACTICE if place else 1
    return max(LEAST.get(extract, LEAST_OF_OTHERS), round(PROPORTIONS[extract] * scale * share))


def _weeks(*, large: bool) -> list[tuple[Situation, ...]]:
    """Each week's deliveries, less the week of the change to or from daylight saving."""
    both = ("Patient", "Appointments")
    late = Situation("late", ("Patient", "Appointments", "Invoices"), days=-10)
    history = Situation("large", ("Measurements",), days=2, records=LARGE)
    return [
        (
            Situation("full baseline", tuple(PROPORTIONS), whole=True),
            Situation("second practice", (), (*CATALOGUES, "Patient", *BILLING), days=2, whole=True),
        ),
        (Situation("delta", second=both), Situation("redelivered", second=both, days=3, again=True)),
        (Situation("wrong width", ("Appointments",), flaws={"Appointments": one_short}),),
        (Situation("one failed file", ("Patient", *BILLING, "Diagnosis"), flaws={"Invoices": one_over}),),
        (
            Situation(
                "rejections",
                ("Patient", *BILLING, "Measurements"),
                flaws=dict.fromkeys(("Patient", *BILLING, "Measurements"), unfit),
            ),
        ),
        (
            Situation("zero rows", ("Appointments", "Diagnosis", "Immunisation"), flaws={"Immunisation": none}),
            Situation("reprocessed twice", ("Patient", "Appointments", "Measurements"), days=3),
        ),
        (
            Situation(
                "duplicate key",
                ("Patient", "Appointments", "Invoices"),
                flaws=dict.fromkeys(("Patient", "Appointments", "Invoices"), repeated),
            ),
            Situation("bad logic", ("Patient", *BILLING), days=3),
        ),
        (Situation("rolled back", ("Patient", "Invoices", "InvoiceDetail")),),
        (Situation("delta", (*CATALOGUES, *CHANGING), both), late, *([history] if large else [])),
        (Situation("cancelled", ("Appointments", "Immunisation", "Measurements")), Situation("delta", days=2)),
        (Situation("stuck", ("Patient", *BILLING, "Measurements"), both),),
    ]
