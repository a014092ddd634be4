"""Suspensions: the loading of an extract stops until somebody resumes it, because a delivered file is proven wrong, or
because a person says so.

`warehouse load` leaves the files of a suspended extract where they are; the next load after the resumption takes them.
A loader that is not Restage's asks `restage.suspended(extract)`, which gives the reason, or NULL. What is loaded
already stays as it is, and can be reprocessed: a suspension stops nothing but new files.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from warehouse.errors import TellableError

TABLES: dict[str, str] = {
    # one stands at most of an extract; `load_run_file_id`: the file that is proven wrong (NULL: a person did it)
    "suspensions": """suspension_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, extract_type text NOT NULL,
        reason text NOT NULL, suspended_by text NOT NULL, suspended_at timestamptz NOT NULL DEFAULT now(),
        load_run_file_id integer, resumed_at timestamptz, resumed_by text, resumed_why text""",
    # the extracts whose loading is suspended by itself when a file of theirs is proven wrong
    "suspends_itself": """extract_type text PRIMARY KEY, why text NOT NULL, set_by text NOT NULL,
        set_at timestamptz NOT NULL DEFAULT now()""",
}
INDEXES = {"restage.suspensions_standing_idx": "ON restage.suspensions (extract_type) WHERE resumed_at IS NULL"}
# in PL/pgSQL, which looks for the table only when it is called: functions are made before tables
FUNCTION = """CREATE OR REPLACE FUNCTION restage.suspended(named text) RETURNS text LANGUAGE plpgsql STABLE
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$ BEGIN
    RETURN (SELECT s.reason FROM restage.suspensions s WHERE s.extract_type = named AND s.resumed_at IS NULL);
END $$"""
ITSELF = "restage"


class NotSuspendedError(TellableError):
    """The loading of the extract is not suspended (any more). Nothing was changed."""


@dataclass(frozen=True)
class Suspension:
    extract_type: str
    reason: str
    suspended_by: str
    suspended_at: datetime
    load_run_file_id: int | None
    resumed_at: datetime | None
    resumed_by: str | None
    resumed_why: str | None

    @property
    def by_itself(self) -> bool:
        return self.suspended_by == ITSELF


_COLUMNS = """extract_type, reason, suspended_by, suspended_at, load_run_file_id, resumed_at, resumed_by, resumed_why
    FROM restage.suspensions"""


def standing(connection: psycopg.Connection) -> dict[str, Suspension]:
    """Extract → its suspension, of those that are suspended now."""
    with connection.cursor(row_factory=class_row(Suspension)) as cursor:
        found = cursor.execute(f"SELECT {_COLUMNS} WHERE resumed_at IS NULL ORDER BY extract_type").fetchall()
    return {one.extract_type: one for one in found}


def of(connection: psycopg.Connection, extract: str, most: int = 20) -> list[Suspension]:
    """The last suspensions of an extract, newest first."""
    with connection.cursor(row_factory=class_row(Suspension)) as cursor:
        return cursor.execute(
            f"SELECT {_COLUMNS} WHERE extract_type = %s ORDER BY suspension_id DESC LIMIT %s", [extract, most]
        ).fetchall()


def suspend(connection: psycopg.Connection, extract: str, *, reason: str, actor: str, file: int | None = None) -> bool:
    """Whether it was not suspended already: then the suspension that stands stays as it is."""
    with connection.transaction():
        made = connection.execute(
            "INSERT INTO restage.suspensions (extract_type, reason, suspended_by, load_run_file_id)"
            " VALUES (%s, %s, %s, %s) ON CONFLICT (extract_type) WHERE resumed_at IS NULL DO NOTHING",
            [extract, reason, actor, file],
        ).rowcount
        if made:
            _note(connection, "suspend loading", actor, {"extract": extract, "reason": reason, "file": file})
    return bool(made)


def resume(connection: psycopg.Connection, extract: str, *, why: str, actor: str, file: int | None = None) -> None:
    """Let its files be loaded again; of `file`, only the suspension that this file has caused. Raises
    NotSuspendedError."""
    with connection.transaction():
        ended = connection.execute(
            "UPDATE restage.suspensions SET resumed_at = now(), resumed_by = %(actor)s, resumed_why = %(why)s"
            " WHERE extract_type = %(extract)s AND resumed_at IS NULL"
            " AND (%(file)s::integer IS NULL OR load_run_file_id = %(file)s)",
            {"extract": extract, "why": why, "actor": actor, "file": file},
        ).rowcount
        if not ended:
            raise NotSuspendedError(f"The loading of {extract} is not suspended. Nothing was changed.")
        _note(connection, "resume loading", actor, {"extract": extract, "why": why})


def suspending_themselves(connection: psycopg.Connection) -> set[str]:
    """The extracts whose loading is suspended when a file of theirs is proven wrong."""
    return {name for (name,) in connection.execute("SELECT extract_type FROM restage.suspends_itself").fetchall()}


def let_suspend_itself(connection: psycopg.Connection, extract: str, *, on: bool, why: str, actor: str) -> bool:
    """Whether that changes anything."""
    statement = (
        "INSERT INTO restage.suspends_itself (extract_type, why, set_by) VALUES (%(extract)s, %(why)s, %(actor)s)"
        " ON CONFLICT DO NOTHING"
        if on
        else "DELETE FROM restage.suspends_itself WHERE extract_type = %(extract)s"
    )
    with connection.transaction():
        changed = connection.execute(statement, {"extract": extract, "why": why, "actor": actor}).rowcount
        if changed:
            action = "suspend when proven wrong" if on else "not suspend when proven wrong"
            _note(connection, action, actor, {"extract": extract, "reason": why})
    return bool(changed)


def _note(connection: psycopg.Connection, action: str, actor: str, detail: dict[str, Any]) -> None:
    connection.execute(
        "INSERT INTO restage.effects (job_id, action, actor, detail) VALUES (NULL, %s, %s, %s)",
        [action, actor, Jsonb(detail)],
    )
