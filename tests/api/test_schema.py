"""The description of the API: whole, without a warning, and the same as what is answered (conftest compares each)."""

import warnings

from drf_spectacular.drainage import GENERATOR_STATS

from api import schema, urls


def test_it_is_made_without_a_warning_and_names_every_resource():
    schema.described.cache_clear()
    GENERATOR_STATS.reset()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        told = schema.described()
    assert not GENERATOR_STATS, list(GENERATOR_STATS._warn_cache)
    assert told["openapi"] == "3.1.0"
    assert len(told["paths"]) == len(urls.resources)
