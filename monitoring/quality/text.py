"""What one text is like, by its characters alone."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from zlib import crc32

NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")
ISO_DATE = re.compile(r"(\d{4})([-/.])(\d{1,2})\2(\d{1,2})(?:[T ](\d{1,2}):(\d{2})(?::(\d{2}(?:\.\d+)?))?)?.*")
OTHER_DATE = re.compile(r"(\d{1,2})([-/.])(\d{1,2})\2(\d{4}|\d{2})\b.*")
SENTINELS = frozenset(
    (
        *("na", "n/a", "n.a.", "nan", "null", "none", "nil", "(null)", "<na>", "<null>", "#n/a", "#null!", "\\n"),
        *("unknown", "unk", "undefined", "missing", "empty", "tbd", "not available", "no data"),
        *("?", "??", "-", "--", "---", ".", "..", "x", "xx", "xxx"),
        *("0000-00-00", "1900-01-01", "9999-12-31", "1970-01-01"),
    )
)
# UTF-8 that was read as Latin-1 or Windows-1252, the mark of undecodable bytes, NUL.
_BROKEN = re.compile(
    "[ÂÃ][\u0080-\u00bf]|[Ä-ß][\u0080-\u009f]|[à-ï][\u0080-\u00bf]{2}|Ã[^\\w\\s]|â€|ï»¿|ðŸ|\ufffd|\x00"
)
_SQUEEZED = re.compile(r"(.)\1+")


@dataclass(frozen=True, slots=True)
class Text:
    """`number`, `day`: what it reads as, NaN where it does not; days since 1970. `decimals`: digits after the point."""

    length: int
    letters: int
    uppers: int
    digits: int
    spaces: int
    foreign: int
    blank: bool
    sentinel: bool
    broken: bool
    ragged: bool
    number: float
    decimals: int
    day: float
    mask: int
    full_mask: int
    grams: tuple[int, ...]


@lru_cache(maxsize=200_000)
def read(text: str) -> Text:
    text = text[:200]
    plain = text.strip()
    letters = sum(map(str.isalpha, text))
    digits = sum(map(str.isdigit, text))
    mask = _mask(plain)
    number, decimals = _number(plain)
    padded = f"^{plain.lower()}$"
    return Text(
        length=len(text),
        letters=letters,
        uppers=sum(map(str.isupper, text)),
        digits=digits,
        spaces=text.count(" "),
        foreign=0 if text.isascii() else sum(c > "\x7f" for c in text),
        blank=not plain,
        sentinel=plain.lower() in SENTINELS,
        broken=not text.isascii() and bool(_BROKEN.search(text)),
        ragged=plain != text,
        number=number,
        decimals=decimals,
        day=_day(plain) if digits >= 3 else float("nan"),
        mask=crc32(_SQUEEZED.sub(r"\1", mask).encode("utf-8", "replace")),
        full_mask=crc32(mask.encode("utf-8", "replace")),
        grams=tuple({crc32(padded[i : i + 3].encode("utf-8", "replace")) for i in range(len(padded) - 2)}),
    )


def _mask(text: str) -> str:
    """Each character by its class: A, a, 9, or itself."""
    return "".join(
        "9" if c.isdigit() else "A" if c.isupper() else "a" if c.isalpha() else " " if c.isspace() else c for c in text
    )


def _number(text: str) -> tuple[float, int]:
    found = NUMBER.fullmatch(text)
    if found is None:
        return float("nan"), 0
    value = float(text)
    return (value if abs(value) < 1e300 else float("nan")), max(0, len(found[2] or "") - 1)


def _day(text: str) -> float:
    try:
        if found := ISO_DATE.fullmatch(text):
            year, month, day = int(found[1]), int(found[3]), int(found[4])
            clock = (int(found[5] or 0) * 60 + int(found[6] or 0)) * 60 + float(found[7] or 0)
        elif found := OTHER_DATE.fullmatch(text):
            day, month, year, clock = int(found[1]), int(found[3]), int(found[4]), 0.0
            day, month = (month, day) if month > 12 else (day, month)
            year += 2000 if year < 100 else 0
        else:
            return float("nan")
        return datetime(year, month, day, tzinfo=UTC).timestamp() / 86400 + clock / 86400
    except ValueError:
        return float("nan")
