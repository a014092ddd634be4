"""A data frame to its profile. Never raises on a legal frame, whatever its cells are."""

import warnings
from collections.abc import Hashable, Iterable
from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from monitoring.quality import likeness, moments, order, text
from monitoring.quality.profile import NO_FLOATS, NO_HASHES, Bag, Cells, Column, Floats, Hashes, Profile, counted

MOST_CELL_ROWS = 4_000
MOST_GRAM_TEXTS = 2_000
QUANTILES = np.linspace(0, 1, 33)
_ODD = np.uint64(0x9E3779B97F4A7C15)
_EMPTY = np.uint64(0)


class _Read:
    """One column, read: the hash of each row's value, and its numbers and days where it has any."""

    def __init__(self, column: Column, hashes: Hashes, numbers: Floats | None, constant: bool) -> None:
        self.column, self.hashes, self.numbers, self.constant = column, hashes, numbers, constant


def profile(frame: pd.DataFrame) -> Profile:
    """Of the batch as it stands; the frame is not changed."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        reads = [_read(name, frame.iloc[:, at]) for at, name in enumerate(_names(frame.columns))]
        whole = _row_hashes([r.hashes for r in reads], len(frame))
        core = _row_hashes([r.hashes for r in reads if not r.constant], len(frame))
        distinct = counted(whole).hashes
        return Profile(
            rows=len(frame),
            again=len(frame) - len(distinct) if reads else 0,
            columns={r.column.name: r.column for r in reads},
            row_hashes=distinct,
            core_hashes=counted(core).hashes,
            cells=_cells(reads, len(frame)),
        )


def _names(columns: Iterable[Hashable]) -> list[str]:
    """Each a text of its own."""
    names: list[str] = []
    for column in columns:
        name, again = str(column), 2
        while name in names:
            name, again = f"{column}#{again}", again + 1
        names.append(name)
    return names


def _read(name: str, values: pd.Series) -> _Read:
    empty = np.asarray(values.isna(), dtype=bool)
    kind = values.dtype
    if isinstance(kind, pd.CategoricalDtype):
        values = values.astype(object)
        kind = values.dtype
    if pd.api.types.is_bool_dtype(kind) or (
        pd.api.types.is_numeric_dtype(kind) and not pd.api.types.is_complex_dtype(kind)
    ):
        return _read_numbers(name, values.to_numpy(dtype=float, na_value=np.nan), len(values))
    if pd.api.types.is_datetime64_any_dtype(kind) or pd.api.types.is_timedelta64_dtype(kind):
        return _read_times(name, values, empty)
    return _read_texts(name, values, empty)


def _read_numbers(name: str, numbers: Floats, rows: int) -> _Read:
    numbers = np.where(np.isinf(numbers), np.sign(numbers) * 1e300, numbers)
    known = ~np.isnan(numbers)
    hashes = np.where(known, _mixed((numbers + 0.0).view(np.uint64)), _EMPTY)
    kept = numbers[known]
    values = counted(hashes[known])
    shares = {"null": float(rows - len(kept))}
    levels, errors = moments.spread(values, len(kept))
    more_shares, more_levels, more_errors = moments.of_numbers(kept, moments.decimals_of(kept), np.ones(len(kept)))
    column = Column(
        name,
        rows,
        shares | more_shares,
        levels | more_levels | order.end(numbers) | {"as_number": 1.0},
        errors | more_errors,
        marks=np.quantile(kept, QUANTILES) if len(kept) else NO_FLOATS,
        kind="number",
        values=values,
    )
    return _Read(column, hashes, numbers, len(values.hashes) + (len(kept) < rows) <= 1)


def _read_times(name: str, values: pd.Series, empty: NDArray[np.bool_]) -> _Read:
    if pd.api.types.is_timedelta64_dtype(values.dtype):
        days = values.dt.total_seconds().to_numpy(dtype=float, na_value=np.nan) / 86400
    else:
        if values.dt.tz is not None:
            values = values.dt.tz_convert("UTC").dt.tz_localize(None)
        days = values.astype("datetime64[us]").to_numpy().astype("int64") / 86400e6
    days = np.where(empty, np.nan, days)
    hashes = np.where(empty, _EMPTY, _mixed((days + 0.0).view(np.uint64)))
    kept, bag = days[~empty], counted(hashes[~empty])
    levels, errors = moments.spread(bag, len(kept))
    more_levels, more_errors = moments.of_days(kept)
    shares = {"null": float(empty.sum()), "untimely": 0.0}
    column = Column(
        name,
        len(values),
        shares,
        levels | more_levels | {"as_time": 1.0},
        errors | more_errors,
        marks=np.quantile(kept, QUANTILES) if len(kept) else NO_FLOATS,
        kind="time",
        values=bag,
    )
    return _Read(column, hashes, days, len(bag.hashes) + bool(empty.any()) <= 1)


def _read_texts(name: str, values: pd.Series, empty: NDArray[np.bool_]) -> _Read:
    plain = [_plain(value) for value in values.astype(object)[~empty]]
    codes, distinct = pd.factorize(np.array(plain, dtype=object)) if plain else (np.empty(0, int), np.empty(0, object))
    counts = np.bincount(codes, minlength=len(distinct)).astype(float)
    read = [text.read(value) for value in distinct]
    keys = _keys(distinct)
    numbers, days = np.array([t.number for t in read] or [], float), np.array([t.day for t in read] or [], float)
    hashes = np.zeros(len(values), dtype=np.uint64)
    row_numbers = np.full(len(values), np.nan)
    if plain:
        hashes[~empty] = keys[codes]
        number_share = counts[~np.isnan(numbers)].sum() / len(plain)
        day_share = counts[~np.isnan(days)].sum() / len(plain)
        row_numbers[~empty] = (days if day_share > number_share else numbers)[codes]
    column = _text_column(name, len(values), int(empty.sum()), read, counts, keys, numbers, days, row_numbers)
    in_order = order.end(row_numbers) if len(column.marks) else order.end_of_texts(plain)
    like = {} if len(column.marks) else likeness.alike(list(distinct), counts)
    column = replace(column, shares={**column.shares, **like}, levels={**column.levels, **in_order})
    return _Read(column, hashes, row_numbers, len(distinct) + bool(empty.any()) <= 1)


def _keys(distinct: "np.ndarray") -> Hashes:
    if not len(distinct):
        return NO_HASHES
    try:
        return pd.util.hash_array(np.asarray(distinct, dtype=object), categorize=False)
    except UnicodeEncodeError:  # half of a surrogate pair
        whole = [value.encode("utf-8", "replace").decode() for value in distinct]
        return pd.util.hash_array(np.array(whole, dtype=object), categorize=False)


def _plain(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool | np.bool_):
        return "1" if value else "0"
    if isinstance(value, float | np.floating):
        return f"{value:.15g}"
    return str(value)


def _text_column(
    name: str,
    rows: int,
    nulls: int,
    read: list[text.Text],
    counts: Floats,
    keys: Hashes,
    numbers: Floats,
    days: Floats,
    row_numbers: Floats,
) -> Column:
    kept = float(counts.sum())
    bag = _counted(keys, counts)
    levels, errors = moments.spread(bag, int(kept))
    shares = {"null": float(nulls)}
    for share, flags in (
        ("blank", [t.blank for t in read]),
        ("sentinel", [t.sentinel for t in read]),
        ("broken", [t.broken for t in read]),
        ("ragged", [t.ragged for t in read]),
        ("foreign", [t.foreign > 0 for t in read]),
    ):
        shares[share] = float(counts[np.array(flags, bool)].sum()) if read else 0.0
    number, day = ~np.isnan(numbers), ~np.isnan(days)
    as_number = float(counts[number].sum()) / kept if kept else np.nan
    as_time = float(counts[day].sum()) / kept if kept else np.nan
    shares["not_number"] = kept - float(counts[number].sum())
    shares["untimely"] = kept - float(counts[day].sum())
    levels |= {"as_number": as_number, "as_time": as_time}
    if kept:
        _text_levels(read, counts, levels, errors)
    marks = NO_FLOATS
    found = row_numbers[~np.isnan(row_numbers)]
    if len(found) and as_time > as_number:
        more_levels, more_errors = moments.of_days(found)
        levels, errors = levels | more_levels, errors | more_errors
        marks = np.quantile(found, QUANTILES)
    elif len(found) and as_number > 0.02:
        decimals = np.array([t.decimals for t in read], float)[number]
        more, more_levels, more_errors = moments.of_numbers(numbers[number], decimals, counts[number])
        shares, levels, errors = shares | more, levels | more_levels, errors | more_errors
        marks = np.quantile(found, QUANTILES)
    return Column(
        name,
        rows,
        shares,
        levels,
        errors,
        marks=marks,
        values=bag,
        masks=_masks(read, counts, whole=bool(as_time > 0.5)),
        grams=_grams(read, counts),
    )


def _text_levels(read: list[text.Text], counts: Floats, levels: dict[str, float], errors: dict[str, float]) -> None:
    total = counts.sum()
    lengths = np.array([t.length for t in read], float)
    mean = float((lengths * counts).sum() / total)
    deviation = float(np.sqrt(max(0.0, ((lengths - mean) ** 2 * counts).sum() / total)))
    levels |= {"length": mean, "length_least": float(lengths.min()), "length_most": float(lengths.max())}
    levels["length_spread"] = deviation
    errors |= {"length": deviation / np.sqrt(total), "length_spread": deviation / np.sqrt(2 * total)}
    letters = max(1.0, float((lengths * counts).sum()))
    for level, of in (
        ("letters", [t.letters for t in read]),
        ("uppers", [t.uppers for t in read]),
        ("digits", [t.digits for t in read]),
        ("spaces", [t.spaces for t in read]),
    ):
        share = float((np.array(of, float) * counts).sum() / letters)
        levels[level] = share
        errors[level] = float(np.sqrt(share * (1 - min(1.0, share)) / total)) * 0.5


def _masks(read: list[text.Text], counts: Floats, *, whole: bool) -> Bag:
    """Of dates the whole pattern, with its widths; else runs of a class count as one."""
    return _counted(np.array([t.full_mask if whole else t.mask for t in read], dtype=np.uint64), counts)


def _grams(read: list[text.Text], counts: Floats) -> Bag:
    """Trigrams, each with the rows it stands in."""
    chosen = np.argsort(-counts)[:MOST_GRAM_TEXTS]
    grams = [g for at in chosen for g in read[at].grams]
    weights = [counts[at] for at in chosen for _ in read[at].grams]
    return _counted(np.array(grams, dtype=np.uint64), np.array(weights, float))


def _mixed(bits: Hashes) -> Hashes:
    bits = bits ^ (bits >> np.uint64(31))
    bits = bits * _ODD
    return (bits ^ (bits >> np.uint64(29))) | np.uint64(1)


def _counted(keys: Hashes, counts: Floats) -> Bag:
    """Each key with the sum of its counts."""
    if not len(keys):
        return Bag()
    order = np.argsort(keys)
    ordered = keys[order]
    first = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    return Bag(ordered[first], np.add.reduceat(counts[order], first))


def _row_hashes(columns: list[Hashes], rows: int) -> Hashes:
    mixed = np.full(rows, 17, dtype=np.uint64)
    for hashes in columns:
        mixed = _mixed((mixed * np.uint64(31)) ^ hashes)
    return mixed


def _cells(reads: list[_Read], rows: int) -> Cells:
    chosen = np.linspace(0, rows - 1, MOST_CELL_ROWS).astype(int) if rows > MOST_CELL_ROWS else slice(None)
    numeric = [r for r in reads if r.numbers is not None]
    return Cells(
        numeric=tuple(r.column.name for r in numeric),
        numbers=np.column_stack([r.numbers[chosen] for r in numeric if r.numbers is not None])
        if numeric
        else np.empty((0, 0)),
        named=tuple(r.column.name for r in reads),
        hashes=np.column_stack([r.hashes[chosen] for r in reads]) if reads else np.empty((0, 0), dtype=np.uint64),
    )
