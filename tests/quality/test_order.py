"""A file in a usual order that is cut short ends early; one without an order says nothing of its end."""

import numpy as np
import pandas as pd
import pytest

from monitoring.quality.detector import Detector
from monitoring.quality.order import end_of_texts
from monitoring.quality.profiling import profile

WARDS = [f"{chr(65 + at)}ward" for at in range(20)]


def batch(week, *, newest_first=False, rows=None):
    """Sorted by ward; how many rows there are says nothing, it varies by as much as a cut."""
    dice = np.random.default_rng(week)
    rows = rows or int(dice.integers(60, 300))
    ward = np.sort(dice.integers(0, len(WARDS), rows))
    frame = pd.DataFrame({"ward": [WARDS[at] for at in ward], "dose": dice.normal(5, 1, rows).round(1)})
    return frame.iloc[::-1].reset_index(drop=True) if newest_first else frame


@pytest.mark.parametrize(("newest_first", "measure"), [(False, "end"), (True, "end_down")])
def test_a_cut_shows_in_where_the_order_ends(newest_first, measure):
    past = [batch(week, newest_first=newest_first) for week in range(30)]
    whole = batch(40, newest_first=newest_first, rows=200)
    assert not Detector().fit_step(past, whole).flagged
    verdict = Detector().fit_step(past, whole.head(120))
    assert verdict.flagged and measure in {finding.measure for finding in verdict.findings}


@pytest.mark.parametrize(
    ("texts", "found"),
    [
        (["a", "b", "a", "c"] * 30, []),
        ([f"a{at:03}" for at in range(9)], []),
        (["same"] * 50, []),
        ([f"a{at:03}" for at in range(95)] + ["a", "zz", "a", "b", "c"], ["end"]),
        ([f"a{at:03}" for at in range(95)] + ["zz", "a"] * 15, []),
        ([f"x{at:03}" for at in range(50, 0, -1)], ["end_down"]),
    ],
)
def test_an_order_is_what_nine_rows_of_ten_keep_to(texts, found):
    assert list(end_of_texts(texts)) == found


def test_numbers_and_dates_that_are_text_end_as_they_read():
    frame = pd.DataFrame({"no": [str(at) for at in range(5, 25)], "day": [f"2026-01-{at:02}" for at in range(1, 21)]})
    columns = profile(frame).columns
    assert columns["no"].levels["end"] == 24.0
    assert columns["day"].levels["end"] == columns["day"].levels["final"]


def test_of_the_last_text_two_letters_are_kept():
    (one,), (other,) = (end_of_texts([*"abcdefghij", last]).values() for last in ("Tane Rua", "tawhai"))
    assert one == other
