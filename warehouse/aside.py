"""Reading delivered files aside into restage_build, chunk by chunk: a later worker goes on where one stopped.

Each chunk is one transaction: the fence of the claim is held, some seconds' worth of records are copied, and a note
says how far that is. The notes lie in an unlogged table as what they speak of does: a crash of the server empties both.
"""

from collections.abc import Collection
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from warehouse import code, ingest, journal, names
from warehouse.attempts import Attempt
from warehouse.build import Workspace
from warehouse.canonical import Canonical
from warehouse.errors import TellableError, reason_of
from warehouse.failpoints import failpoint
from warehouse.ingest import Intake
from warehouse.journal import Writer, tag_of
from warehouse.progress import Progress, Told
from warehouse.registry import Extract
from warehouse.sources import Content
from warehouse.wire import Malformed

CHUNK_SECONDS = 3.0


class FileUnreadableError(TellableError):
    """A file cannot be read as planned; the message says why. The chunks of it that had been read are gone again."""


@dataclass(frozen=True)
class Reading:
    """What all files of a work come to, and what has been read of them before the file that is being read."""

    files: int = 0
    files_all: int = 0
    records: int = 0
    bytes: int = 0
    bytes_all: int = 0

    def past(self, intake: Intake, content: Content) -> "Reading":
        """The same once that file is read too."""
        return Reading(
            self.files + 1, self.files_all, self.records + intake.read, self.bytes + content.size, self.bytes_all
        )


def read(
    connection: psycopg.Connection,
    extract: Extract,
    attempt: Attempt,
    content: Content,
    writer: Writer,
    *,
    into: sql.Identifier,
    stand_in: int,
    so_far: Reading,
    told: Told,
) -> Intake:
    """Copy what the job has not copied yet of the attempt's file; what became of all its records.

    Raises FileUnreadableError, LostFenceError, and what `told` raises.
    """
    step, way = f"read {attempt.load_run_file_id}", f"{extract.digest} {code.reading()}"
    known = noted(connection, writer.job_id, step) or {}
    if known.get("way", way) != way:  # another version of Restage or of the declaration has read it
        _forget(connection, writer, step, into, stand_in, {})
        known = {}
    if known.get("failed"):
        raise FileUnreadableError(known["failed"])
    if known.get("complete"):
        return _intake(known)

    def progress(records: int, size: int) -> None:
        told(
            Progress(
                f"read {attempt.s3_key}",
                so_far.files,
                so_far.files_all,
                so_far.records + records,
                so_far.bytes + size,
                so_far.bytes_all,
            )
        )

    try:
        portions = ingest.portions(
            connection,
            attempt.address,
            extract,
            into=into,
            load_run_file_id=stand_in,
            content=content,
            skip=int(known.get("read", 0)),
            beginning=Canonical(**known["canonical"]).ordered if known.get("read") else "",
            seconds=CHUNK_SECONDS,
            progress=progress,
        )
        while True:
            with connection.transaction():
                journal.hold_fence(connection, writer)
                intake, complete = next(portions)
                note(connection, writer, step, {"way": way, **_noting(intake, complete=complete)})
            failpoint("chunk read")
            if complete:
                return intake
    except ingest.OtherBeginningError:
        _forget(connection, writer, step, into, stand_in, {})
        return read(
            connection, extract, attempt, content, writer, into=into, stand_in=stand_in, so_far=so_far, told=told
        )
    except ingest.FILE_ERRORS as error:
        _forget(connection, writer, step, into, stand_in, {"way": way, "failed": reason_of(error)})
        raise FileUnreadableError(reason_of(error)) from error


def _forget(
    connection: psycopg.Connection,
    writer: Writer,
    step: str,
    table: sql.Identifier,
    stand_in: int,
    detail: dict[str, Any],
) -> None:
    """Take back the chunks of a file that have been read, and note that."""
    with connection.transaction():
        journal.hold_fence(connection, writer)
        connection.execute(sql.SQL("DELETE FROM {} WHERE load_run_file_id = %s").format(table), [stand_in])
        note(connection, writer, step, detail)


def _noting(intake: Intake, *, complete: bool) -> dict[str, Any]:
    found: dict[str, Any] = {"read": intake.read, "ingested": intake.ingested, "complete": complete}
    found["canonical"] = asdict(intake.canonical)
    if complete:
        found["malformed"] = [asdict(one) for one in intake.malformed]
    return found


def _intake(known: dict[str, Any]) -> Intake:
    malformed = [Malformed(**one) for one in known["malformed"]]
    return Intake(known["read"], known["ingested"], malformed, Canonical(**known["canonical"]))


def noted(connection: psycopg.Connection, job_id: UUID, step: str) -> dict[str, Any] | None:
    """What the job has noted of a step; None when nothing."""
    found = connection.execute(
        "SELECT detail FROM restage.aside_notes WHERE job_id = %s AND step = %s", [job_id, step]
    ).fetchone()
    return found[0] if found else None


def note(connection: psycopg.Connection, writer: Writer, step: str, detail: dict[str, Any]) -> None:
    """Inside the transaction of a chunk: note how far the step is, in place of its former note."""
    connection.execute(
        "INSERT INTO restage.aside_notes (job_id, step, detail) VALUES (%s, %s, %s)"
        " ON CONFLICT (job_id, step) DO UPDATE SET detail = excluded.detail",
        [writer.job_id, step, Jsonb(detail)],
    )


def unfinished(connection: psycopg.Connection, job_id: UUID, files: Collection[int]) -> list[int]:
    """Those of the files that the job has begun to read and not finished; all of them where it read none or all."""
    steps = connection.execute(
        "SELECT step FROM restage.aside_notes WHERE job_id = %s AND detail ->> 'complete' = 'true'", [job_id]
    ).fetchall()
    done = {step for (step,) in steps}
    left = [file for file in files if f"read {file}" not in done]
    return left[:1] if done and left else left or list(files)


def raw_table(connection: psycopg.Connection, extract: Extract, space: Workspace) -> sql.Identifier:
    """The table shaped as raw for files that may not enter raw yet; made where it is not there. One that was begun
    before raw knew lines is given them."""
    table = space.table(extract, "raw")
    connection.execute(
        sql.SQL("CREATE UNLOGGED TABLE IF NOT EXISTS {} (LIKE {} INCLUDING DEFAULTS)").format(table, names.raw(extract))
    )
    connection.execute(sql.SQL("ALTER TABLE {} ADD COLUMN IF NOT EXISTS line_no integer").format(table))
    return table


def sweep(connection: psycopg.Connection, job_id: UUID) -> None:
    """Drop what the job has built aside and its notes of that, as far as the connection still lives."""
    if connection.broken or connection.closed:
        return
    connection.execute("DELETE FROM restage.aside_notes WHERE job_id = %s", [job_id])
    for name, tag in _tagged(connection):
        if tag == tag_of(job_id):
            _drop(connection, name)


def tags(connection: psycopg.Connection) -> set[str]:
    """The marks of the jobs that have something aside."""
    return {tag for _name, tag in _tagged(connection)}


def sweep_tags(connection: psycopg.Connection, unwanted: Collection[str]) -> None:
    """Drop what jobs that are over have left; what somebody still holds is left for the next time."""
    connection.execute("SET lock_timeout = '1s'")
    for name, tag in _tagged(connection):
        if tag in unwanted:
            with suppress(psycopg.errors.LockNotAvailable):
                _drop(connection, name)
    connection.execute(
        "DELETE FROM restage.aside_notes WHERE left(replace(job_id::text, '-', ''), 12) = ANY(%s)", [list(unwanted)]
    )


def _tagged(connection: psycopg.Connection) -> list[tuple[str, str]]:
    """(table, mark of its job) of restage_build."""
    return connection.execute(
        "SELECT tablename, substring(tablename FROM '_([0-9a-f]{12})$') FROM pg_tables"
        " WHERE schemaname = 'restage_build' AND tablename ~ '_[0-9a-f]{12}$' ORDER BY 1"
    ).fetchall()


def _drop(connection: psycopg.Connection, name: str) -> None:
    connection.execute(sql.SQL("DROP TABLE IF EXISTS {} CASCADE").format(sql.Identifier("restage_build", name)))
