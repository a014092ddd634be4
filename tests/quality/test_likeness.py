"""Values that look like another one gone wrong: a letter away from it, or its beginning."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from monitoring.quality import storing
from monitoring.quality.detector import Detector
from monitoring.quality.likeness import MOST_VALUES, alike
from monitoring.quality.profiling import profile


def rows(**values):
    return alike([name.replace("_", " ") for name in values], np.array(list(values.values()), float))


@pytest.mark.parametrize("wrong", ["hamlton", "hamliton", "hamiltton", "hamixton", "amilton", "Hamilto"])
def test_one_letter_away_from_a_more_frequent_value_is_mistyped(wrong):
    assert rows(hamilton=30, napier=20, **{wrong: 2})["mistyped"] == 2


def test_what_is_no_word_or_as_frequent_or_farther_away_is_not():
    assert rows(hamilton=30, hamiltons=30, hmlton=2, ham=3)["mistyped"] == 0
    assert rows(ward12=30, ward13=2)["mistyped"] == 0
    assert "mistyped" not in rows(hamilton=1, hamiltons=1, napier=1)


def test_the_beginning_of_another_value_is_cut_off():
    assert rows(hamilton=3, hamil=20, hamilt=1, napier=4, nap=9)["cut_off"] == 21
    assert rows(hamilton=3, napier=4)["cut_off"] == rows()["cut_off"] == 0
    assert alike([f"name{'x' * at}" for at in range(MOST_VALUES + 1)], np.ones(MOST_VALUES + 1)) == {}


def clinics(week, wrong=""):
    """Hundreds of names in use, so that new ones come every week, all of a few syllables; `wrong` in 24 of 300 rows."""
    dice = np.random.default_rng(week)
    syllables = np.array(["ra", "to", "wai", "mo", "ka", "ha", "nui", "re", "po", "ti"])
    names = ["".join(syllables[np.random.default_rng(at).integers(0, 10, 5)]).title() for at in range(600)]
    held = [names[int(at)] for at in 600 * dice.random(300) ** 3]
    for at in range(24 if wrong else 0):
        held[at] = held[at][:6] if wrong == "cut" else held[at][:4] + held[at][5:]
    return pd.DataFrame({"clinic": held})


PAST = [clinics(week) for week in range(30)]


@pytest.mark.parametrize(("wrong", "measure"), [("cut", "cut_off"), ("typed", "mistyped")])
def test_it_is_found_where_new_values_are_usual(wrong, measure):
    assert not Detector().fit_step(PAST, clinics(40)).flagged
    verdict = Detector().fit_step(PAST, clinics(40, wrong))
    (told,) = (finding.told for finding in verdict.findings if finding.measure == measure)
    assert verdict.flagged and "clinic" in told


def test_profiles_from_before_these_measures_still_count():
    new = ("mistyped", "cut_off", "end", "end_down")
    made = [storing.load(storing.dump(_without(profile(one), new))) for one in PAST]
    assert not Detector().fit_step(made, clinics(40)).flagged
    mixed = [*made[:15], *(storing.load(storing.dump(profile(one))) for one in PAST[15:])]
    assert not Detector().fit_step(mixed, clinics(40)).flagged
    assert Detector().fit_step(mixed, clinics(40, "typed")).flagged


def _without(found, measures):
    columns = {
        name: replace(
            column,
            shares={key: value for key, value in column.shares.items() if key not in measures},
            levels={key: value for key, value in column.levels.items() if key not in measures},
        )
        for name, column in found.columns.items()
    }
    return replace(found, columns=columns)
