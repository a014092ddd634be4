"""Real dated data as the batches of a feed, in time order (sources and licences: bench/data/README.md)."""

import os
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

DATA = Path(__file__).parents[1] / "data"
SHARED = "dengue-peru-weekly.zip"
LEAST_ROWS = 20


@dataclass(frozen=True)
class Feed:
    """`held_out`: never looked at while the detector was built."""

    name: str
    batches: list[pd.DataFrame]
    held_out: bool = False


def feeds() -> list[Feed]:
    return [
        Feed("dengue", _dengue()),
        Feed("flights", _by("flights", "flight_date", "D")),
        Feed("weather", _by("weather", "day_of", "D")),
        Feed("birdstrikes", _by("birdstrikes", "Flight Date", "M")),
        Feed("avocados", _by("avocados", "date", "W")),
        Feed("house_sales", _by("house_sales", "date", "W"), held_out=True),
        Feed("taiwan", _by("taiwan", "Date_Notification", "W"), held_out=True),
        Feed("lifts", _by("lifts", "date", "Q"), held_out=True),
    ]


def _by(name: str, dated: str, period: str) -> list[pd.DataFrame]:
    frame = pd.read_parquet(DATA / f"{name}.parquet")
    when = pd.to_datetime(frame[dated]).dt.to_period(period)
    batches = [batch.reset_index(drop=True) for _, batch in frame.groupby(when, sort=True)]
    return [batch for batch in batches if len(batch) >= LEAST_ROWS]


def _dengue() -> list[pd.DataFrame]:
    with zipfile.ZipFile(_shared()) as archive:
        return [pd.read_csv(archive.open(name)) for name in sorted(archive.namelist()) if name.endswith(".csv")]


def _shared() -> Path:
    """The folder that RESTAGE_BENCH_DATA names, else `shared/data` beside the project or beside a folder around it."""
    for folder in _folders():
        if (folder / SHARED).exists():
            return folder / SHARED
    raise SystemExit(f"{SHARED} was not found: name its folder in RESTAGE_BENCH_DATA.")


def _folders() -> Iterator[Path]:
    if chosen := os.environ.get("RESTAGE_BENCH_DATA"):
        yield Path(chosen)
    for folder in Path(__file__).resolve().parents:
        yield folder / "shared" / "data"
