"""Which natural keys a part may hold, without saying any: 32 bits of a keyed hash of each, sorted.

Of a million keys, one in 4,000 that is not there is taken for one that may be; one that is there is never missed.
"""

from __future__ import annotations

import hashlib
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from warehouse.on_use import OnUse

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.compute as pc
else:
    pa = OnUse("pyarrow")
    pc = OnUse("pyarrow.compute")


WIDTH = 4  # bytes of a hash; they lie in the file as unsigned integers, the least significant byte first
BETWEEN = "\0"  # stands in no text of PostgreSQL


class Keys:
    """Takes the keys of rows as they stream by."""

    def __init__(self, secret: bytes, columns: Sequence[str]) -> None:
        self._hash, self._columns, self._found = _keyed(secret), list(columns), bytearray()

    def add(self, table: pa.Table) -> None:
        texts = [pc.cast(table.column(name), pa.string()).combine_chunks() for name in self._columns]
        said = texts[0] if len(texts) == 1 else pc.binary_join_element_wise(*texts, BETWEEN)
        self._found += _hashes(self._hash, (text.encode() for text in said.to_pylist() if text is not None))

    def content(self) -> bytes:
        """What the file holds: each hash once, in order."""
        count = len(self._found) // WIDTH
        numbers = pa.Array.from_buffers(pa.uint32(), count, [None, pa.py_buffer(bytes(self._found))]).unique()
        ordered = numbers.take(pc.sort_indices(numbers))
        return array("I", ordered.to_pylist()).tobytes()


def may_hold(content: bytes, secret: bytes, key: Sequence[str]) -> bool:
    """Whether the part of this filter may hold the key (its columns in their order, as text)."""
    (wanted,) = _numbers(_hashes(_keyed(secret), [BETWEEN.join(key).encode()]))
    numbers = _numbers(content)
    place = bisect_left(numbers, wanted)
    return place < len(numbers) and numbers[place] == wanted


def _keyed(secret: bytes) -> hashlib.blake2b:
    return hashlib.blake2b(key=secret[:64], digest_size=WIDTH)


def _hashes(keyed: hashlib.blake2b, said: Iterable[bytes]) -> bytes:
    def one(text: bytes) -> bytes:
        made = keyed.copy()
        made.update(text)
        return made.digest()

    return b"".join(map(one, said))


def _numbers(content: bytes) -> array[int]:
    numbers = array("I")
    numbers.frombytes(content)
    return numbers
