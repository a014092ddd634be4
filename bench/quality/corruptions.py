"""What goes wrong with a delivery: each corruption changes a share of the rows of a clean batch.

A corruption gives the changed batch and the columns it touched (none where it is the rows that are wrong), or None
where the batch has nothing that it could change.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

SHARES = (0.01, 0.05, 0.1, 0.2, 0.4, 0.8)


@dataclass(frozen=True)
class Corrupted:
    batch: pd.DataFrame
    columns: tuple[str, ...]


@dataclass(frozen=True)
class Ground:
    """A batch, those before it, the share of rows to change, and the dice."""

    batch: pd.DataFrame
    earlier: Sequence[pd.DataFrame]
    share: float
    dice: np.random.Generator

    def rows(self, among: "np.ndarray | None" = None) -> np.ndarray:
        """At least one row."""
        pool = np.arange(len(self.batch)) if among is None else among
        return self.dice.choice(pool, max(1, min(len(pool), round(self.share * len(self.batch)))), replace=False)

    def column(self, wanted: Callable[[pd.Series], bool]) -> str | None:
        found = [name for name in self.batch.columns if wanted(self.batch[name])]
        return str(self.dice.choice(found)) if found else None


Corruption = Callable[[Ground], Corrupted | None]


def is_number(values: pd.Series) -> bool:
    return (
        pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values) and bool(values.notna().any())
    )


def is_text(values: pd.Series) -> bool:
    kept = values.dropna()
    return pd.api.types.is_string_dtype(values) and len(kept) > 0 and not is_date(values)


def is_date(values: pd.Series) -> bool:
    if pd.api.types.is_datetime64_any_dtype(values):
        return bool(values.notna().any())
    kept = values.dropna()
    if not pd.api.types.is_string_dtype(values) or not len(kept):
        return False
    return bool(kept.astype(str).str.match(r"^\d{4}[-/]\d{2}[-/]\d{2}").all())


def explicit_missing(ground: Ground) -> Corrupted | None:
    name = ground.column(lambda values: values.notna().mean() > 0.3)
    if name is None:
        return None
    batch = ground.batch.copy()
    values = batch[name].astype(float) if pd.api.types.is_integer_dtype(batch[name]) else batch[name].copy()
    values = values.astype(object) if pd.api.types.is_bool_dtype(values) else values
    values.iloc[ground.rows(np.flatnonzero(values.notna()))] = None
    return Corrupted(batch.assign(**{name: values}), (name,))


def implicit_missing(ground: Ground) -> Corrupted | None:
    name = ground.column(lambda values: is_number(values) or (is_text(values) and values.notna().mean() > 0.3))
    if name is None:
        return None
    if is_number(ground.batch[name]):
        return _put(ground, name, ground.dice.choice([99999, -1, 0, -999, 9999]))
    return _put(ground, name, str(ground.dice.choice(["NONE", "N/A", "unknown", "-", "?", "", "99999"])))


def numeric_noise(ground: Ground) -> Corrupted | None:
    name = ground.column(lambda values: is_number(values) and values.std() > 0)
    if name is None:
        return None
    values, rows = ground.batch[name].astype(float), ground.rows()
    size = ground.dice.uniform(2, 5) * values.std()
    noise = ground.dice.normal(0, size, len(rows))
    if pd.api.types.is_integer_dtype(ground.batch[name]) and ground.dice.random() < 0.5:
        noise = noise.round()
    return _put(ground, name, values.iloc[rows].to_numpy() + noise, rows)


def unit_scale(ground: Ground) -> Corrupted | None:
    name = ground.column(lambda values: is_number(values) and (values != 0).mean() > 0.2)
    if name is None:
        return None
    rows = ground.rows(np.flatnonzero(ground.batch[name].notna() & (ground.batch[name] != 0)))
    scale = float(ground.dice.choice([10, 100, 1000, 0.1, 0.01, 0.001, 2.54, 0.4536]))
    return _put(ground, name, ground.batch[name].astype(float).iloc[rows].to_numpy() * scale, rows)


def swap_numeric(ground: Ground) -> Corrupted | None:
    return _swap(ground, is_number)


def swap_text(ground: Ground) -> Corrupted | None:
    return _swap(ground, is_text)


def shift_columns(ground: Ground) -> Corrupted | None:
    """From some column on, the values of a row stand one column too far right."""
    names = list(ground.batch.columns)
    if len(names) < 3:
        return None
    start, rows = int(ground.dice.integers(0, len(names) - 2)), ground.rows()
    cells = ground.batch.astype(object).to_numpy(copy=True)
    cells[rows, start:] = np.roll(cells[rows, start:], 1, axis=1)
    batch = pd.DataFrame(cells, columns=names)
    return Corrupted(batch.infer_objects(), tuple(names[start:]))


def typos(ground: Ground) -> Corrupted | None:
    name = ground.column(lambda values: is_text(values) and (values.dropna().astype(str).str.len() >= 3).mean() > 0.3)
    if name is None:
        return None
    text = ground.batch[name].astype(object)
    rows = ground.rows(np.flatnonzero(text.notna() & (text.astype(str).str.len() >= 3)))
    return _put(ground, name, np.array([_mistyped(str(v), ground.dice) for v in text.iloc[rows]], dtype=object), rows)


def truncate_rows(ground: Ground) -> Corrupted | None:
    """The end of the file is missing."""
    kept = len(ground.batch) - max(1, round(ground.share * len(ground.batch)))
    return Corrupted(ground.batch.iloc[:kept].reset_index(drop=True), ()) if kept else None


def truncate_text(ground: Ground) -> Corrupted | None:
    """Values are cut to a width."""
    name = ground.column(lambda values: is_text(values) and (values.dropna().astype(str).str.len() >= 4).mean() > 0.3)
    if name is None:
        return None
    text = ground.batch[name].astype(object)
    rows = ground.rows(np.flatnonzero(text.notna() & (text.astype(str).str.len() >= 4)))
    values = [str(v)[: max(1, int(len(str(v)) * 0.6))] for v in text.iloc[rows]]
    return _put(ground, name, np.array(values, dtype=object), rows)


def duplicates(ground: Ground) -> Corrupted | None:
    again = ground.batch.iloc[ground.rows()]
    return Corrupted(pd.concat([ground.batch, again], ignore_index=True), ())


def date_format(ground: Ground) -> Corrupted | None:
    name = ground.column(is_date)
    if name is None:
        return None
    values = pd.to_datetime(ground.batch[name], errors="coerce")
    rows = ground.rows(np.flatnonzero(values.notna()))
    wrong = values.iloc[rows].dt.strftime(str(ground.dice.choice(["%d/%m/%Y", "%m-%d-%y", "%Y%m%d", "%d %b %Y"])))
    return _put(ground, name, wrong.to_numpy(dtype=object), rows)


def mojibake(ground: Ground) -> Corrupted | None:
    """UTF-8 read as Latin-1. Text without accents is given some."""
    name = ground.column(is_text)
    if name is None:
        return None
    rows = ground.rows(np.flatnonzero(ground.batch[name].notna()))
    accents = str.maketrans("aeiounAEIOUN", "áéíóúñÁÉÍÓÚÑ")
    plain = [str(v) for v in ground.batch[name].astype(object).iloc[rows]]
    told = [v if not v.isascii() else v.translate(accents) for v in plain]
    return _put(ground, name, np.array([v.encode().decode("latin-1") for v in told], dtype=object), rows)


def stale(ground: Ground) -> Corrupted | None:
    """An earlier batch is delivered again; half of the time it is only a part, among new rows."""
    if not ground.earlier:
        return None
    old = ground.earlier[-int(ground.dice.integers(1, min(10, len(ground.earlier)) + 1))]
    if ground.dice.random() < 0.5 or not len(old):
        return Corrupted(old.copy(), ())
    again = old.iloc[ground.dice.choice(len(old), max(1, min(len(old), round(ground.share * len(old)))), replace=False)]
    fresh = ground.batch.iloc[: max(1, len(ground.batch) - len(again))]
    return Corrupted(pd.concat([fresh, again], ignore_index=True), ())


KINDS: dict[str, Corruption] = {
    "explicit_missing": explicit_missing,
    "implicit_missing": implicit_missing,
    "numeric_noise": numeric_noise,
    "unit_scale": unit_scale,
    "swap_numeric": swap_numeric,
    "swap_text": swap_text,
    "shift_columns": shift_columns,
    "typos": typos,
    "truncate_rows": truncate_rows,
    "truncate_text": truncate_text,
    "duplicates": duplicates,
    "date_format": date_format,
    "mojibake": mojibake,
    "stale": stale,
}


def _put(ground: Ground, name: str, values: object, rows: "np.ndarray | None" = None) -> Corrupted:
    """The values into some rows of a column, as a reader of the corrupted file would type them."""
    rows = ground.rows() if rows is None else rows
    column = ground.batch[name].astype(object).copy()
    column.iloc[rows] = values
    if is_number(ground.batch[name]):
        column = pd.to_numeric(column)
    return Corrupted(ground.batch.assign(**{name: column}), (name,))


def _swap(ground: Ground, wanted: Callable[[pd.Series], bool]) -> Corrupted | None:
    names = [name for name in ground.batch.columns if wanted(ground.batch[name])]
    if len(names) < 2:
        return None
    one, other = (str(name) for name in ground.dice.choice(names, 2, replace=False))
    rows, batch = ground.rows(), ground.batch.copy()
    left, right = batch[one].astype(object).copy(), batch[other].astype(object).copy()
    left.iloc[rows], right.iloc[rows] = batch[other].astype(object).iloc[rows], batch[one].astype(object).iloc[rows]
    return Corrupted(batch.assign(**{one: left.infer_objects(), other: right.infer_objects()}), (one, other))


def _mistyped(text: str, dice: np.random.Generator) -> str:
    at = int(dice.integers(0, len(text) - 1))
    way = int(dice.integers(0, 3))
    if way == 0:
        return text[:at] + text[at + 1 :]
    if way == 1 and text[at] != text[at + 1]:
        return text[:at] + text[at + 1] + text[at] + text[at + 2 :]
    return text[:at] + chr(ord("a") + int(dice.integers(0, 26))) + text[at + 1 :]
