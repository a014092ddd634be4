"""What happens to load runs, kept by triggers in the transaction that does it, and announced by NOTIFY.

The notice is only a doorbell: it may get lost. The rows of restage.happenings are the truth, and a reader's position
among them is a snapshot of the server, so that a row is read exactly once however late its transaction commits and
however long another one stays open.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import psycopg
from psycopg.rows import class_row

from warehouse.connections import UnreachableWarehouseError, snapshot

CHANNEL = "restage"
KEPT_FOR = timedelta(days=7)
START = ""  # of a reader that has read nothing yet

TABLE = """change_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, tx xid8 NOT NULL DEFAULT pg_current_xact_id(),
        at timestamptz NOT NULL DEFAULT clock_timestamp(), what text NOT NULL, load_run_id uuid NOT NULL,
        load_run_file_id integer, status text NOT NULL"""

# Whatever goes wrong in here, the writer's statement goes on: the block is a savepoint of its own. A loader that
# prepares its transactions (PREPARE TRANSACTION refuses NOTIFY) sets restage.quiet = 'on' and is found by polling.
FUNCTION = """CREATE OR REPLACE FUNCTION restage.note_happening() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
DECLARE noted bigint; runs uuid[];
BEGIN
    BEGIN
        IF TG_TABLE_NAME = 'load_runs' AND TG_OP = 'INSERT' THEN
            INSERT INTO restage.happenings (what, load_run_id, status)
            SELECT 'run', n.load_run_id, n.status FROM now_rows n;
        ELSIF TG_TABLE_NAME = 'load_runs' THEN
            INSERT INTO restage.happenings (what, load_run_id, status)
            SELECT 'run', n.load_run_id, n.status FROM now_rows n JOIN was_rows w USING (load_run_id)
            WHERE n.status IS DISTINCT FROM w.status;
        ELSIF TG_TABLE_NAME = 'load_run_files' AND TG_OP = 'INSERT' THEN
            INSERT INTO restage.happenings (what, load_run_id, load_run_file_id, status)
            SELECT 'file', n.load_run_id, n.load_run_file_id, n.status FROM now_rows n;
        ELSIF TG_TABLE_NAME = 'load_run_files' THEN
            INSERT INTO restage.happenings (what, load_run_id, load_run_file_id, status)
            SELECT CASE WHEN n.status IS DISTINCT FROM w.status THEN 'file' ELSE 'attempt' END,
                n.load_run_id, n.load_run_file_id, n.status FROM now_rows n JOIN was_rows w USING (load_run_file_id)
            WHERE n.status IS DISTINCT FROM w.status OR n.superseded_at IS DISTINCT FROM w.superseded_at;
        ELSIF TG_OP = 'INSERT' THEN
            INSERT INTO restage.happenings (what, load_run_id, status)
            SELECT 'staging', n.load_run_id, n.status FROM now_rows n;
        ELSE
            INSERT INTO restage.happenings (what, load_run_id, status)
            SELECT 'staging', n.load_run_id, n.status FROM now_rows n JOIN was_rows w USING (staging_run_id)
            WHERE n.status IS DISTINCT FROM w.status;
        END IF;
        GET DIAGNOSTICS noted = ROW_COUNT;
        IF noted > 0 AND coalesce(current_setting('restage.quiet', true), '') <> 'on'
            AND pg_notification_queue_usage() < 0.5 THEN
            runs := ARRAY(SELECT DISTINCT load_run_id FROM now_rows LIMIT 2);
            PERFORM pg_notify('restage', CASE WHEN cardinality(runs) = 1 THEN runs[1]::text ELSE '' END);
        END IF;
    EXCEPTION WHEN OTHERS THEN NULL;
    END;
    RETURN NULL;
END $$"""

WATCHED = ("etl.load_runs", "etl.load_run_files", "etl.staging_runs")
TRIGGERS: dict[tuple[str, str], str] = {
    (table, f"restage_note_{act.lower()}"): f"CREATE TRIGGER restage_note_{act.lower()} AFTER {act} ON {table}"
    f" REFERENCING {rows} FOR EACH STATEMENT EXECUTE FUNCTION restage.note_happening()"
    for table in WATCHED
    for act, rows in (("INSERT", "NEW TABLE AS now_rows"), ("UPDATE", "OLD TABLE AS was_rows NEW TABLE AS now_rows"))
}


@dataclass(frozen=True)
class Happening:
    """A status that changed. `what`: run, file, attempt (superseded, or counting again) or staging."""

    change_id: int
    what: str
    load_run_id: UUID
    load_run_file_id: int | None
    status: str


_READ = "SELECT change_id, what, load_run_id, load_run_file_id, status FROM restage.happenings"
_SINCE = """WHERE tx >= pg_snapshot_xmin(%(from)s::pg_snapshot)
    AND NOT pg_visible_in_snapshot(tx, %(from)s::pg_snapshot)"""


@contextmanager
def listening(url: str) -> Iterator[psycopg.Connection]:
    """A connection that hears the notices, and notices itself when it is dead. Raises UnreachableWarehouseError."""
    try:
        connection = psycopg.connect(
            url,
            autocommit=True,
            connect_timeout=5,
            application_name="restage watch",
            options="-c timezone=UTC -c statement_timeout=30s -c jit=off",
            keepalives_idle=10,
            keepalives_interval=5,
            keepalives_count=3,
            tcp_user_timeout=15_000,
        )
    except psycopg.OperationalError as error:
        raise UnreachableWarehouseError("The warehouse does not answer.") from error
    with connection:
        connection.execute(f"LISTEN {CHANNEL}")
        yield connection


def read(connection: psycopg.Connection, position: str) -> tuple[str, list[Happening]]:
    """What was committed since `position` (START: in the last week), and the position after it.

    Needs an autocommit connection. A position that lies in the server's future (it was restored from a copy) is
    START again: what was read before is then read once more.
    """
    with snapshot(connection):
        (now, ahead) = connection.execute(
            "SELECT pg_current_snapshot()::text,"
            " pg_snapshot_xmax(nullif(%s, '')::pg_snapshot) > pg_snapshot_xmax(pg_current_snapshot())",
            [position],
        ).fetchone() or ("", None)
        with connection.cursor(row_factory=class_row(Happening)) as cursor:
            if ahead or not position:
                found = cursor.execute(f"{_READ} WHERE at > now() - %s ORDER BY change_id", [KEPT_FOR]).fetchall()
            else:
                found = cursor.execute(f"{_READ} {_SINCE} ORDER BY change_id", {"from": position}).fetchall()
    return now, found


def forget(connection: psycopg.Connection, position: str) -> int:
    """Delete what was read before `position` and is older than a week; how many."""
    return connection.execute(
        "DELETE FROM restage.happenings WHERE tx < pg_snapshot_xmin(%s::pg_snapshot) AND at < now() - %s",
        [position, KEPT_FOR],
    ).rowcount
