"""A small warehouse with its deliveries, for tests: write files, load them, read them again, ask what stands."""

from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psycopg

from warehouse import aside, attempts, deliveries, journal, reprocess, rollback, verification
from warehouse.journal import Writer
from warehouse.registry import Registry
from warehouse.reprocess import Prepared, Work
from warehouse.undoing import Undo

VISITS = """# Visits.
extract = "Visits"
table = "visits"
natural_key = ["visit_id"]
depends_on = []
format = "csv"
record_updated_at = "updated_at"
file_name = '(?P<per_org_id>[^_]+)_visits_(?P<extracted>\\d{8})\\.csv'
extracted_format = "%Y%m%d"

[columns]
visit_id = "text"
seen_on = "date"
fee = "numeric(10,2)"
note = "text"
updated_at = "timestamp"

[staging_only]
reviewed_by = "text"
"""

HEADER = "visit_id,seen_on,fee,note,updated_at"
Row = tuple[str, ...]


def row(visit: str, fee: str = "10", note: str = "", seen: str = "2026-01-05", updated: str = "") -> Row:
    return (visit, seen, fee, note, updated)


def new_run(outcome: dict[str, Any]) -> UUID:
    """The load run that a reprocessing of one run has made."""
    (made,) = outcome["load_runs"].values()
    return UUID(made)


class House:
    def __init__(self, connection: psycopg.Connection, registry: Registry, folder: Path) -> None:
        self.connection, self.registry, self.folder = connection, registry, folder
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def visits(self):
        return self.registry["Visits"]

    def empty(self) -> None:
        """No deliveries, and nothing of any former one."""
        for path in self.folder.iterdir():
            path.unlink()
        tables = self.connection.execute(
            "SELECT format('%%I.%%I', schemaname, tablename) FROM pg_tables WHERE schemaname IN ('etl', 'restage')"
            " AND tablename <> 'applied' OR schemaname IN ('raw', 'stg') AND tablename = ANY(%s)",
            [["visits", "calls"]],
        ).fetchall()
        any_rows = " UNION ALL ".join(f"SELECT '{name}' WHERE EXISTS (SELECT FROM {name})" for (name,) in tables)
        if filled := self.connection.execute(any_rows.encode()).fetchall():
            self.connection.execute(f"TRUNCATE {', '.join(name for (name,) in filled)} CASCADE".encode())

    def write(self, day: str, *rows: Row, org: str = "a") -> Path:
        path = self.folder / f"{org}_visits_{day}.csv"
        path.write_text("\n".join([HEADER, *(",".join(r) for r in rows), ""]))
        return path

    def load(self) -> deliveries.Report:
        return deliveries.load(self.connection, self.registry, str(self.folder))

    def deliver(self, day: str, *rows: Row, org: str = "a") -> UUID:
        """Write one file, load it, and give its run."""
        self.write(day, *rows, org=org)
        (loaded,) = self.load().runs
        return loaded.load_run_id

    def work(self, run: UUID) -> Work:
        files = {a.load_run_file_id: a.address.content() for a in attempts.of_runs(self.connection, [run])}
        return Work(files=files)

    def prepare(self, work: Work) -> Prepared:
        """What a dry run finds; nothing of it is left aside."""
        writer = Writer(uuid4(), 1, "operator")
        journal.raise_fence(self.connection, writer)
        prepared = reprocess.prepare(self.connection, self.registry, work, writer)
        aside.sweep(self.connection, writer.job_id)
        return prepared

    def reprocess(self, run: UUID, *, job: UUID | None = None, work: Work | None = None, epoch: int = 1, expected=None):
        """Read the run's files again; gives (job, outcome)."""
        writer = Writer(job or uuid4(), epoch, "operator")
        outcome = reprocess.execute(
            self.connection, self.registry, work or self.work(run), writer, reason="logic changed", expected=expected
        )
        return writer.job_id, outcome

    def roll_back(
        self, *jobs: UUID, by: UUID | None = None, epoch: int = 1, tables: tuple[str, ...] = (), expected=None
    ) -> dict[str, Any]:
        """Take these jobs back, newest first, in one act."""
        writer, undo = Writer(by or uuid4(), epoch, "operator"), Undo(jobs, tables)
        return rollback.execute(self.connection, self.registry, undo, writer, expected=expected)

    def staged(self) -> dict[str, tuple[str, str | None]]:
        """visit → (fee, note)."""
        rows = self.connection.execute("SELECT visit_id, fee::text, note FROM stg.visits ORDER BY 1").fetchall()
        return {visit: (fee, note) for visit, fee, note in rows}

    def state(self) -> list[tuple[Any, ...]]:
        """Everything that a refused or dead attempt must leave as it was."""
        return [
            *self.connection.execute("SELECT * FROM stg.visits ORDER BY visit_id").fetchall(),
            *self.connection.execute("SELECT * FROM raw.visits ORDER BY load_run_file_id, record_no").fetchall(),
            *self.connection.execute(
                "SELECT load_run_file_id, status, superseded_at FROM etl.load_run_files ORDER BY 1"
            ).fetchall(),
        ]

    def violations(self) -> int:
        return verification.verify(self.connection, self.visits).violations
