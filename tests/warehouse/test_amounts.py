import pytest

from warehouse import amounts


def test_one_thing_has_its_own_word():
    assert [amounts.things(n, "set") for n in (0, 1, 1204)] == ["0 sets", "1 set", "1,204 sets"]
    assert [amounts.word(n, "job waits", "jobs wait") for n in (1, 2)] == ["job waits", "jobs wait"]


@pytest.mark.parametrize(
    ("size", "told"),
    [(0, "0.0 kB"), (99_999, "100.0 kB"), (100_000, "0.1 MB"), (9_999_900_000, "9,999.9 MB"), (10**10, "10.0 GB")],
)
def test_a_size_is_told_in_the_unit_that_fits(size: int, told: str):
    assert amounts.megabytes(size) == told
