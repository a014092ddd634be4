"""Base backup, kept WAL, a throw-away server at a moment: with the real programs, and everything that can go wrong."""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

from recovery import archiving, backups, positions, throwaway
from recovery.backups import Folder
from recovery.errors import CannotBackUpError, CannotRecoverError, ThrowawayLostError
from recovery.repositories import External, Repository, Target
from tests.stack import ROOT, eventually


@contextmanager
def recovered(repository, target: Target, folder: Path):
    with (
        throwaway.recovered(repository, target, folder=folder, name="test", user="restage") as server,
        server.connect("warehouse", "restage") as connection,
    ):
        yield server, connection


class Story:
    """A table, a base backup from before anything happens to it, and moments."""

    def __init__(self, kept, backup) -> None:
        self.kept, self.name, self.backup = kept, f"story_{uuid4().hex[:8]}", backup
        self.live = psycopg.connect(kept.url(), autocommit=True)
        self.live.execute(f"CREATE TABLE {self.name} (id integer, said text)")

    def say(self, *said: str) -> None:
        self.live.execute(f"DELETE FROM {self.name}")
        for number, words in enumerate(said):
            self.live.execute(f"INSERT INTO {self.name} VALUES (%s, %s)", [number, words])

    def now(self) -> Target:
        (now,) = self.live.execute("SELECT clock_timestamp()").fetchone() or (None,)
        time.sleep(0.01)
        return Target(now)

    def here(self) -> Target:
        (now, lsn) = self.live.execute("SELECT now(), pg_current_wal_insert_lsn()::text").fetchone() or (None, "")
        return Target(now, lsn)

    def keep(self) -> None:
        assert backups.archive_now(self.live)

    def rows(self, connection: psycopg.Connection) -> list[str]:
        return [said for (said,) in connection.execute(f"SELECT said FROM {self.name} ORDER BY id")]


@pytest.fixture
def story(kept, backup):
    made = Story(kept, backup)
    yield made
    made.live.execute(f"DROP TABLE IF EXISTS {made.name}")
    made.live.close()


@pytest.fixture
def places(tmp_path: Path) -> Path:
    return tmp_path / "recovered"


def is_clean(places: Path) -> bool:
    return list(places.iterdir()) == []


def test_rows_come_back_as_they_were_at_a_moment_and_at_a_position(story, places):
    story.say("one", "two")
    at = story.now()
    story.say("changed")
    before = story.here()
    story.live.execute(f"DROP TABLE {story.name}")
    story.keep()
    with recovered(story.kept.folder, at, places) as (_server, connection):
        assert story.rows(connection) == ["one", "two"]
    with recovered(story.kept.folder, before, places) as (_server, connection):
        assert story.rows(connection) == ["changed"]
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            connection.execute(f"DELETE FROM {story.name}")
        assert connection.execute("SHOW archive_mode").fetchone() == ("off",)
    assert is_clean(places)


def test_a_backup_is_entered_only_when_it_is_verified_and_says_what_it_holds(story):
    (entered,) = [found for found in story.kept.folder.listed() if found.label == story.backup.label]
    assert entered == story.backup
    assert entered.started_at < entered.ended_at and entered.bytes > 1_000_000
    assert positions.number(entered.start_lsn) < positions.number(entered.end_lsn)


def test_a_moment_before_every_base_backup_is_refused(story, places):
    with pytest.raises(CannotRecoverError, match="before the oldest base backup"):
        list_of(story, Target(datetime(2020, 1, 1, tzinfo=UTC)), places)
    with pytest.raises(CannotRecoverError, match="before the oldest base backup"):
        list_of(story, Target(datetime(2020, 1, 1, tzinfo=UTC), "0/1000000"), places)
    assert is_clean(places)


def list_of(story: Story, target: Target, places: Path, folder: Repository | None = None) -> list[str]:
    with recovered(folder or story.kept.folder, target, places) as (_server, connection):
        return story.rows(connection)


@pytest.fixture
def apart(story, tmp_path: Path) -> Folder:
    """A copy of the repository with this story's backup alone, to be harmed."""
    story.say("one")
    story.keep()
    story.say("two")
    story.at = story.now()
    story.keep()
    folder = Folder(tmp_path / "repository", story.kept.folder.binaries)
    shutil.copytree(story.kept.folder.wal, folder.wal)
    folder.base.mkdir()
    shutil.copytree(story.kept.folder.base / "first", folder.base / "first")
    shutil.copy(story.kept.folder.base / "first.json", folder.base)
    return folder


def test_a_missing_segment_is_refused_in_words(story, apart, places):
    assert list_of(story, story.at, places, apart) == ["two"]
    lost = apart.segments()[-2]
    (apart.wal / lost).unlink()
    assert apart.missing(story.backup) == lost
    with pytest.raises(CannotRecoverError, match=f"WAL segment {lost} is missing"):
        list_of(story, story.at, places, apart)
    for later in apart.segments()[-2:]:
        (apart.wal / later).unlink()
    with pytest.raises(CannotRecoverError, match="WAL that is kept ends before"):
        list_of(story, Target(story.at.at + timedelta(days=1)), places, apart)
    assert is_clean(places)


def test_a_damaged_backup_is_refused_before_anything_starts(story, apart, places):
    largest = max((apart.base / "first" / "base").rglob("[0-9]*"), key=lambda path: path.stat().st_size)
    content = bytearray(largest.read_bytes())
    content[len(content) // 2] ^= 1
    largest.write_bytes(content)
    with pytest.raises(CannotRecoverError, match=r"Base backup first is damaged.*checksum mismatch"):
        list_of(story, story.at, places, apart)
    assert is_clean(places)


def test_two_recoveries_at_once_do_not_meet(story, places):
    story.say("one")
    first = story.now()
    story.say("two")
    second = story.now()
    story.keep()
    with recovered(story.kept.folder, first, places) as (one, of_first):
        with recovered(story.kept.folder, second, places) as (other, of_second):
            assert (story.rows(of_first), story.rows(of_second)) == (["one"], ["two"])
            assert one.pid != other.pid
        assert story.rows(of_first) == ["one"]
    assert is_clean(places)


def test_a_killed_throwaway_server_is_told_as_what_may_be_tried_again(story, places):
    story.say("one")
    at = story.now()
    story.keep()
    with pytest.raises(ThrowawayLostError), recovered(story.kept.folder, at, places) as (server, connection):
        os.kill(server.pid, signal.SIGKILL)
        # the process of the connection may answer once more before it hears that its parent has died
        eventually(lambda: not connection.execute("SELECT 1"))
    assert is_clean(places)


HOLDER = """
import sys
from datetime import datetime
from pathlib import Path
from recovery import throwaway
from recovery.backups import Folder
from recovery.repositories import Target
path, binaries, at, places = sys.argv[1:]
with throwaway.recovered(
    Folder(Path(path), Path(binaries)), Target(datetime.fromisoformat(at)), folder=Path(places), name="held",
    user="restage",
) as server:
    print(server.pid, flush=True)
    sys.stdin.read()
"""


def test_what_a_killed_worker_leaves_is_found_and_removed(story, places):
    story.say("one")
    at = story.now()
    story.keep()
    folder = story.kept.folder
    worker = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(folder.path), str(folder.binaries), at.at.isoformat(), str(places)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=ROOT,
    )
    assert worker.stdout
    pid = int(worker.stdout.readline())
    assert throwaway.reap(places) == [], "it is in use"
    os.kill(pid, signal.SIGSTOP)  # its server cannot hear that its parent has died
    worker.kill()
    worker.wait()
    os.kill(pid, signal.SIGCONT)
    (left,) = eventually(lambda: throwaway.reap(places))
    assert left.startswith("held-") and is_clean(places)
    eventually(lambda: not Path(f"/proc/{pid}").exists())


def test_cancelling_ends_it_at_once(story, places):
    at = story.now()
    story.keep()
    asked = threading.Event()

    def alive() -> None:
        if asked.is_set():
            raise KeyError("cancelled")
        if any(places.glob("*/data/postmaster.pid")):
            asked.set()

    with (
        pytest.raises(KeyError),
        throwaway.recovered(story.kept.folder, at, folder=places, name="t", user="restage", alive=alive),
    ):
        pass
    assert is_clean(places)


PROGRAM = """#!/bin/sh
# Plays somebody else's backup program: `restore --target TIME --to FOLDER`
[ "$1" = restore ] && [ "$2" = --target ] && [ "$4" = --to ] || exit 64
case "$3" in ????-??-??\\ *+00) ;; *) exit 65 ;; esac
cp -a "{base}/." "$5"
"""


def test_another_programs_repository_is_used_through_its_own_commands(story, apart, places, tmp_path):
    program = tmp_path / "their program"
    program.write_text(PROGRAM.format(base=apart.base / "first"))
    program.chmod(0o755)
    theirs = External(
        f"'{program}' restore --target %t --to %d", f'cp "{apart.wal}/%f" "%p"', story.kept.folder.binaries
    )
    assert list_of(story, story.at, places, theirs) == ["two"]
    with pytest.raises(CannotRecoverError, match="WAL that is kept ends before"):
        list_of(story, Target(datetime.now(UTC) + timedelta(days=1)), places, theirs)
    with pytest.raises(CannotRecoverError, match="ended with code 64"):
        list_of(story, story.at, places, External(f"'{program}' nonsense", "false", theirs.binaries))
    with pytest.raises(CannotRecoverError, match="could not be started"):
        list_of(story, story.at, places, External("/no/such/program", "false", theirs.binaries))
    assert is_clean(places)


def test_old_backups_go_with_the_wal_that_they_alone_needed(story, apart):
    story.keep()
    second = story.kept.folder.take(story.kept.url(), label="second")
    shutil.copytree(story.kept.folder.base / second.label, apart.base / second.label)
    shutil.copy(story.kept.folder.base / f"{second.label}.json", apart.base)
    assert apart.remove_old(now=second.ended_at + timedelta(days=6), days=7) == []
    assert apart.remove_old(now=second.ended_at + timedelta(days=8), days=7) == [story.backup]
    assert apart.listed() == [second]
    assert apart.remove_old(now=second.ended_at + timedelta(days=99), days=7) == [], "the newest stays"
    assert all(name >= second.first_segment for name in apart.segments())


def test_a_server_that_keeps_no_wal_gives_no_backup(tmp_path):
    folder = Folder(tmp_path, Path("/none"))
    with pytest.raises(CannotBackUpError, match="was started without"):
        folder.take(os.environ["RESTAGE_WAREHOUSE_URL"], label="x")
    assert folder.listed() == []


def keep(folder: Path, segment: Path, *, free: int = 1) -> int:
    shutil.copy(archiving.SCRIPT, folder)
    return subprocess.run(["sh", str(folder / "keep_wal.sh"), str(segment), segment.name, str(free)]).returncode


def test_a_segment_is_kept_whole_once_and_never_another_under_its_name(tmp_path):
    folder, segment = tmp_path / "it's kept", tmp_path / "000000010000000000000001"
    folder.mkdir()
    segment.write_bytes(b"wal" * 1000)
    assert keep(folder, segment) == 0, "no base backup has begun: nothing is kept"
    (folder / "wal").mkdir()
    (folder / "wal" / f".{segment.name}.part").write_bytes(b"half of it")
    assert keep(folder, segment) == 0
    assert (folder / "wal" / segment.name).read_bytes() == segment.read_bytes()
    assert keep(folder, segment) == 0, "a death before the server noted it"
    segment.write_bytes(b"another")
    assert keep(folder, segment) != 0
    assert [path.name for path in (folder / "wal").iterdir()] == [segment.name]


def test_on_a_full_disk_the_server_goes_before_its_copy(tmp_path):
    (tmp_path / "wal").mkdir()
    segment = tmp_path / "000000010000000000000001"
    segment.write_bytes(b"wal")
    assert keep(tmp_path, segment, free=1 << 40) == 0
    assert (tmp_path / "wal" / "given_up").read_text() == f"{segment.name}\n"
    assert not (tmp_path / "wal" / segment.name).exists()
