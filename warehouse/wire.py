"""Delivered bytes → records, losslessly: no casting, no trimming, nothing guessed.

A record that cannot be kept as it is (other number of fields, NUL, bytes outside the encoding) comes out as Malformed
with its number and line; it never stops the file. Memory is bounded by the longest record, not by the file.
"""

import codecs
import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol, cast

from warehouse.errors import TellableError
from warehouse.registry import Extract, Format

CHUNK_BYTES = 1 << 18
LONGEST_RECORD = 10_000_000  # characters; a longer one means another format or encoding than declared
NUL = "a NUL character"
BAD_BYTES = "\udc80"  # stands where bytes could not be decoded: a lone surrogate, so no valid text holds it


class UnreadableFileError(TellableError):
    """The file as a whole is not what its extract declares; the message says in what."""


@dataclass(frozen=True, slots=True)
class Record:
    """`number` counts records from 1, `line` is the line of the file on which it begins; `joined` is its fields with
    NUL between them, which no field holds: 200 fields are never taken apart where nobody looks at one of them."""

    number: int
    line: int
    joined: str

    @property
    def fields(self) -> list[str]:
        return self.joined.split("\0")


@dataclass(frozen=True, slots=True)
class Malformed:
    number: int
    line: int
    reason: str


class Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


def records(stream: Readable, extract: Extract) -> Iterator[Record | Malformed]:
    """The records of a file in order. Raises UnreadableFileError."""
    text = _decode(stream, extract.format)
    found = _separated(text, extract.format) if extract.format.kind == "separated" else _csv(text, extract)
    if extract.format.trailer:
        found = _before_trailer(found, extract.format)
    for item in found:
        yield item if isinstance(item, Malformed) else _checked(item, len(extract.columns))


def _before_trailer(found: Iterator[Record | Malformed], form: Format) -> Iterator[Record | Malformed]:
    """All but the last, which must be the trailer and name their number. Raises UnreadableFileError after them."""
    last: Record | Malformed | None = None
    number = 0
    for item in found:
        if last is not None:
            number += 1
            yield last
        last = item
    text = last.joined.replace("\0", form.field_separator) if isinstance(last, Record) else ""
    told = re.fullmatch(form.trailer, text)
    if told is None:
        raise UnreadableFileError(
            f"It ends after {number + (last is not None):,} records without its trailer: it was cut short, or is not"
            " whole yet."
        )
    if not told["records"].isdecimal() or int(told["records"]) != number:
        raise UnreadableFileError(
            f"Its trailer names another number of records than the {number:,} that it holds: records were lost or added"
            " on the way."
        )


def _checked(record: Record, width: int) -> Record | Malformed:
    found = record.joined.count("\0") + 1
    if found != width:
        return Malformed(record.number, record.line, f"{found} fields instead of {width}")
    if not record.joined.isascii():
        try:
            record.joined.encode()
        except UnicodeEncodeError:  # a lone surrogate: BAD_BYTES, or one that the encoding lets through
            return Malformed(record.number, record.line, "bytes outside the encoding")
    return record


def _decode(stream: Readable, form: Format) -> Iterator[str]:
    """Chunks of text. A byte order mark decides over the declared encoding."""
    chunk = stream.read(CHUNK_BYTES)
    encoding, mark = told_encoding(chunk, form)
    chunk = chunk[mark:]
    decoder = codecs.getincrementaldecoder(encoding)(errors=_MARK_BAD_BYTES)
    while chunk:
        yield decoder.decode(chunk)
        chunk = stream.read(CHUNK_BYTES)
    yield decoder.decode(b"", final=True)


def told_encoding(head: bytes, form: Format) -> tuple[str, int]:
    """How a file that begins so is encoded, and the length of the byte order mark that decides over the declaration."""
    for mark, told in (
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
    ):
        if head.startswith(mark):
            return told, len(mark)
    return form.encoding, 0


def _mark(error: UnicodeError) -> tuple[str, int]:
    return BAD_BYTES, cast(UnicodeDecodeError, error).end


_MARK_BAD_BYTES = "restage-mark-bad-bytes"
codecs.register_error(_MARK_BAD_BYTES, _mark)


def _separated(text: Iterator[str], form: Format) -> Iterator[Record | Malformed]:
    number, line, rest = 0, 1, ""
    for chunk in text:
        parts = (rest + chunk).split(form.record_separator)
        rest = parts.pop()
        if len(rest) > LONGEST_RECORD:
            raise UnreadableFileError(
                f"No end of a record within {LONGEST_RECORD:,} characters (from line {line}): not the declared format."
            )
        for part in parts:
            number += 1
            body = part.lstrip("\r\n") if number > 1 else part  # a line break right after a separator is not data
            line += part.count("\n", 0, len(part) - len(body))
            if "\0" in body:
                yield Malformed(number, line, NUL)
            else:
                yield Record(number, line, body.replace(form.field_separator, "\0"))
            line += body.count("\n") if "\n" in body else 0  # looking is 20 times as quick as counting none
    if rest.strip("\r\n\x1a "):
        yield Malformed(number + 1, line, "the file ends inside this record")


class _Lines:
    """Text chunks as lines that keep their line ends, for the csv module."""

    def __init__(self, chunks: Iterator[str]) -> None:
        self._chunks, self._rest = chunks, ""

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        while (end := self._rest.find("\n")) < 0:
            if len(self._rest) > LONGEST_RECORD:
                raise UnreadableFileError(f"No end of line within {LONGEST_RECORD:,} characters.")
            chunk = next(self._chunks, None)
            if chunk is None:
                line, self._rest = self._rest, ""
                if not line:
                    raise StopIteration
                return line
            self._rest += chunk
        line, self._rest = self._rest[: end + 1], self._rest[end + 1 :]
        return line


def _csv(text: Iterator[str], extract: Extract) -> Iterator[Record | Malformed]:
    form = extract.format
    csv.field_size_limit(LONGEST_RECORD)
    reader = csv.reader(_Lines(text), delimiter=form.field_separator, quotechar=form.quote, strict=True)
    number, expected = 0, [column.name for column in extract.columns]
    while True:
        line = reader.line_num + 1
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            number += 1
            yield Malformed(number, line, f"broken quoting ({error})")
            continue
        if line == 1 and form.header:
            if fields != expected:
                raise UnreadableFileError(_header_complaint(fields, expected))
        elif fields:  # an empty line is no record
            number += 1
            joined = "\0".join(fields)
            holds_nul = joined.count("\0") >= len(fields)
            yield Malformed(number, line, NUL) if holds_nul else Record(number, line, joined)


def _header_complaint(found: list[str], expected: list[str]) -> str:
    """Names only declared columns: what stands in an unknown header may be data."""
    lacking = [name for name in expected if name not in found]
    if lacking:
        return f"The header lacks {', '.join(lacking)}."
    if len(found) != len(expected):
        return f"The header has {len(found)} columns, the declaration {len(expected)}."
    return "The header names the columns in another order than the declaration."
