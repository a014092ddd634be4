"""The split of a selection into waves, and the checks: rules that do not ask any database."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reprocessing import waves
from reprocessing.wave_checks import FAIL, INCONCLUSIVE, PASS, Part, check
from reprocessing.waves import Rules, shares, split

FILES = st.lists(
    st.builds(
        lambda extract, practice, records: {"extract": extract, "practice": practice, "records": records},
        st.sampled_from(["Patient", "Visits", "Calls"]),
        st.sampled_from(["a/1", "a/2", "b/1", "c/1"]),
        st.integers(0, 5_000),
    ),
    min_size=1,
    max_size=60,
).map(lambda found: [{**item, "file": n, "key": f"f{n}.csv"} for n, item in enumerate(found)])
SHARES = st.sampled_from([(100.0,), (1.0, 10.0, 50.0, 100.0), (5.0, 100.0), (30.0, 60.0, 100.0)])


@given(FILES, SHARES, st.sampled_from(waves.BY))
def test_every_file_is_in_exactly_one_wave_and_the_same_split_comes_again(files, asked, by):
    made = split(files, Rules(asked, by))
    assert sorted(file for wave in made for file in wave["files"]) == [item["file"] for item in files]
    assert [wave["number"] for wave in made] == list(range(1, len(made) + 1))
    assert split(list(reversed(files)), Rules(asked, by)) == made
    assert made[-1]["records_so_far"] == sum(item["records"] for item in files)


@given(FILES, SHARES, st.sampled_from(waves.BY))
def test_the_first_wave_has_every_extract(files, asked, by):
    first = set(split(files, Rules(asked, by))[0]["files"])
    assert {item["extract"] for item in files if item["file"] in first} == {item["extract"] for item in files}


@given(FILES, SHARES)
def test_no_wave_is_larger_than_asked_but_for_what_the_first_must_have(files, asked):
    made = split(files, Rules(asked))
    whole = sum(item["records"] for item in files)
    must = sum(min(i["records"] for i in files if i["extract"] == e) for e in {i["extract"] for i in files})
    for wave in made:
        assert wave["records_so_far"] <= max(whole * wave["share"] / 100, must)


@given(FILES)
def test_a_practice_is_never_split(files):
    for wave in split(files, Rules(by="practice")):
        inside = {item["practice"] for item in files if item["file"] in wave["files"]}
        assert {item["file"] for item in files if item["practice"] in inside} == set(wave["files"])


def test_one_percent_has_every_stratum_where_it_can():
    strata = [(extract, practice) for extract in ("Patient", "Visits") for practice in ("a/1", "b/1", "c/1")]
    files = [
        {"file": n, "key": f"{n}.csv", "extract": strata[n % 6][0], "practice": strata[n % 6][1], "records": 10}
        for n in range(1200)
    ]
    made = split(files, Rules())
    assert [wave["records"] for wave in made] == [120, 1080, 4800, 6000]
    assert [len({strata[n % 6] for n in wave["files"]}) for wave in made] == [6, 6, 6, 6]
    for wave in made:
        each = [sum(1 for f in wave["files"] if f % 6 == stratum) for stratum in range(6)]
        assert max(each) - min(each) <= 1, "every stratum has its share"


def test_five_thousand_files_of_one_stratum_are_split_quickly():
    files = [{"file": n, "key": f"{n}", "extract": "Visits", "practice": "a", "records": n % 97} for n in range(5_000)]
    assert len(split(files, Rules())) == 4


@pytest.mark.parametrize(
    ("given_shares", "told"),
    [((), "larger"), ((10, 5, 100), "larger"), ((1, 50), "end at 100"), ((0, 100), "larger"), ((10, 10, 100), "larger"),
     ((50, 120), "end at 100"), (tuple(range(80, 101)), "At most 20")],
)  # fmt: skip
def test_shares_that_cannot_be_meant_are_refused(given_shares, told):
    with pytest.raises(ValueError, match=told):
        Rules(given_shares)


def test_a_share_that_is_no_number_is_refused_however_it_sorts():
    for _time in range(40):
        with pytest.raises(ValueError, match="in percent"):
            Rules((1.0, float("nan"), 100.0))


def test_shares_are_read_as_people_write_them():
    assert shares("1, 10 %,50,100") == (1, 10, 50, 100)
    with pytest.raises(ValueError, match="numbers with commas"):
        shares("some")


def part(**more: int | None) -> Part:
    said: dict[str, int | None] = {
        "read": 1000, "rejected": 0, "before_read": 1000, "before_rejected": 0,
        "touched": 1000, "changed": 100, "whole_touched": 10_000, "whole_changed": 1000,
    }  # fmt: skip
    return Part(extract="Visits", **(said | more))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "found", "result"),
    [
        ("rejects", part(rejected=10), PASS),
        ("rejects", part(rejected=11), FAIL),
        ("rejects", part(rejected=60, before_rejected=50), PASS),
        ("rejects", part(rejected=61, before_rejected=50), FAIL),
        ("rejects", part(read=29, rejected=29), INCONCLUSIVE),
        ("rejects", part(before_read=None, before_rejected=None), INCONCLUSIVE),
        ("records", part(read=800), PASS),
        ("records", part(read=799), FAIL),
        ("records", part(read=1200), PASS),
        ("records", part(read=1201), FAIL),
        ("records", part(before_read=None), INCONCLUSIVE),
        ("records", part(read=0), FAIL),
        ("changes", part(changed=150), PASS),
        ("changes", part(changed=151), FAIL),
        ("changes", part(touched=29, changed=29), INCONCLUSIVE),
        ("changes", part(touched=100, changed=19), PASS),
        ("changes", part(touched=100, changed=20), FAIL),
    ],
)
def test_each_limit_is_strict(name, found, result):
    (seen,) = [one for one in check([found], {}) if one.name == name]
    assert seen.result == result, seen.told


def test_one_bad_extract_fails_a_check_and_small_ones_do_not_hide_it():
    small = part(read=3, before_read=3)
    seen = {one.name: one.result for one in check([small, part(), part(rejected=500)], {})}
    assert seen == {"rejects": "fail", "records": "pass", "changes": "pass", "breakers": "pass"}


@pytest.mark.parametrize(("state", "result"), [("open", FAIL), ("half open", INCONCLUSIVE)])
def test_breakers_are_checked(state, result):
    assert check([part()], {"Visits": state})[-1].result == result
