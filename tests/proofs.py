"""What proves the same at further points: the tests of a change try the first ones, `make faults` all of them."""

from collections.abc import Iterable
from typing import Any

import pytest


def further(values: Iterable[Any], *, tried: int) -> list[Any]:
    """The values as parameters; behind the first `tried`, each is a proof of `make faults`."""
    marked = list(values)
    return [*marked[:tried], *(pytest.param(value, marks=pytest.mark.proof) for value in marked[tried:])]
