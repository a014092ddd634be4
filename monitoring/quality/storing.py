"""A profile as bytes and back: hashes and figures only, never a value or the cells. Reading runs nothing of it."""

import json
import zlib
from typing import Any

import numpy as np

from monitoring.quality.profile import Bag, Column, Floats, Hashes, Profile

FORM = 1
MOST_VALUES = 2_000  # of a column; one with more is kept without them
MOST_HASHES = 4_000  # of rows: the least ones, and so the same ones where a file is delivered again
Arrays = list[Hashes | Floats]


class UnknownFormError(ValueError):
    """The bytes are no profile of a form that is known."""


def dump(profile: Profile) -> bytes:
    arrays: Arrays = [profile.row_hashes[:MOST_HASHES], profile.core_hashes[:MOST_HASHES]]
    head: dict[str, Any] = {"form": FORM, "rows": profile.rows, "again": profile.again, "columns": []}
    for column in profile.columns.values():
        kept = column.values if len(column.values.hashes) <= MOST_VALUES else Bag()
        arrays += [column.marks]
        for bag in (kept, column.masks, column.grams):
            arrays += [bag.hashes, bag.counts]
        head["columns"].append(
            {
                "name": column.name,
                "kind": column.kind,
                "filled": column.filled,
                "shares": dict(column.shares),
                "levels": {key: float(value) for key, value in column.levels.items() if np.isfinite(value)},
                "errors": {key: float(value) for key, value in column.errors.items() if np.isfinite(value)},
            }
        )
    head["lengths"] = [len(array) for array in arrays]
    told = json.dumps(head).encode()
    return zlib.compress(len(told).to_bytes(4, "little") + told + b"".join(array.tobytes() for array in arrays), 6)


def load(body: bytes) -> Profile:
    """Raises UnknownFormError."""
    try:
        plain = zlib.decompress(body)
        size = int.from_bytes(plain[:4], "little")
        head = json.loads(plain[4 : 4 + size])
        if head["form"] != FORM:
            raise UnknownFormError("The profile is of another form.")
        return _built(head, plain, 4 + size)
    except (zlib.error, ValueError, KeyError, TypeError, IndexError) as error:
        raise UnknownFormError("The profile cannot be read.") from error


def _built(head: dict[str, Any], plain: bytes, at: int) -> Profile:
    parts: list[bytes] = []
    for length in head["lengths"]:
        parts.append(plain[at : at + 8 * length])
        at += 8 * length
    columns = {}
    for i, column in enumerate(head["columns"]):
        marks, *bags = parts[2 + 7 * i : 9 + 7 * i]
        values, masks, grams = (Bag(_hashes(bags[j]), _floats(bags[j + 1])) for j in (0, 2, 4))
        columns[column["name"]] = Column(
            column["name"],
            column["filled"],
            column["shares"],
            column["levels"],
            column["errors"],
            marks=_floats(marks),
            kind=column["kind"],
            values=values,
            masks=masks,
            grams=grams,
        )
    return Profile(head["rows"], head["again"], columns, _hashes(parts[0]), _hashes(parts[1]))


def _hashes(part: bytes) -> Hashes:
    return np.frombuffer(part, dtype=np.uint64)


def _floats(part: bytes) -> Floats:
    return np.frombuffer(part, dtype=np.float64)
