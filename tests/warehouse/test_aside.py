"""What a job reads and builds aside: in chunks, taken up where a dead worker stopped, and gone at the end."""

from uuid import UUID, uuid4

import pytest

from tests.house import House, row
from warehouse import aside, ingest, journal, reprocess
from warehouse.journal import LostFenceError, Writer
from warehouse.progress import Progress

ROWS = [row(str(number), fee=str(number)) for number in range(200)]


class Died(BaseException):
    """The worker is gone, without a word."""


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch):
    monkeypatch.setattr(ingest, "BLOCK_CHARACTERS", 400)
    monkeypatch.setattr(aside, "CHUNK_SECONDS", 0.0)


def dying_after(chunks: int):
    """Told of progress, die in the transaction of the chunk after so many."""
    seen = []

    def told(said: Progress) -> None:
        if said.what.startswith("read"):
            seen.append(said)
            if len(seen) > chunks:
                raise Died

    return told


def execute(house: House, run: UUID, job: UUID, epoch: int, told=lambda said: None):
    return reprocess.execute(
        house.connection,
        house.registry,
        house.work(run),
        Writer(job, epoch, "operator"),
        reason="logic changed",
        expected=None,
        told=told,
    )


def aside_rows(house: House, job: UUID) -> int:
    name = f"visits_raw_{journal.tag_of(job)}"
    (found,) = house.connection.execute(f"SELECT count(*) FROM restage_build.{name}".encode()).fetchone() or (0,)
    return int(found)


def left(house: House) -> int:
    (found,) = house.connection.execute(
        "SELECT (SELECT count(*) FROM pg_tables WHERE schemaname = 'restage_build')"
        " + (SELECT count(*) FROM restage.aside_notes)"
    ).fetchone() or (0,)
    return int(found)


@pytest.fixture
def run(house: House) -> UUID:
    made = house.deliver("20260105", row("0"))
    house.write("20260105", *ROWS, row("bad", fee="x"), ("too", "short"))
    return made


def test_a_later_worker_goes_on_at_the_next_chunk(house: House, run, monkeypatch):
    job = uuid4()
    with pytest.raises(Died):
        execute(house, run, job, 1, dying_after(3))
    before = aside_rows(house, job)
    assert 0 < before < len(ROWS)
    copied, real = [], ingest._blocks

    def counting(*arguments):
        for block in real(*arguments):
            copied.append(block.count("\n"))
            yield block

    monkeypatch.setattr(ingest, "_blocks", counting)
    outcome = execute(house, run, job, 2)
    assert sum(copied) == len(ROWS) + 1 - before, "what had been read is not read again"
    assert outcome["tables"]["visits"]["records"] == len(ROWS) + 1
    assert len(house.staged()) == len(ROWS)
    assert house.violations() == left(house) == 0
    refused = house.connection.execute("SELECT stage FROM restage.rejections ORDER BY stage").fetchall()
    assert refused == [("read",), ("transform",)]


def test_a_worker_that_dies_at_every_chunk_still_gets_there(house: House, run):
    job = uuid4()
    for epoch in range(1, 100):
        try:
            execute(house, run, job, epoch, dying_after(1))
            break
        except Died:
            continue
    assert 3 < epoch < 99
    assert len(house.staged()) == len(ROWS)
    assert house.violations() == left(house) == 0


def test_a_file_that_has_changed_takes_its_chunks_with_it(house: House, run):
    job, work = uuid4(), house.work(run)
    house.write("20260105", *ROWS, row("another"))
    writer = Writer(job, 1, "operator")
    journal.raise_fence(house.connection, writer)
    prepared = reprocess.prepare(house.connection, house.registry, work, writer)
    assert "has changed since it was planned" in next(iter(prepared.failed.values()))
    assert aside_rows(house, job) == 0


def test_what_a_crash_of_the_server_empties_is_read_again(house: House, run):
    job = uuid4()
    with pytest.raises(Died):
        execute(house, run, job, 1, dying_after(3))
    house.connection.execute(f"TRUNCATE restage.aside_notes, restage_build.visits_raw_{journal.tag_of(job)}".encode())
    execute(house, run, job, 2)
    assert len(house.staged()) == len(ROWS)
    assert house.violations() == 0


def test_the_notes_are_emptied_by_what_empties_the_tables(house: House):
    kinds = house.connection.execute("SELECT relpersistence FROM pg_class WHERE relname = 'aside_notes'").fetchall()
    assert kinds == [("u",)]


def test_a_worker_that_was_overtaken_reads_no_further_chunk(house: House, run):
    job = uuid4()
    with pytest.raises(Died):
        execute(house, run, job, 1, dying_after(2))
    journal.raise_fence(house.connection, Writer(job, 2, "operator"))
    read = aside_rows(house, job)
    with pytest.raises(LostFenceError):
        execute(house, run, job, 1)
    assert aside_rows(house, job) == read


def test_a_run_takes_what_its_preview_has_built(house: House, run, monkeypatch):
    job = uuid4()
    writer = Writer(job, 1, "operator")
    journal.raise_fence(house.connection, writer)
    prepared = reprocess.prepare(house.connection, house.registry, house.work(run), writer)
    monkeypatch.setattr(ingest, "_blocks", None)  # to read a file again would fail
    outcome = reprocess.execute(
        house.connection,
        house.registry,
        house.work(run),
        Writer(job, 2, "operator"),
        reason="logic changed",
        expected=prepared.diffs,
    )
    assert outcome["tables"]["visits"] == prepared.diffs["visits"].as_json()
    assert house.violations() == left(house) == 0


def test_a_load_between_preview_and_run_has_it_built_again(house: House, run):
    writer = Writer(uuid4(), 1, "operator")
    journal.raise_fence(house.connection, writer)
    reprocess.prepare(house.connection, house.registry, house.work(run), writer)
    house.deliver("20260109", row("1", fee="999"), org="b")
    execute(house, run, writer.job_id, 2)
    assert house.staged()["1"][0] == "999.00", "the newer file's row stands"
    assert house.violations() == 0


def test_only_what_nobody_needs_is_swept(house: House, run):
    mine, other = uuid4(), uuid4()
    for job in (mine, other):
        with pytest.raises(Died):
            execute(house, run, job, 1, dying_after(1))
    assert aside.tags(house.connection) == {journal.tag_of(mine), journal.tag_of(other)}
    aside.sweep_tags(house.connection, {journal.tag_of(other)})
    assert aside.tags(house.connection) == {journal.tag_of(mine)}
    execute(house, run, mine, 2)
    assert house.violations() == left(house) == 0


def test_a_worker_that_dies_while_it_skips_takes_nothing_twice(house: House, run, monkeypatch):
    """What is skipped may take longer than a chunk: the note of how far the reading is never goes back."""
    job = uuid4()
    with pytest.raises(Died):
        execute(house, run, job, 1, dying_after(6))
    monkeypatch.setattr(ingest, "SKIPPED_AT_ONCE", 5)
    with pytest.raises(Died):
        execute(house, run, job, 2, dying_after(2))
    execute(house, run, job, 3)
    assert len(house.staged()) == len(ROWS)
    assert house.violations() == left(house) == 0


def test_a_file_that_was_another_while_its_first_chunks_were_read_is_read_anew(house: House, run):
    """Bound to the content as a whole, also where the content is right again for the rest of the file."""
    job, work = uuid4(), house.work(run)
    delivered = [*ROWS, row("bad", fee="x"), ("too", "short")]
    house.write("20260105", *(row(str(number), fee="7") for number in range(200)))
    writer = Writer(job, 1, "operator")
    journal.raise_fence(house.connection, writer)
    with pytest.raises(Died):
        reprocess.prepare(house.connection, house.registry, work, writer, dying_after(3))
    assert aside_rows(house, job) > 0
    house.write("20260105", *delivered)
    execute(house, run, job, 2)
    assert {visit: fee for visit, (fee, _note) in house.staged().items()} == {str(n): f"{n}.00" for n in range(200)}
    assert house.violations() == left(house) == 0
