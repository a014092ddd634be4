"""Which live attempts are out of date, which component differs, and what would bring them up to date.

Compared are the notes of builds.py with the declarations and the code of this process, and what the last look at the
source found (redelivery.py). Every live attempt stands in exactly one place: live = current + unknown + undeclared +
the files of the groups. Selected on purpose though their rows may come out the same: attempts whose keys all belong
to newer files; a looser or stricter rule that no record meets; a format or a change of code that makes the same
records or rows; a file delivered anew whose changes do not reach staging.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import class_row, dict_row

from warehouse import builds, code, differences, redelivery
from warehouse.differences import FILES, NOTHING, RAW, Difference
from warehouse.registry import Extract, Registry

UNKNOWN = Difference("loaded before Restage kept what built its rows", RAW)


@dataclass(frozen=True)
class Live:
    """A live attempt with what is known of its build."""

    load_run_file_id: int
    load_run_id: UUID
    extract_type: str
    s3_key: str
    rows_read: int | None
    known: bool
    read_declaration: str | None
    reading: str | None
    declaration: str | None
    folding: str | None
    verdict: str | None
    held: bool

    @property
    def signature(self) -> tuple[Any, ...]:
        """Equal for attempts that are judged alike."""
        verdict = self.verdict if self.verdict in redelivery.TOLD else None
        return (self.extract_type, self.known, self.read_declaration, self.reading, self.declaration,
                self.folding, verdict)  # fmt: skip


@dataclass
class Group:
    """Live attempts of one extract that differ in the same way. `way`: what they ask for; `taken`: not in a job now."""

    extract: str
    way: str
    told: tuple[str, ...]
    unknown: bool = False
    files: int = 0
    taken: int = 0
    records: int = 0
    load_runs: set[UUID] = field(default_factory=set)

    @property
    def mark(self) -> str:
        """Names the group: equal as long as it is about the same difference."""
        return hashlib.sha256("\0".join((self.extract, self.way, *self.told)).encode()).hexdigest()[:10]

    @property
    def runs(self) -> int:
        """Load runs of the files that would be taken."""
        return len(self.load_runs)


@dataclass
class Found:
    """live = current + unknown + undeclared + sum of the groups' files. `notes`: parts of `current` worth a word."""

    live: int = 0
    current: int = 0
    unknown: int = 0
    undeclared: int = 0
    groups: list[Group] = field(default_factory=list)
    notes: list[Group] = field(default_factory=list)
    unknowns: list[Group] = field(default_factory=list)

    @property
    def outdated(self) -> int:
        return sum(group.files for group in self.groups)


_LIVE = """SELECT f.load_run_file_id, f.load_run_id, f.extract_type, f.s3_key, f.rows_read,
    b.load_run_file_id IS NOT NULL AS known, b.read_declaration, b.reading, b.declaration, b.folding,
    c.verdict, f.load_run_id = ANY(%(held)s) AS held
    FROM etl.load_run_files f LEFT JOIN restage.builds b USING (load_run_file_id)
    LEFT JOIN restage.source_checks c USING (load_run_file_id)
    WHERE f.status = 'completed' AND f.superseded_at IS NULL AND (%(extract)s = '' OR f.extract_type = %(extract)s)
    AND (%(file)s::integer IS NULL OR f.load_run_file_id = %(file)s)
    ORDER BY restage.extracted_at(f.date_extracted), f.load_run_file_id"""


def find(connection: psycopg.Connection, registry: Registry, *, extract: str = "", held: Iterable[UUID] = ()) -> Found:
    """Judge every live attempt (`extract`: of this one only). `held`: the load runs of active jobs."""
    found = Found()
    groups: dict[str, Group] = {}
    for attempt, differing in _judged(connection, registry, extract=extract, held=held):
        found.live += 1
        if differing is None:
            found.undeclared += 1
            continue
        group = _group(attempt, differing)
        if group.way == NOTHING:
            found.current += 1
        elif group.unknown:
            found.unknown += 1
        if group.told:
            _count(groups.setdefault(group.mark, group), attempt)
    order = {each.name: place for place, each in enumerate(registry.extracts)}
    for group in sorted(groups.values(), key=lambda g: (order[g.extract], -differences.WAYS.index(g.way), g.told)):
        where = found.notes if group.way == NOTHING else found.unknowns if group.unknown else found.groups
        where.append(group)
    return found


def members(
    connection: psycopg.Connection, registry: Registry, extract: str, mark: str, held: Iterable[UUID] = ()
) -> tuple[Group | None, list[Live]]:
    """The group of that mark as it is now, and its files that no active job is about, in the order of the source."""
    found: Group | None = None
    files = []
    for attempt, differing in _judged(connection, registry, extract=extract, held=held):
        if differing is None or (group := _group(attempt, differing)).mark != mark:
            continue
        found = found or group
        _count(found, attempt)
        if not attempt.held:
            files.append(attempt)
    return found, files


def history(connection: psycopg.Connection, file: int) -> dict[str, Any]:
    """When the versions and the folds of an attempt were: `folded_at`, `first_seen`, `checked_at`, `canonical`."""
    with connection.cursor(row_factory=dict_row) as cursor:
        found = cursor.execute(
            "SELECT b.folded_at, b.canonical, d.first_seen, c.checked_at, c.verdict, f.content_sha256"
            " FROM etl.load_run_files f LEFT JOIN restage.builds b USING (load_run_file_id)"
            " LEFT JOIN restage.declarations d ON d.digest = b.declaration"
            " LEFT JOIN restage.source_checks c USING (load_run_file_id) WHERE f.load_run_file_id = %s",
            [file],
        ).fetchone()
    return found or {}


def why(connection: psycopg.Connection, registry: Registry, file: int) -> tuple[Live, Group | None] | None:
    """A live attempt and how it is judged (None: nothing declares its extract); None where it is no live one."""
    for attempt, differing in _judged(connection, registry, file=file):
        return attempt, None if differing is None else _group(attempt, differing)
    return None


def _count(group: Group, attempt: Live) -> None:
    group.files += 1
    group.records += attempt.rows_read or 0
    if not attempt.held:
        group.taken += 1
        group.load_runs.add(attempt.load_run_id)


def _group(attempt: Live, differing: list[Difference]) -> Group:
    way = differences.way_of(differing)
    told = tuple(d.told for d in differing if d.way != NOTHING or way == NOTHING)
    return Group(attempt.extract_type, way, told, unknown=differing == [UNKNOWN])


def _judged(
    connection: psycopg.Connection,
    registry: Registry,
    *,
    extract: str = "",
    held: Iterable[UUID] = (),
    file: int | None = None,
) -> Iterable[tuple[Live, list[Difference] | None]]:
    versions = builds.declarations(connection)
    known: dict[tuple[Any, ...], list[Difference] | None] = {}
    with connection.cursor(row_factory=class_row(Live)) as cursor:
        for attempt in cursor.execute(_LIVE, {"extract": extract, "held": list(held), "file": file}):
            signature = attempt.signature
            if signature not in known:
                declared = attempt.extract_type in registry
                known[signature] = _judge(attempt, registry[attempt.extract_type], versions) if declared else None
            yield attempt, known[signature]


def _judge(attempt: Live, now: Extract, versions: dict[str, Extract]) -> list[Difference]:
    """The differences, those first that ask for most."""
    found = [redelivery.TOLD[attempt.verdict]] if attempt.verdict in redelivery.TOLD else []
    if not attempt.known:
        return found if differences.way_of(found) != NOTHING else [UNKNOWN]
    if attempt.reading is not None and attempt.reading != code.reading():
        found.append(Difference("the code that reads files changed", FILES))
    if attempt.folding != code.folding():
        found.append(Difference("the transform code changed", RAW))
    read = versions.get(attempt.read_declaration or "")
    if {attempt.declaration, attempt.read_declaration or attempt.declaration} != {now.digest}:
        found += differences.between(versions[str(attempt.declaration)], now, read=read)
    return sorted(found, key=lambda difference: -differences.WAYS.index(difference.way))
