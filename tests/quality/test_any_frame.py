"""Every legal frame gets a verdict: finite, without a warning, whatever its cells are."""

import warnings
from datetime import date, datetime
from decimal import Decimal
from math import isfinite
from typing import cast

import numpy as np
import pandas as pd
import pytest

from monitoring.quality.detector import Detector
from tests.proofs import further

ROWS = 30


def columns(rows: int) -> dict[str, object]:
    at = np.arange(rows)
    return {
        "object": pd.Series([f"v{i}" if i % 7 else None for i in at], dtype=object),
        "string": pd.Series([f"name {i % 5}" for i in at], dtype="string"),
        "category": pd.Series([f"c{i % 3}" for i in at]).astype("category"),
        "when": pd.Series(pd.date_range("2024-01-01", periods=rows, freq="h", tz="Pacific/Auckland")),
        "naive": pd.Series(pd.date_range("1700-01-01", periods=rows, freq="D", unit="us")),
        "took": pd.Series(pd.to_timedelta(at, unit="h")),
        "flag": pd.Series(at % 2 == 0),
        "maybe": pd.Series([True, None, False] * (rows // 3 + 1), dtype="boolean")[:rows],
        "int": pd.Series([int(i) if i % 4 else None for i in at], dtype="Int64"),
        "float": pd.Series(np.where(at % 5 == 0, np.inf, at / 3)),
        "decimal": pd.Series([Decimal(int(i)) / 7 for i in at], dtype=object),
        "list": pd.Series([[int(i)] for i in at], dtype=object),
        "dict": pd.Series([{"a": int(i)} for i in at], dtype=object),
        "mixed": pd.Series([(1, "x", 2.5, None, date(2024, 1, 1), datetime(2024, 1, 1), b"x")[i % 7] for i in at]),
        "nothing": pd.Series([None] * rows, dtype=object),
        "nan": pd.Series([np.nan] * rows),
        "huge": pd.Series(["9" * 400, "1e999", "-1e308", "\x00", "\ud800", "é" * 3000] * (rows // 6 + 1), dtype=object)[
            :rows
        ],
        "dates": pd.Series(["0000-00-00", "2024-02-30", "31/12/9999", "9999-12-31"] * (rows // 4 + 1))[:rows],
        "complex": pd.Series(at * 1j),
        "period": pd.Series(pd.period_range("2024-01", periods=rows, freq="D")),
        "interval": pd.Series(pd.interval_range(0, rows)),
        "unsigned": pd.Series(np.full(rows, 2**64 - 1, dtype=np.uint64)),
    }


def frame(rows: int = ROWS) -> pd.DataFrame:
    return pd.DataFrame({name: pd.Series(values).reset_index(drop=True) for name, values in columns(rows).items()})


WHOLE = frame()
ODD = {
    "whole": WHOLE,
    "one row": WHOLE.iloc[:1],
    "no rows": WHOLE.iloc[:0],
    "no columns": pd.DataFrame(),
    "only an index": pd.DataFrame(index=range(5)),
    "all object": WHOLE.astype(object),
    "all text": WHOLE.drop(columns="huge").astype(object).map(str),
    "fewer columns": WHOLE.iloc[:, ::2],
    "more columns": WHOLE.assign(another=1),
    "same name twice": pd.concat([WHOLE, WHOLE], axis=1),
    "names that are no text": WHOLE.rename(columns={"flag": 7, "int": ("a", 1), "float": None}),
    "odd index": WHOLE.set_index(pd.MultiIndex.from_product([["a"] * 5, range(6)])),
    "all empty": pd.DataFrame(np.nan, index=range(ROWS), columns=list(WHOLE.columns)),
    "columns shifted": WHOLE.astype(object).set_axis([*WHOLE.columns[1:], WHOLE.columns[0]], axis=1),
}
PASTS = {
    "none": [],
    "one": [WHOLE],
    "twelve": [WHOLE.iloc[: 20 + i % 5] for i in range(12)],
    "odd ones": [*ODD.values()],
}


@pytest.mark.parametrize("past", further(["none", "twelve", "one", "odd ones"], tried=2))
@pytest.mark.parametrize("name", ODD)
def test_it_has_a_verdict(name, past):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        verdict = Detector().fit_step(PASTS[past], ODD[name])
    assert isfinite(verdict.score) and isinstance(verdict.flagged, bool)
    assert all(isinstance(column, str) for column in verdict.columns)
    assert verdict.sentence


def test_it_does_not_change_the_batch():
    before = WHOLE.copy(deep=True)
    Detector().fit_step([WHOLE], WHOLE)
    pd.testing.assert_frame_equal(WHOLE, before)


def test_it_refuses_what_is_no_batch():
    with pytest.raises(TypeError, match="not list"):
        Detector().fit_step([], cast(pd.DataFrame, [1, 2]))
