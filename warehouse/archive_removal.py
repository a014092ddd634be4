"""Removes the rows of archive sets: first a set is condemned, under its lock; then its rows go, a month at a time.

Condemned (`removed_at` is set) nothing can hold or use a set any more, so its rows may go later, by this job or any
other: a part whose rows are there still says so (`hot`). A month whose sets all go is detached and dropped. Of another
the rows that stay are moved into a fresh partition, or those that go are deleted: whichever writes less. Each month is
one transaction; only a detach that keeps readers going (CONCURRENTLY, where there is no default partition) takes two,
and the second can be done by whoever comes next.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any
from uuid import UUID

import psycopg
from psycopg import sql
from psycopg.rows import class_row

from warehouse import archive_holds, archive_judging, archive_sets, archive_tables, journal, names
from warehouse.archive_sets import PART_COLUMNS, Part
from warehouse.errors import TellableError
from warehouse.failpoints import failpoint
from warehouse.journal import Writer
from warehouse.locks import BusyError
from warehouse.progress import Progress, Told, nobody
from warehouse.registry import Extract, Registry

CLEANED = "cleanup"
LOCK_WAIT_MS = 3_000
MOST_GAPS = 200
DROPPED, MOVED, DELETED = "dropped", "moved", "deleted"


class CannotClearError(TellableError):
    """The rows of a month cannot be removed as things are; the message says why. None of them was removed."""


def execute(
    connection: psycopg.Connection,
    registry: Registry,
    writer: Writer,
    *,
    sets: Sequence[UUID],
    now: datetime,
    older_than: int | None = None,
    told: Told = nobody,
) -> dict[str, Any]:
    """Remove those of these sets that may go when their turn comes; the outcome, also when it had been done before.

    Needs an autocommit connection; can be called again after any death. Raises BusyError, LostFenceError: what was
    condemned so far is finished by the next cleanup.
    """
    journal.raise_fence(connection, writer)
    outcome = journal.done(connection, writer.job_id, CLEANED)
    if outcome is not None:
        return outcome
    stayed = []
    for number, set_id in enumerate(sets, start=1):
        told(Progress(f"look at set {number:,} of {len(sets):,}"))
        if why := _condemn(connection, registry, writer, set_id, now=now, older_than=older_than):
            stayed.append({"set": str(set_id), "code": why[0], "why": why[1]})
    failpoint("condemned")
    ways = clear(connection, registry, writer, now=now, told=told)
    with connection.transaction():
        journal.hold_fence(connection, writer)
        outcome = {**_removed(connection, writer.job_id), "stayed": stayed, "ways": ways}
        journal.record(connection, writer, CLEANED, outcome)
        journal.effect(connection, writer, "cleanup", outcome)
    failpoint("cleaned")
    return outcome


def _condemn(
    connection: psycopg.Connection,
    registry: Registry,
    writer: Writer,
    set_id: UUID,
    *,
    now: datetime,
    older_than: int | None,
) -> tuple[str, str] | None:
    """Judge the set once more, under its lock, and condemn it; or why it stays."""
    with connection.transaction():
        journal.hold_fence(connection, writer)
        if archive_holds.lock(connection, set_id).removed_at is not None:
            return None
        (verdict,) = archive_judging.judge(connection, registry, now=now, older_than=older_than, sets=[set_id])
        if not verdict.goes:
            return verdict.code, verdict.why
        connection.execute(
            "UPDATE restage.archive_sets SET removed_at = clock_timestamp(), removed_by = %s, removed_why = %s,"
            " removed_job = %s WHERE set_id = %s",
            [writer.actor, "its retention was over", writer.job_id, set_id],
        )
    return None


def clear(
    connection: psycopg.Connection, registry: Registry, writer: Writer, *, now: datetime, told: Told = nobody
) -> dict[str, int]:
    """Let the rows of everything condemned go; how many months of tables went which way."""
    ways = {DROPPED: 0, MOVED: 0, DELETED: 0}
    months: dict[tuple[str, datetime], list[Part]] = defaultdict(list)
    for part in _condemned(connection):
        months[part.table_name, archive_tables.month_of(part.archived_at)].append(part)
    for (table, start), parts in months.items():
        told(Progress(f"remove {start:%Y-%m} of stg.{table}_archive"))
        month = _Month(connection, registry.of_table(table), start, parts, over=_over(start, now))
        way = month.clear(writer)
        ways[way] += 1
        failpoint("cleared")
        if way == DELETED:
            connection.execute(sql.SQL("VACUUM (SKIP_LOCKED) {}").format(month.place))
    return ways


def _over(start: datetime, now: datetime) -> bool:
    """Whether nothing is written into the month any more: neither by the caller's clock nor by the machine's."""
    return archive_tables.following(start) <= min(now, datetime.now(UTC))


def _condemned(connection: psycopg.Connection) -> list[Part]:
    with connection.cursor(row_factory=class_row(Part)) as cursor:
        return cursor.execute(
            sql.SQL(
                "SELECT {} FROM restage.archive_parts p WHERE hot AND EXISTS (SELECT FROM restage.archive_sets s"
                " WHERE s.set_id = p.set_id AND s.removed_at IS NOT NULL) ORDER BY table_name, archived_at"
            ).format(PART_COLUMNS)
        ).fetchall()


@dataclass(frozen=True)
class _Month:
    """A month of an archive table, some or all parts of which are condemned. `over`: nothing is added to it."""

    connection: psycopg.Connection
    extract: Extract
    start: datetime
    parts: list[Part]
    over: bool

    @property
    def name(self) -> sql.Identifier:
        return archive_tables.month(self.extract, self.start)

    @property
    def place(self) -> sql.Identifier:
        """Where its rows lie: in its own partition, or where there is none by way of the table."""
        return self.name if self._there() else archive_tables.table(self.extract)

    def clear(self, writer: Writer) -> str:
        """Let the rows go; the way that was taken. Raises BusyError."""
        try:
            if self._there() and self._detached():
                return self._drop_detached(writer)
            if self._whole() and not self._default():
                self._detach_concurrently()
                failpoint("detached")
                return self._drop_detached(writer)
            with self.connection.transaction():
                journal.hold_fence(self.connection, writer)
                self.connection.execute(f"SET LOCAL lock_timeout = {LOCK_WAIT_MS}")
                way = self._remove()
                self._note(writer, way)
                failpoint("clearing")
            return way
        except psycopg.errors.LockNotAvailable as error:
            raise BusyError(
                f"stg.{self.extract.table}_archive was in use for {LOCK_WAIT_MS / 1000:g} s. What is condemned goes"
                " with the next cleanup; nothing else was changed."
            ) from error

    def _remove(self) -> str:
        if self._whole():
            self._run("ALTER TABLE {table} DETACH PARTITION {name}")
            self._run("DROP TABLE {name}")
            return DROPPED
        gone = sum(part.rows for part in self.parts)
        if self.over and self._there() and self._left() < gone:
            self._move()
            return MOVED
        for part in self.parts:
            self.connection.execute(sql.SQL("DELETE FROM {} a WHERE {}").format(self.place, archive_sets.of_part(part)))
        return DELETED

    def _move(self) -> None:
        """Copy what stays, also what the catalogue does not know, and put the copy in the month's place."""
        self._run("LOCK TABLE {name} IN SHARE ROW EXCLUSIVE MODE")
        self._run("CREATE TABLE {fresh} (LIKE {name} INCLUDING ALL)")
        gone = sql.SQL(" OR ").join(archive_sets.of_part(part) for part in self.parts)
        columns = [column["name"] for column in archive_sets.columns_of(self.connection, self.name)]
        self.connection.execute(
            sql.SQL("INSERT INTO {fresh} ({columns}) SELECT {columns} FROM {name} a WHERE NOT ({gone})").format(
                fresh=self._fresh, name=self.name, gone=gone, columns=names.columns(columns)
            )
        )
        self._run("ALTER TABLE {table} DETACH PARTITION {name}")
        self._run("DROP TABLE {name}")
        self.connection.execute(
            sql.SQL("ALTER TABLE {} RENAME TO {}").format(
                self._fresh, sql.Identifier(archive_tables.bare_month(self.extract, self.start))
            )
        )
        self._run("ALTER TABLE {table} ATTACH PARTITION {name} FOR VALUES FROM ({start}) TO ({end})")

    @property
    def _fresh(self) -> sql.Identifier:
        return sql.Identifier("stg", f"{archive_tables.bare_month(self.extract, self.start)}_fresh")

    def _run(self, statement: str) -> None:
        self.connection.execute(
            sql.SQL(statement).format(
                table=archive_tables.table(self.extract),
                name=self.name,
                fresh=self._fresh,
                start=sql.Literal(self.start),
                end=sql.Literal(archive_tables.following(self.start)),
            )
        )

    def _there(self) -> bool:
        found = self.connection.execute("SELECT to_regclass(%s)", [self.name.as_string(self.connection)]).fetchone()
        return found is not None and found[0] is not None

    def _default(self) -> bool:
        name = archive_tables.default(self.extract).as_string(self.connection)
        found = self.connection.execute("SELECT to_regclass(%s)", [name]).fetchone()
        return found is not None and found[0] is not None

    def _left(self) -> int:
        """The rows of its parts that stay, by the catalogue."""
        (rows,) = self.connection.execute(
            "SELECT coalesce(sum(rows), 0)::bigint FROM restage.archive_parts WHERE table_name = %s AND hot"
            " AND archived_at >= %s AND archived_at < %s AND NOT set_id = ANY(%s)",
            [
                self.extract.table,
                self.start,
                archive_tables.following(self.start),
                [part.set_id for part in self.parts],
            ],
        ).fetchone() or (0,)
        return int(rows)

    def _whole(self) -> bool:
        """Whether nothing but what is condemned lies in the month, and nothing will any more."""
        return self.over and self._there() and not self._left() and not self._others()

    def _others(self) -> bool:
        """Whether the month holds rows of another moment than the condemned parts: rows that no catalogue knows. Asked
        by the gaps between these moments, which the BRIN index answers without reading the rows."""
        times = sorted({part.archived_at for part in self.parts})
        if len(times) > MOST_GAPS:
            other = sql.SQL("a.archived_at <> ALL({})").format(sql.Literal(times))
        else:
            other = sql.SQL(" OR ").join(_gaps(times))
        found = self.connection.execute(
            sql.SQL("SELECT EXISTS (SELECT FROM {} a WHERE {})").format(self.name, other)
        ).fetchone()
        return bool(found and found[0])

    def _detached(self) -> bool:
        """Whether the month is no partition any more; a detach that was broken off is finished. Raises
        CannotClearError."""
        found = self.connection.execute(
            "SELECT inhdetachpending FROM pg_inherits WHERE inhrelid = to_regclass(%s)",
            [self.name.as_string(self.connection)],
        ).fetchone()
        if found and found[0]:
            self._run("ALTER TABLE {table} DETACH PARTITION {name} FINALIZE")
        elif found:
            return False
        if self._left() or self._others():
            raise CannotClearError(
                f"stg.{archive_tables.bare_month(self.extract, self.start)} is no partition of its archive table any"
                " more and holds rows that stay. Nothing of it was removed; attach it again and clean up anew."
            )
        return True

    def _detach_concurrently(self) -> None:
        self.connection.execute(f"SET lock_timeout = {LOCK_WAIT_MS}")
        try:
            self._run("ALTER TABLE {table} DETACH PARTITION {name} CONCURRENTLY")
        finally:
            self.connection.execute("SET lock_timeout = 0")

    def _drop_detached(self, writer: Writer) -> str:
        with self.connection.transaction():
            journal.hold_fence(self.connection, writer)
            self._run("DROP TABLE {name}")
            self._note(writer, DROPPED)
        return DROPPED

    def _note(self, writer: Writer, way: str) -> None:
        sets = [part.set_id for part in self.parts]
        self.connection.execute(
            "UPDATE restage.archive_parts SET hot = false WHERE table_name = %s AND set_id = ANY(%s)",
            [self.extract.table, sets],
        )
        detail = {"way": way, "rows": sum(part.rows for part in self.parts), "sets": [str(found) for found in sets]}
        journal.record(self.connection, writer, f"clear {self.extract.table} {self.start:%Y-%m}", detail)


def _gaps(times: Sequence[datetime]) -> Iterable[sql.Composed]:
    yield sql.SQL("a.archived_at < {}").format(sql.Literal(times[0]))
    for before, after in pairwise(times):
        yield sql.SQL("(a.archived_at > {} AND a.archived_at < {})").format(sql.Literal(before), sql.Literal(after))
    yield sql.SQL("a.archived_at > {}").format(sql.Literal(times[-1]))


def by_table(connection: psycopg.Connection, sets: Iterable[UUID]) -> dict[str, dict[str, int]]:
    """Table → parts, rows and bytes of these sets."""
    found = connection.execute(
        "SELECT table_name, count(*), sum(rows)::bigint, sum(bytes)::bigint FROM restage.archive_parts"
        " WHERE set_id = ANY(%s) GROUP BY 1 ORDER BY 1",
        [list(sets)],
    ).fetchall()
    return {table: {"sets": parts, "rows": rows, "bytes": size} for table, parts, rows, size in found}


def _removed(connection: psycopg.Connection, job_id: UUID) -> dict[str, Any]:
    """What this job has removed: sets, rows, bytes, and by table."""
    sets = connection.execute("SELECT set_id FROM restage.archive_sets WHERE removed_job = %s", [job_id]).fetchall()
    tables = by_table(connection, [found for (found,) in sets])
    rows, size = (sum(counts[name] for counts in tables.values()) for name in ("rows", "bytes"))
    return {"removed": len(sets), "rows": rows, "bytes": size, "tables": tables}
