"""Records → a delivered file in its extract's wire format, written as they come."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from warehouse import wire
from warehouse.registry import Extract

ZONE = ZoneInfo("Pacific/Auckland")
BYTE_ORDER_MARK = "\ufeff"


def name(extract: Extract, *, per_org: str, practice: str, since: datetime, extracted: datetime) -> str:
    """The name of a file that holds the changes from `since` to `extracted`. Raises ValueError for another pattern."""
    window = f"{since:%Y%m%d%H%M}_{extracted:%Y%m%d%H%M}"
    made = f"{per_org}_{practice}_{extract.name}_{window}_{extracted.strftime(extract.extracted_format)}.csv"
    if not extract.match(made):
        raise ValueError(f"{extract.name} is not named by practice and window: {made}")
    return made


def laid_out(rows: Iterable[Mapping[str, str]], extract: Extract) -> Iterator[list[str]]:
    """Rows by column name → fields in file order; a column that a row does not name is empty."""
    names = [column.name for column in extract.columns]
    for row in rows:
        yield [row.get(name, "") for name in names]


def put(path: Path, extract: Extract, records: Iterable[list[str]], *, line_end: str = "") -> None:
    """Write the records; `line_end` follows each record separator, where it is not data."""
    form = extract.format
    end = form.record_separator + line_end
    with path.open("w", encoding=form.encoding, newline="") as file:
        file.write(BYTE_ORDER_MARK)
        file.writelines(form.field_separator.join(fields) + end for fields in records)


def kept(path: Path, extract: Extract) -> Iterator[list[str]]:
    """The fields of a file that was written before."""
    with path.open("rb") as file:
        for item in wire.records(file, extract):
            if isinstance(item, wire.Record):
                yield item.fields
