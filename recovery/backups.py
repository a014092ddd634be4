"""Base backups of a server of ours and the WAL that belongs to them: taken, verified, listed, removed.

A backup counts once its record (`base/<label>.json`) is there, which is written last: after pg_verifybackup has read
every file again. The records lie beside the backups, not in a database that may be what is lost.
"""

import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from time import monotonic
from typing import IO, Any
from urllib.parse import unquote, urlsplit

import psycopg

from recovery import positions, processes
from recovery.errors import CannotBackUpError, CannotRecoverError
from recovery.processes import Alive, nobody_waits
from recovery.repositories import Target

ROOM = 1.2  # times the size of the databases must be free


@dataclass(frozen=True)
class BaseBackup:
    """A verified copy of the whole server. Any moment from `ended_at` (position `end_lsn`) on can be had from it, as
    far as its WAL goes."""

    label: str
    started_at: datetime
    ended_at: datetime
    start_lsn: str
    end_lsn: str
    timeline: int
    bytes: int
    seconds: float
    version: int

    @property
    def first_segment(self) -> str:
        return positions.segment(positions.number(self.start_lsn), self.timeline)

    def reaches_back_to(self, target: Target) -> bool:
        if target.before_lsn:
            return positions.number(self.end_lsn) <= positions.number(target.before_lsn)
        return self.ended_at <= target.at


@dataclass(frozen=True)
class Folder:
    """The repository of one server of ours."""

    path: Path
    binaries: Path

    @property
    def base(self) -> Path:
        return self.path / "base"

    @property
    def wal(self) -> Path:
        return self.path / "wal"

    def listed(self) -> list[BaseBackup]:
        """Those that count, the oldest first."""
        found = []
        for record in sorted(self.base.glob("*.json")):
            with suppress(OSError, ValueError, TypeError):  # removed meanwhile, or not one of ours
                found.append(_read(record))
        return sorted(found, key=lambda backup: backup.ended_at)

    def segments(self) -> list[str]:
        """The WAL that is kept, in order."""
        names = os.listdir(self.wal) if self.wal.exists() else []
        return sorted(name for name in names if positions.is_segment(name))

    def wal_bytes(self) -> int:
        """On the disk: a segment that was closed early takes little."""
        return sum((self.wal / name).stat().st_blocks * 512 for name in self.segments())

    def missing(self, backup: BaseBackup) -> str:
        """The first segment that should follow the backup and is not there though later ones are ("": none)."""
        there = [name for name in self.segments() if name[:8] == backup.first_segment[:8]]
        expected, known = backup.first_segment, set(there)
        while there and expected <= there[-1]:
            if expected not in known:
                return expected
            expected = positions.after(expected)
        return ""

    def take(self, url: str, *, label: str, alive: Alive = nobody_waits) -> BaseBackup:
        """Copy the server at `url`, verify the copy and enter it. Raises CannotBackUpError, and what `alive` raises."""
        self.base.mkdir(parents=True, exist_ok=True, mode=0o700)
        with _locked(self.path / "taking.lock") as free:
            if not free:
                raise CannotBackUpError("Another base backup is being taken now.")
            self._sweep()
            try:
                return self._take(url, label, alive)
            finally:
                shutil.rmtree(self.base / f"{label}.part", ignore_errors=True)

    def _sweep(self) -> None:
        """Remove what a death left: copies without a record."""
        for entry in self.base.iterdir():
            if entry.is_dir() and not entry.with_name(f"{entry.name}.json").exists():
                shutil.rmtree(entry, ignore_errors=True)

    def _take(self, url: str, label: str, alive: Alive) -> BaseBackup:
        began, part = monotonic(), self.base / f"{label}.part"
        started_at = self._ask_leave(url)
        self.wal.mkdir(exist_ok=True, mode=0o700)  # from here on the server's WAL is kept
        processes.give_to_server(self.wal)
        command = [str(self.binaries / "pg_basebackup"), "-D", str(part), "-l", f"Restage {label}", "--no-password"]
        code, printed = processes.run([*command, "-X", "stream", "-c", "fast"], alive=alive, env=_login(url))
        if code:
            raise CannotBackUpError(f"pg_basebackup ended with code {code}: {_last(printed)}")
        with psycopg.connect(url, autocommit=True) as connection:
            ended_at = _clock(connection)
        verify(self.binaries, part, alive)
        manifest = json.loads((part / "backup_manifest").read_text())
        ranges = manifest["WAL-Ranges"]
        backup = BaseBackup(
            label=label,
            started_at=started_at,
            ended_at=ended_at,
            start_lsn=ranges[0]["Start-LSN"],
            end_lsn=ranges[-1]["End-LSN"],
            timeline=int(ranges[-1]["Timeline"]),
            bytes=sum(int(file["Size"]) for file in manifest["Files"]),
            seconds=round(monotonic() - began, 1),
            version=processes.major_version(self.binaries),
        )
        part.rename(self.base / label)
        _write(self.base / f"{label}.json", backup)
        return backup

    def _ask_leave(self, url: str) -> datetime:
        """The server's clock. Raises CannotBackUpError where it keeps no WAL or the disk has no room."""
        try:
            with psycopg.connect(url, autocommit=True, connect_timeout=5) as connection:
                mode, size = connection.execute(
                    "SELECT current_setting('archive_mode'), (SELECT sum(pg_database_size(oid)) FROM pg_database)"
                ).fetchone() or ("off", 0)
                clock = _clock(connection)
        except psycopg.Error as error:
            raise CannotBackUpError("The server does not answer. Nothing was taken.") from error
        if mode == "off":
            raise CannotBackUpError(
                "The server keeps no WAL: it was started without. Stop every process of Restage and start again, and"
                " see that RESTAGE_BACKUPS is not off."
            )
        if shutil.disk_usage(self.base).free < ROOM * float(size):
            raise CannotBackUpError(
                f"The disk has no room for a copy of {float(size) / 1e6:,.0f} MB. Make room, then ask again."
            )
        return clock

    def choose(self, target: Target) -> BaseBackup:
        """The newest backup from before the target. Raises CannotRecoverError."""
        known = self.listed()
        if not known:
            raise CannotRecoverError("There is no base backup yet, so no moment can be recovered. Take one first.")
        fit = [backup for backup in known if backup.reaches_back_to(target)]
        if not fit:
            raise CannotRecoverError(
                f"The moment {target} lies before the oldest base backup, which ended at"
                f" {known[0].ended_at:%Y-%m-%d %H:%M:%S} UTC. Nothing was changed; choose a later moment, or another"
                " rung of the recovery ladder."
            )
        return fit[-1]

    def put(self, target: Target, into: Path, alive: Alive = nobody_waits) -> str:
        """Lay the chosen backup into `into` and verify it there. Raises CannotRecoverError."""
        backup = self.choose(target)
        gap = self.missing(backup)
        if gap and target.before_lsn and positions.number(target.before_lsn) > positions.start(gap):
            raise CannotRecoverError(self._gap(gap, target))
        with _in_use(self.base / f"{backup.label}.json"):
            code, printed = processes.run(["cp", "-a", f"{self.base / backup.label}/.", str(into)], alive=alive)
        if code:
            raise CannotRecoverError(f"Base backup {backup.label} could not be copied: {_last(printed)}")
        try:
            verify(self.binaries, into, alive)
        except CannotBackUpError as error:
            raise CannotRecoverError(
                f"Base backup {backup.label} is damaged and was not used. {error} Nothing was changed; an older moment"
                " may be had from an older backup."
            ) from error
        wal = str(self.wal).replace("%", "%%")
        return f'cp "{wal}/%f" "%p"'

    def why_not_reached(self, target: Target) -> str:
        gap = self.missing(self.choose(target))
        return self._gap(gap, target) if gap else ""

    def _gap(self, gap: str, target: Target) -> str:
        return (
            f"WAL segment {gap} is missing, so nothing after it can be recovered from this base backup, and {target}"
            " lies after it. Nothing was changed; take a new base backup so that later moments can be had."
        )

    def remove_old(self, *, now: datetime, days: float) -> list[BaseBackup]:
        """Remove the backups that are not needed to go back `days`, and the WAL from before the oldest that stays.

        The newest always stays; one that is being copied stays for the next time.
        """
        known = self.listed()
        old = [backup for backup in known if backup.ended_at <= now - timedelta(days=days)][:-1]
        removed = [backup for backup in old if backup != known[-1] and self._remove(backup)]
        if left := self.listed():
            for name in self.segments():
                if name[8:] < left[0].first_segment[8:]:
                    (self.wal / name).unlink(missing_ok=True)
        return removed

    def _remove(self, backup: BaseBackup) -> bool:
        record = self.base / f"{backup.label}.json"
        with _locked(record) as free:
            if free:
                record.unlink(missing_ok=True)
                shutil.rmtree(self.base / backup.label, ignore_errors=True)
        return free


def verify(binaries: Path, copy: Path, alive: Alive = nobody_waits) -> None:
    """Read every file of a backup again. Raises CannotBackUpError naming the first difference."""
    code, printed = processes.run([str(binaries / "pg_verifybackup"), "-e", str(copy)], alive=alive)
    if code:
        raise CannotBackUpError(f"pg_verifybackup: {_last(printed).removeprefix('pg_verifybackup: error: ')}.")


def archive_now(connection: psycopg.Connection, *, alive: Alive = nobody_waits, seconds: float = 30.0) -> bool:
    """Have the WAL up to now kept, so that this very moment can be recovered; whether that is known to be done.

    Needs the right to pg_switch_wal; without it the server closes its segment in its own time.
    """
    connection.execute("SELECT pg_current_xact_id()")  # a commit behind the target, at which a recovery stops
    try:
        (wanted,) = connection.execute("SELECT pg_walfile_name(pg_switch_wal())").fetchone() or ("",)
    except psycopg.errors.InsufficientPrivilege:
        return False
    end = monotonic() + seconds
    while monotonic() < end:
        (kept,) = connection.execute("SELECT last_archived_wal FROM pg_stat_archiver").fetchone() or (None,)
        if kept and kept[:24] >= wanted:
            return True
        alive()
        connection.execute("SELECT pg_sleep(0.1)")
    return False


def _login(url: str) -> dict[str, str]:
    """The URL as libpq's environment: a password on a command line is for everybody to read."""
    parts = urlsplit(url)
    login = {
        "PGHOST": parts.hostname,
        "PGPORT": str(parts.port or 5432),
        "PGUSER": unquote(parts.username or ""),
        "PGPASSWORD": unquote(parts.password or ""),
    }
    return {name: value for name, value in login.items() if value}


def _clock(connection: psycopg.Connection) -> datetime:
    found: tuple[datetime] | None = connection.execute("SELECT clock_timestamp()").fetchone()
    if found is None:
        raise CannotBackUpError("The server did not tell its time.")
    return found[0]


def _last(printed: str) -> str:
    return (printed.splitlines() or ["it said nothing"])[-1]


def _read(record: Path) -> BaseBackup:
    said: dict[str, Any] = json.loads(record.read_text())
    for name in ("started_at", "ended_at"):
        said[name] = datetime.fromisoformat(said[name])
    return BaseBackup(**said)


def _write(record: Path, backup: BaseBackup) -> None:
    fresh = record.with_suffix(".new")
    with fresh.open("w") as file:
        json.dump(asdict(backup), file, default=str)
        file.flush()
        os.fsync(file.fileno())
    fresh.rename(record)
    folder = os.open(record.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


@contextmanager
def _in_use(record: Path) -> Iterator[None]:
    """Keep a backup from being removed. Raises CannotRecoverError where it has just been."""
    try:
        with record.open() as handle:
            fcntl.flock(handle, fcntl.LOCK_SH)
            yield
    except FileNotFoundError as error:
        raise CannotRecoverError("The base backup was removed just now. Nothing was changed; ask again.") from error


@contextmanager
def _locked(path: Path) -> Iterator[bool]:
    """Hold the lock of a file if nobody else does; whether it is held."""
    handle: IO[str]
    with path.open("a") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
