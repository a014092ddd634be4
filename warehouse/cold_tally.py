"""What rows come to, column by column, in any order: how a file that is read again is held against what was written."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from warehouse.on_use import OnUse

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.compute as pc
else:
    pa = OnUse("pyarrow")
    pc = OnUse("pyarrow.compute")


@dataclass
class Tally:
    """Rows; of each column the nulls, and a sum: of integers their own, of truths their number, of texts their bytes.

    The hashes of the rows are integers: their sum stands for all values.
    """

    rows: int = 0
    nulls: dict[str, int] = field(default_factory=dict)
    sums: dict[str, int] = field(default_factory=dict)

    def add(self, table: pa.Table) -> None:
        self.rows += table.num_rows
        for name in table.schema.names:
            column = table.column(name)
            self.nulls[name] = self.nulls.get(name, 0) + column.null_count
            self.sums[name] = self.sums.get(name, 0) + _sum(column)

    def join(self, other: Tally) -> None:
        """Count the other's rows as well."""
        self.rows += other.rows
        for mine, theirs in ((self.nulls, other.nulls), (self.sums, other.sums)):
            for name, number in theirs.items():
                mine[name] = mine.get(name, 0) + number


def _sum(column: pa.ChunkedArray) -> int:
    if pa.types.is_string(column.type):
        column = pc.binary_length(column)
    elif pa.types.is_int64(column.type):
        column = pc.cast(column, pa.decimal128(38, 0))  # a sum of such integers may not fit into one
    return int(pc.sum(column).as_py() or 0)
