"""What the detector finds and names in an invented feed, what it leaves alone, and when it says that it cannot know."""

import numpy as np
import pandas as pd
import pytest

from bench.quality.corruptions import KINDS, Ground
from monitoring.quality import profiling
from monitoring.quality.content import digest
from monitoring.quality.detector import Detector
from monitoring.quality.feed import Feed
from monitoring.quality.profiling import profile
from monitoring.quality.verdict import BLOCK, PASS

TOWNS = ("Aroha Bay", "Kōwhai Flat", "Rimu Creek", "Tōtara Hill")
NOTES = ("by phone", "in person", "letter", None)


def batch(week: int, rows: int = 120) -> pd.DataFrame:
    dice = np.random.default_rng([7, week])
    hours = np.sort(dice.integers(0, 7 * 24, rows))
    size = dice.gamma(4, 10, rows).round(1)
    town = dice.choice(len(TOWNS), rows, p=(0.4, 0.3, 0.2, 0.1))
    return pd.DataFrame(
        {
            "visit": [f"V{week:03d}-{i:04d}" for i in range(rows)],
            "seen": (pd.Timestamp("2025-01-06") + pd.to_timedelta(week * 7 * 24 + hours, unit="h")).strftime(
                "%Y-%m-%d"
            ),
            "town": [TOWNS[at] for at in town],
            "practice": [TOWNS[at].split()[0].lower() for at in town],
            "size": size,
            "paid": (size * 0.4 + dice.normal(0, 1, rows)).round(2),
            "note": [NOTES[at] for at in dice.integers(0, len(NOTES), rows)],
        }
    )


PAST = [batch(week) for week in range(30)]
LATER = [batch(week) for week in range(30, 34)]
NEXT = LATER[0]


@pytest.mark.parametrize("kind", KINDS)
def test_it_finds_what_goes_wrong_and_names_the_column(kind):
    made = KINDS[kind](Ground(NEXT, PAST, 0.4, np.random.default_rng(3)))
    assert made is not None
    verdict = Detector().fit_step(PAST, made.batch)
    assert verdict.flagged and verdict.score > verdict.limit and verdict.findings
    assert not made.columns or set(verdict.columns[:3]) & set(made.columns)


def test_it_is_quiet_on_what_is_as_before():
    verdicts = [Detector().fit_step([*PAST, *LATER[:at]], later) for at, later in enumerate(LATER)]
    assert [v.level for v in verdicts] == [PASS] * len(LATER)
    assert verdicts[0].sentence == "Like the batches before."


def test_below_ten_batches_only_proofs_are_looked_for_and_it_says_so():
    odd = NEXT.assign(size=NEXT["size"] * 50)
    assert Detector().fit_step(PAST, odd).flagged
    few = Detector().fit_step(PAST[:9], odd)
    assert (few.level, few.flagged) == (PASS, False) and "Only proofs were looked for: 9 accepted" in few.note
    wrong = NEXT.assign(size=[*["many"] * 8, *NEXT["size"].astype(str)[8:]])
    one = NEXT.assign(size=["many", *NEXT["size"].astype(str)[1:]])
    assert Detector().fit_step(PAST[:2], one).level == "warn"
    proven = Detector().fit_step(PAST[:2], wrong)
    assert proven.level == BLOCK and proven.columns[0] == "size" and "is no number" in proven.sentence
    assert "nothing to compare" in Detector().fit_step([], NEXT).note


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        (lambda b: pd.concat([b, b.head(9)]), "stand in it twice"),
        (lambda b: PAST[5], "delivered before"),
        (lambda b: b.drop(columns="town"), "The column town is missing"),
        (lambda b: b.assign(town=None), "town is empty in every row"),
        (lambda b: b.assign(town=[*["K\u00c5\u008dwhai Flat"] * 9, *b["town"][9:]]), "wrong encoding"),
        (lambda b: b.assign(seen=pd.to_datetime(b["seen"]).dt.strftime("%d/%m/%Y")), "dates in another format"),
        (lambda b: b.assign(visit=b["visit"].iloc[0]), "different in every row of every batch"),
        (lambda b: b.head(0), "There are no rows"),
    ],
)
def test_proofs_block_whatever_else_is_usual(changed, told):
    verdict = Detector().fit_step(PAST[:12], changed(NEXT))
    assert verdict.level == BLOCK and told in " ".join(found.told for found in verdict.findings)


def test_what_comes_by_chance_in_few_rows_proves_nothing():
    rare = [
        one.assign(left=pd.Series([None, "x", None], dtype=object)) for one in (batch(week, 3) for week in range(6))
    ]
    odd = rare[0].assign(visit=["N1", "N2", "N3"], left=None, seen=["2025-03-03"] * 3)
    assert not Detector().fit_step(rare[1:], odd).flagged
    whole = [NEXT.assign(size=NEXT["size"] + week) for week in range(2)]
    assert not Detector().fit_step(whole[:1], whole[0].copy()).flagged


def test_what_is_merely_unusual_never_blocks():
    assert Detector().fit_step(PAST, NEXT.assign(paid=NEXT["paid"] + 8)).level == "warn"


def test_profiles_do_as_well_as_frames_and_a_longer_history_goes_on_where_it_was():
    frames, profiles = Detector(), Detector()
    made = [profile(one) for one in PAST]
    for length in (10, 12, 11):
        assert profiles.fit_step(made[:length], NEXT).score == frames.fit_step(PAST[:length], NEXT).score


def test_a_history_of_copies_is_read_once(monkeypatch):
    before = Detector().fit_step([one.copy() for one in PAST], NEXT).score
    read: list[int] = []

    def noting(frame):
        read.append(len(frame))
        return profile(frame)

    monkeypatch.setattr(profiling, "profile", noting)
    assert Detector().fit_step([one.copy() for one in PAST], NEXT).score == before
    assert read == [len(NEXT)]


def test_frames_that_differ_are_never_taken_for_one_another():
    cells = [[1, 2], [2, 1], [1.0, 2.0], ["1", "2"], [True, False], [None, 1], ["1, 2", "a"], ["1", "2, a"]]
    frames = [pd.DataFrame({"a": pd.Series(one, dtype=kind)}) for one in cells for kind in ("object", None)]
    frames += [frame.rename(columns={"a": "b"}) for frame in frames]
    digests = [digest(frame) for frame in frames]
    assert digests == [digest(frame.copy()) for frame in frames]
    same = {(str(f.dtypes.iloc[0]), repr(f.to_dict("list"))) for f in frames}
    assert len(set(digests)) == len(same)


def test_the_first_step_of_a_measure_does_not_hide_later_ones():
    feed = Feed()
    for week, rows in enumerate((20, *(100 + 5 * (week % 3) for week in range(11)))):
        feed.add(profile(batch(week, rows)))
    surprises = feed.weigh(profile(batch(12, 20))).surprises
    (cut,) = (at for at, reading in enumerate(surprises.readings) if reading.measure == "rows")
    assert surprises.surprise[cut] > 1.5


def test_no_sentence_holds_a_value():
    verdict = Detector().fit_step(PAST, NEXT.assign(town="Secret Place", note="Mere Pohatu"))
    assert verdict.flagged
    assert not any(word in verdict.sentence for word in ("Secret", "Mere", "Aroha", "Rimu"))
