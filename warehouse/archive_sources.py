"""What a restore reads: the parts of a set that it was asked for, and the query that gives the rows of each."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import psycopg
from psycopg import sql
from psycopg.rows import class_row

from warehouse import archive_holds, archive_sets
from warehouse.archive_sets import SET_COLUMNS, ArchiveSet, Part
from warehouse.errors import TellableError


class NotThereError(TellableError):
    """The set has not what was asked of it, or not where it should lie; the message says which. Nothing was changed."""


@dataclass(frozen=True)
class Source:
    """The rows of a part. `columns`: name → type of each column that the query `rows` gives."""

    columns: dict[str, str]
    rows: sql.Composable


def chosen(connection: psycopg.Connection, set_id: UUID, tables: Sequence[str] = ()) -> list[Part]:
    """The parts of a set, of these tables only (none: all). Raises NoSuchSetError, RemovedError, NotThereError."""
    archive_holds.demand_there(archive_sets.of_id(connection, set_id))
    found = archive_sets.parts(connection, [set_id])
    if unknown := [table for table in tables if table not in {part.table_name for part in found}]:
        known = ", ".join(part.table_name for part in found)
        raise NotThereError(f"The set holds nothing of {', '.join(unknown)}; it holds {known}. Nothing was changed.")
    return [part for part in found if not tables or part.table_name in tables]


def newest(connection: psycopg.Connection, load_run_id: UUID, table: str = "") -> UUID:
    """The newest set that was archived of this load run (and has this table). Raises NotThereError."""
    found = connection.execute(
        "SELECT s.set_id FROM restage.archive_parts p JOIN restage.archive_sets s USING (set_id)"
        " WHERE s.removed_at IS NULL AND s.kind = 'archive' AND s.load_run_id = %s AND (%s = '' OR p.table_name = %s)"
        " ORDER BY s.archived_at DESC, p.archive_version DESC LIMIT 1",
        [load_run_id, table, table],
    ).fetchone()
    if found is None:
        of_table = f" with stg.{table}" if table else ""
        raise NotThereError(f"There is no archive set of load run {load_run_id}{of_table}. Nothing was changed.")
    return UUID(str(found[0]))


def listed(connection: psycopg.Connection, load_run_id: UUID | None, table: str, most: int) -> list[ArchiveSet]:
    """The sets that can be restored, newest first: of a load run (None: of any), with a table ("": with any)."""
    with connection.cursor(row_factory=class_row(ArchiveSet)) as cursor:
        return cursor.execute(
            sql.SQL(
                "SELECT {} FROM restage.archive_sets s WHERE removed_at IS NULL"
                " AND (%(run)s::uuid IS NULL OR load_run_id = %(run)s) AND EXISTS (SELECT FROM restage.archive_parts p"
                " WHERE p.set_id = s.set_id AND (%(table)s = '' OR p.table_name = %(table)s))"
                " ORDER BY archived_at DESC, set_id LIMIT %(most)s"
            ).format(SET_COLUMNS),
            {"run": load_run_id, "table": table, "most": most},
        ).fetchall()


def source(connection: psycopg.Connection, part: Part) -> Source:
    """The rows of a part in its archive table. Raises NotThereError."""
    if not part.hot:
        raise NotThereError(f"The rows of stg.{part.table_name} do not lie in the archive table. Nothing was changed.")
    there = {c["name"]: c["type"] for c in archive_sets.columns_of(connection, archive_sets.lies_in(part))}
    if lost := [name for name in part.names if name not in there]:
        raise NotThereError(
            f"The archive table of stg.{part.table_name} has lost {', '.join(lost)}, which the set had. Nothing was"
            " changed."
        )
    return Source({name: there[name] for name in part.names}, archive_sets.rows_of(part))
