"""The limit above which a batch is flagged: the feed's own scores, and before there are many, what feeds are like."""

import pytest

from monitoring.quality.feed import SPREADS, USUAL_BATCHES, USUAL_MIDDLE, USUAL_SPREAD, Feed


def limit_of(scores):
    feed = Feed()
    feed.scores = [9.0, 9.0, 9.0, *scores]
    return feed.limit()


def test_without_scores_it_is_what_feeds_are_like():
    assert Feed().limit() == limit_of([]) == USUAL_MIDDLE + SPREADS * USUAL_SPREAD


def test_of_many_scores_it_is_the_median_and_the_mean_distance_of_those_above():
    scores = [1.0, 1.0, 2.0, 3.0, 5.0] * 24
    own = 120 / (120 + USUAL_BATCHES)
    middle, above = 2.0, 2 * (1.0 + 3.0) / 5
    expected = own * (middle + SPREADS * above) + (1 - own) * (USUAL_MIDDLE + SPREADS * USUAL_SPREAD)
    assert limit_of(scores) == pytest.approx(expected)


def test_one_score_more_or_less_hardly_moves_it():
    """A quantile of few scores would jump from one to the next."""
    calm = [2.0] * 17 + [4.5] * 2
    assert limit_of([*calm, 4.5]) - limit_of([*calm, 2.0]) < 0.5
