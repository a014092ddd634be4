"""Which live attempts are out of date, which component differs, and what would bring them up to date.

Compared are the notes of builds.py with the declarations and the code of this process, and what the last look at the
source found (redelivery.py). Every live attempt stands in exactly one place: live = current + unknown + undeclared +
the files of the groups. Selected on purpose though their rows may come out the same: attempts whose keys all belong
to newer files; a looser or stricter rule that no record meets; a format or a change of code that makes the same
records or rows; a file delivered anew whose changes do not reach staging.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import class_row, dict_row

from warehouse import builds, code, differences, redelivery
from warehouse.differences import FILES, HAND, NOTHING, RAW, Difference
from warehouse.registry import Extract, Registry

UNKNOWN = Difference("loaded before Restage kept what built its rows", RAW)


@dataclass(frozen=True)
class Signature:
    """With what rows were built, as far as it is `known`; attempts of one signature are judged alike."""

    extract_type: str
    known: bool
    read_declaration: str | None
    reading: str | None
    declaration: str | None
    folding: str | None
    verdict: str | None


@dataclass(frozen=True)
class Live(Signature):
    """A live attempt. `held`: an active job is about its load run."""

    load_run_file_id: int
    load_run_id: UUID
    s3_key: str
    held: bool
    rows_read: int | None


@dataclass(frozen=True)
class _Alike(Signature):
    """All live attempts of one signature: how many, how many of them no job is about, and the load runs of these."""

    files: int
    taken: int
    records: int
    load_runs: list[UUID]


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

    def add(self, alike: _Alike) -> None:
        self.files += alike.files
        self.taken += alike.taken
        self.records += alike.records
        self.load_runs.update(alike.load_runs)

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


_LIVE = """WITH live AS (SELECT f.extract_type, b.load_run_file_id IS NOT NULL AS known, b.read_declaration, b.reading,
    b.declaration, b.folding, c.verdict, f.load_run_file_id, f.load_run_id, f.s3_key, f.rows_read,
    f.load_run_id = ANY(%(held)s) AS held, f.date_extracted
    FROM etl.load_run_files f LEFT JOIN restage.builds b USING (load_run_file_id)
    LEFT JOIN restage.source_checks c USING (load_run_file_id)
    WHERE f.status = 'completed' AND f.superseded_at IS NULL AND (%(extract)s = '' OR f.extract_type = %(extract)s)
    AND (%(file)s::integer IS NULL OR f.load_run_file_id = %(file)s))
SELECT extract_type, known, read_declaration, reading, declaration, folding, verdict, """

_ONE_BY_ONE = """load_run_file_id, load_run_id, s3_key, held, rows_read FROM live
    ORDER BY restage.extracted_at(date_extracted), load_run_file_id"""

_ALIKE = """count(*) AS files, count(*) FILTER (WHERE NOT held) AS taken,
    coalesce(sum(rows_read), 0)::bigint AS records,
    coalesce(array_agg(DISTINCT load_run_id) FILTER (WHERE NOT held), '{}') AS load_runs
    FROM live GROUP BY 1, 2, 3, 4, 5, 6, 7"""


def find(connection: psycopg.Connection, registry: Registry, *, extract: str = "", held: Iterable[UUID] = ()) -> Found:
    """Judge every live attempt (`extract`: of this one only). `held`: the load runs of active jobs."""
    found, judge = Found(), _Judge(connection, registry)
    groups: dict[str, Group] = {}
    with connection.cursor(row_factory=class_row(_Alike)) as cursor:
        alikes = cursor.execute(_LIVE + _ALIKE, _values(extract, held)).fetchall()
    for alike in alikes:
        found.live += alike.files
        group = judge.group(alike)
        if group is None:
            found.undeclared += alike.files
            continue
        if group.way == NOTHING:
            found.current += alike.files
        elif group.unknown:
            found.unknown += alike.files
        if group.told:
            groups.setdefault(group.mark, group).add(alike)
    order = {each.name: place for place, each in enumerate(registry.extracts)}
    for group in sorted(groups.values(), key=lambda g: (order[g.extract], -differences.WAYS.index(g.way), g.told)):
        where = found.notes if group.way == NOTHING else found.unknowns if group.unknown else found.groups
        where.append(group)
    return found


def members(
    connection: psycopg.Connection, registry: Registry, extract: str, mark: str, held: Iterable[UUID] = ()
) -> tuple[Group | None, list[Live]]:
    """The group of that mark as it is now, and its files that no active job is about, in the order of the source."""
    groups = find(connection, registry, extract=extract, held=held)
    found = next((g for g in [*groups.groups, *groups.unknowns, *groups.notes] if g.mark == mark), None)
    judge = _Judge(connection, registry)
    with connection.cursor(row_factory=class_row(Live)) as cursor:
        live = cursor.execute(_LIVE + _ONE_BY_ONE, _values(extract, held)).fetchall()
    alike = ((attempt, judge.group(attempt)) for attempt in live if not attempt.held)
    return found, [attempt for attempt, group in alike if group is not None and group.mark == mark]


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
    with connection.cursor(row_factory=class_row(Live)) as cursor:
        attempt = cursor.execute(_LIVE + _ONE_BY_ONE, _values("", (), file)).fetchone()
    return (attempt, _Judge(connection, registry).group(attempt)) if attempt else None


def _values(extract: str, held: Iterable[UUID], file: int | None = None) -> dict[str, Any]:
    return {"extract": extract, "held": list(held), "file": file}


class _Judge:
    """Judges signatures by the declarations and the code of this process."""

    def __init__(self, connection: psycopg.Connection, registry: Registry) -> None:
        self._registry, self._versions = registry, builds.declarations(connection)
        self._keyed = _keyed(connection)

    def group(self, built: Signature) -> Group | None:
        """The empty group in which such attempts stand; None where nothing declares their extract."""
        if built.extract_type not in self._registry:
            return None
        differing = self._differing(built, self._registry[built.extract_type])
        way = differences.way_of(differing)
        told = tuple(each.told for each in differing if each.way != NOTHING or way == NOTHING)
        return Group(built.extract_type, way, told, unknown=differing == [UNKNOWN])

    def _differing(self, built: Signature, now: Extract) -> list[Difference]:
        """The differences, those first that ask for most."""
        found = [redelivery.TOLD[built.verdict]] if built.verdict in redelivery.TOLD else []
        if not built.known:
            return found if differences.way_of(found) != NOTHING else [UNKNOWN]
        if built.reading is not None and built.reading != code.reading():
            found.append(Difference("the code that reads files changed", FILES))
        if built.folding != code.folding():
            found.append(Difference("the transform code changed", RAW))
        read = self._versions.get(built.read_declaration or "")
        if {built.declaration, built.read_declaration or built.declaration} != {now.digest}:
            found += differences.between(self._versions[str(built.declaration)], now, read=read)
        if self._keyed.get(now.table) == {frozenset(now.natural_key)}:  # a person has keyed staging anew
            found = [replace(each, way=RAW) if each.way == HAND else each for each in found]
        return sorted(found, key=lambda difference: -differences.WAYS.index(difference.way))


def _keyed(connection: psycopg.Connection) -> dict[str, set[frozenset[str]]]:
    """Staging table → the sets of columns that its unique indexes are over."""
    found: dict[str, set[frozenset[str]]] = {}
    for table, columns in connection.execute(
        "SELECT t.relname, array_agg(a.attname::text) FROM pg_index x JOIN pg_class t ON t.oid = x.indrelid"
        " JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = ANY(x.indkey)"
        " WHERE x.indisunique AND x.indisvalid AND t.relnamespace = to_regnamespace('stg')"
        " GROUP BY t.relname, x.indexrelid"
    ):
        found.setdefault(table, set()).add(frozenset(columns))
    return found
