"""Load runs and files as rows of etl, without deliveries, and what the figures must then say: counted here in Python
from the rows themselves, so that no SQL of the figures is trusted."""

from collections import Counter, defaultdict
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import psycopg
from psycopg.rows import dict_row

FILE = """INSERT INTO etl.load_run_files (load_run_id, s3_bucket, s3_key, s3_version_id, file_hash, date_extracted,
    extract_type, per_org_id, practice_id, rows_read, rows_ingested, rows_rejected, started_at, finished_at, status,
    error_message, content_bytes, created_at, updated_at)
    VALUES (%(run)s, 'b', %(key)s, '', %(key)s, %(extracted)s, %(extract)s, 'o', %(practice)s, %(read)s, %(ingested)s,
    %(rejected)s, %(begun)s, %(ended)s, %(status)s, %(error)s, %(bytes)s, %(begun)s, %(ended)s)
    RETURNING load_run_file_id"""


def run(connection: psycopg.Connection, at: datetime, status: str = "completed") -> UUID:
    made = uuid4()
    connection.execute(
        "INSERT INTO etl.load_runs (load_run_id, status, triggered_by, created_at, updated_at) VALUES"
        " (%s, %s, 'test', %s, %s)",
        [made, status, at, at],
    )
    return made


def file(connection: psycopg.Connection, load_run: UUID, at: datetime, **given: Any) -> int:
    """A completed file of 100 records, or as `given` says."""
    values = {
        **{"run": load_run, "key": uuid4().hex, "extracted": "2026-01-05", "extract": "Visits", "practice": "p1"},
        **{"read": 100, "ingested": 90, "rejected": 10, "begun": at, "ended": at + timedelta(seconds=30)},
        **{"status": "completed", "error": None, "bytes": 1000},
        **given,
    }
    (made,) = connection.execute(FILE, values).fetchone() or (0,)
    return int(made)


def staging(connection: psycopg.Connection, load_run: UUID, extract: str, rejected: int) -> None:
    connection.execute(
        "INSERT INTO etl.staging_runs (load_run_id, extract_type, source_table, target_table, status,"
        " total_rows_rejected) VALUES (%s, %s, 's', 't', 'completed', %s)"
        " ON CONFLICT (load_run_id, extract_type) WHERE status = 'completed' DO NOTHING",
        [load_run, extract, rejected],
    )


def supersede(connection: psycopg.Connection, old: int, at: datetime, by: int | None = None) -> None:
    connection.execute(
        "UPDATE etl.load_run_files SET superseded_at = %s, superseded_by_load_run_file_id = %s"
        " WHERE load_run_file_id = %s",
        [at, by, old],
    )


class Told:
    """Everything that lies in etl, read once."""

    def __init__(self, connection: psycopg.Connection, zone: str) -> None:
        self.zone = ZoneInfo(zone)
        with connection.cursor(row_factory=dict_row) as cursor:
            self.runs = {r["load_run_id"]: r for r in cursor.execute("SELECT * FROM etl.load_runs").fetchall()}
            self.files = cursor.execute("SELECT * FROM etl.load_run_files").fetchall()
            self.stagings = cursor.execute("SELECT * FROM etl.staging_runs WHERE status = 'completed'").fetchall()

    def made(self, row: dict[str, Any]) -> datetime:
        made: datetime = self.runs[row["load_run_id"]]["created_at"]
        return made.astimezone(self.zone)

    def chosen(self, start: datetime, stop: datetime, extract: str = "", practice: str = "") -> list[dict[str, Any]]:
        return [
            f
            for f in self.files
            if start <= self.made(f) < stop
            and extract in ("", f["extract_type"])
            and practice in ("", f["practice_id"])
        ]

    def totals(self, start: datetime, stop: datetime, extract: str = "", practice: str = "") -> dict[str, Any]:
        """As figures_reading.Files."""
        files = self.chosen(start, stop, extract, practice)
        good, bad = ([f for f in files if f["status"] == s] for s in ("completed", "failed"))
        again = [f for f in bad if f["superseded_at"]]
        refused = sum(
            s["total_rows_rejected"] or 0
            for s in self.stagings
            if start <= self.made(s) < stop and extract in ("", s["extract_type"]) and not practice
        )
        return {
            "files": len(files),
            "completed": len(good),
            "failed": len(bad),
            "failed_live": len(bad) - len(again),
            "recovered": len(again),
            "recovery_seconds": sum((f["superseded_at"] - f["finished_at"]).total_seconds() for f in again),
            "waiting": sum(f["status"] in ("pending", "processing") for f in files),
            "rows_read": sum(f["rows_read"] or 0 for f in good),
            "rejected": sum(f["rows_rejected"] or 0 for f in good) + refused,
        }

    def last_success(self, extract: str = "", practice: str = "") -> datetime | None:
        fits = [f for f in self.files if extract in ("", f["extract_type"]) and practice in ("", f["practice_id"])]
        return max((f["finished_at"] for f in fits if f["status"] == "completed"), default=None)

    def days(self, start: datetime, stop: datetime, **of: str) -> dict[datetime, Counter[str]]:
        """Day → how many files of each status."""
        found: dict[datetime, Counter[str]] = defaultdict(Counter)
        for f in self.chosen(start, stop, **of):
            found[self.made(f).replace(hour=0, minute=0, second=0, microsecond=0)][f["status"]] += 1
        return found

    def states(self, start: datetime, stop: datetime, extract: str = "", practice: str = "") -> dict[str, int]:
        wanted = {f["load_run_id"] for f in self.chosen(start, stop, extract, practice)}
        failed = {f["load_run_id"] for f in self.files if f["status"] == "failed" and not f["superseded_at"]}
        return dict(
            Counter(
                "completed with failures" if r["status"] == "completed" and key in failed else r["status"]
                for key, r in self.runs.items()
                if start <= r["created_at"] < stop and (key in wanted or not (extract or practice))
            )
        )

    def superseded(self, start: datetime, stop: datetime) -> tuple[int, int]:
        gone = [f for f in self.files if f["superseded_at"] and (f["rows_ingested"] or 0) > 0]
        gone = [f for f in gone if start <= f["superseded_at"] < stop]
        return len(gone), sum(f["rows_ingested"] for f in gone)

    def seconds(self, start: datetime, stop: datetime, extract: str = "") -> list[float]:
        """How long the completed files took, in order."""
        files = self.chosen(start, stop, extract)
        return sorted((f["finished_at"] - f["started_at"]).total_seconds() for f in files if f["status"] == "completed")
