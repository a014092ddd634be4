"""What sets two versions of a declaration apart, in words, and what each difference asks for."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass

from warehouse.registry import FILE_ONLY, Column, Extract, Rule

NOTHING, RAW, FILES, HAND = "nothing", "raw", "files", "by hand"
WAYS = (NOTHING, RAW, FILES, HAND)  # each includes what the ones before it do


@dataclass(frozen=True)
class Difference:
    """`way`: nothing to do, fold the raw records again, read the source files again, or a person's hand first."""

    told: str
    way: str


def between(built: Extract, now: Extract, *, read: Extract | None = None) -> list[Difference]:
    """What differs between the version that rows were built with and the one in force.

    `read`: the version with which the file was read into raw, where that is another or known to be one.
    """
    found = [*_read_otherwise(read or built, now), *_folded_otherwise(built, now), *_told_otherwise(built, now)]
    return sorted(found, key=lambda difference: -WAYS.index(difference.way))


def way_of(found: list[Difference]) -> str:
    """What all of them together ask for."""
    return max((difference.way for difference in found), key=WAYS.index, default=NOTHING)


def _read_otherwise(built: Extract, now: Extract) -> Iterator[Difference]:
    if built.table != now.table:
        yield Difference(f"the table became {now.table}", FILES)
    then, today = asdict(built.format), asdict(now.format)
    for name in (name for name in today if then.get(name) != today[name]):
        yield Difference(f"the file format changed: {name.replace('_', ' ')}", FILES)
    before, after = [column.name for column in built.columns], [column.name for column in now.columns]
    for name in (name for name in after if name not in before):
        yield Difference(f"column {name} was added to the file", FILES)
    for name in (name for name in before if name not in after):
        yield Difference(f"column {name} left the file", FILES)
    if set(before) == set(after) and before != after:
        yield Difference("the order of the file's columns changed", FILES)


def _folded_otherwise(built: Extract, now: Extract) -> Iterator[Difference]:
    if built.natural_key != now.natural_key:
        yield Difference("natural key changed", HAND)
    if built.record_updated_at != now.record_updated_at:
        told = f"is {now.record_updated_at}" if now.record_updated_at else "is none any more"
        yield Difference(f"precedence changed: the record's own update time {told}", RAW)
    before = {column.name: column for column in built.columns}
    for column in now.columns:
        if column.name in before and column != before[column.name]:
            yield from _column(before[column.name], column, now)
    yield from _rules(built, now)
    if built.time_zone != now.time_zone:
        zoned = any(column.type == "timestamptz" for column in now.staged)
        yield Difference(f"the time zone became {now.time_zone}", RAW if zoned else NOTHING)


def _column(before: Column, after: Column, now: Extract) -> Iterator[Difference]:
    if before.type != after.type:
        yield Difference(f"column {after.name} became {after.type}", RAW)
    elif after.type == FILE_ONLY:
        yield Difference(f"column {after.name} changed, which staging does not hold", NOTHING)
        return
    if before.required != after.required:
        told = "required now" if after.required else "not required any more"
        yield Difference(f"column {after.name} is {told}", NOTHING if after.name in now.natural_key else RAW)
    if before.default != after.default:
        yield Difference(f"column {after.name} has another default", RAW)
    if before.cast != after.cast:
        yield Difference(f"column {after.name} is cast otherwise", RAW)
    if before.invalid != after.invalid:
        told = "makes the value empty" if after.invalid == "null" else "refuses the record"
        yield Difference(f"a value of column {after.name} that is not of its type now {told}", RAW)


def _rules(built: Extract, now: Extract) -> Iterator[Difference]:
    then, today = _by_column(built), _by_column(now)
    for column in sorted({*then, *today}):
        before, after = then.get(column, []), today.get(column, [])
        if _refusing(before) != _refusing(after):
            word = "changed" if _refusing(before) and _refusing(after) else "added" if _refusing(after) else "removed"
            yield Difference(f"rule on {column} {word}", RAW)
        elif Counter(map(repr, before)) != Counter(map(repr, after)):
            yield Difference(f"rule on {column}: only its warnings or words changed", NOTHING)


def _by_column(extract: Extract) -> dict[str, list[Rule]]:
    found: dict[str, list[Rule]] = {}
    for rule in extract.rules:
        found.setdefault(rule.column, []).append(rule)
    return found


def _refusing(rules: list[Rule]) -> Counter[str]:
    """What keeps rows out; values are compared as text, as a document keeps them."""
    return Counter(f"{r.rule}|{r.pattern}|{[str(v) for v in r.values]}" for r in rules if r.severity == "reject")


def _told_otherwise(built: Extract, now: Extract) -> Iterator[Difference]:
    """What decides no row that is there."""
    for name, told in (
        ("title", "the title changed"),
        ("depends_on", "what it depends on changed"),
        ("staging_only", "columns of staging that no file feeds changed"),
        ("file_name", "the pattern of file names changed, for files that come later"),
        ("extracted_format", "the form of the extraction time changed, for files that come later"),
    ):
        if getattr(built, name) != getattr(now, name):
            yield Difference(told, NOTHING)
