"""Whatever happens in whatever order, staging is the fold of raw. The oracle here is written in Python, apart from
the SQL: raw rows as delivered, who is live, and the order of precedence.
"""

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import date, timedelta
from uuid import UUID, uuid4

import psycopg
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.archived import archive, restore
from tests.house import House, Row, row
from tests.warehouse.oracle import Values, fold
from warehouse import attempts, rollback, undoing, unpinning, verification
from warehouse.journal import Writer
from warehouse.reprocess import FileFailedError, Work
from warehouse.restoring import CannotRestoreError
from warehouse.rollback import Expected
from warehouse.undoing import CannotRollBackError, Undo

PARTS, SEQUENCES = 4, 50  # so many tests of so many sequences, that can run beside each other
STEPS = 8

VISITS = st.sampled_from(["1", "2", "3", "4", "5", " 2 ", ""])
FEES = st.sampled_from(["1", "2", "3.5", "", "x"])
UPDATED = st.sampled_from(["", "2026-01-01 10:00", "2026-01-02 10:00", "2026-02-30 00:00"])
ROWS = st.lists(st.builds(row, VISITS, fee=FEES, updated=UPDATED), max_size=8)
State = tuple[str, list[Row], UUID]  # day, rows, head run


STAGED = """SELECT s.visit_id, s.fee::text, coalesce(to_char(s.updated_at, 'YYYY-MM-DD HH24:MI'), ''), s.reviewed_by,
    f.load_run_file_id FROM stg.visits s JOIN etl.load_run_files f USING (load_run_file_id)"""
OWNERS = """SELECT load_run_file_id, to_char(restage.extracted_at(date_extracted), 'YYYYMMDD'),
    coalesce(original_load_run_file_id, load_run_file_id), superseded_at IS NULL FROM etl.load_run_files"""


def machine(url: str, registry, folder) -> type[RuleBasedStateMachine]:
    """`url`: an adopted warehouse that is this machine's alone; every sequence begins by emptying it."""

    @contextmanager
    def house():
        with psycopg.connect(url, autocommit=True) as connection:
            yield House(connection, registry, folder)

    class Warehouse(RuleBasedStateMachine):
        @initialize()
        def open(self):
            self.connection = psycopg.connect(url, autocommit=True)
            self.house = House(self.connection, registry, folder)
            self.house.empty()
            self.live: dict[int, State] = {}
            self.jobs: list[tuple[UUID, dict[int, State]]] = []  # oldest first; of each file its state before
            self.sets: list[tuple[UUID, dict[str, tuple[Values, str | None, int]]]] = []  # visit → row, owner
            self.pins: dict[str, tuple[Values, str, UUID]] = {}  # visit → values, as of which day, by which restore
            self.restored: set[str] = set()
            self.without_raw: set[UUID] = set()  # jobs that deleted the raw records of what they replaced

        def raw_says(self):
            return fold([(day, order, rows) for order, (day, rows, _run) in self.live.items()])

        def beat_pins(self):
            """Whatever has published: a later record that counts takes the pin of its key away."""
            best = self.raw_says()
            self.pins = {v: pin for v, pin in self.pins.items() if v not in best or best[v][0][0] <= pin[1]}

        def due(self):
            found = {visit: values for visit, (_rank, values) in self.raw_says().items()}
            return found | {visit: values for visit, (values, _day, _job) in self.pins.items()}

        def standing(self):
            """visit → (values, reviewed by, rank), as staging has it."""
            owners, found = self.owners(), {}
            for visit, fee, updated, own, file in self.connection.execute(STAGED).fetchall():
                day, order, counts = owners[file]
                found[visit] = ((fee, updated), own, (day, updated, order, counts, file))
            return found

        @rule(rows=ROWS, day=st.integers(0, 5))
        def deliver(self, rows, day):
            order, text = self.next_file(day)
            run = self.house.deliver(text, *rows, org=f"o{order}")
            self.live[order] = (text, rows, run)
            self.beat_pins()

        def next_file(self, day):
            return len(self.live) + 1, (date(2026, 1, 1) + timedelta(days=day)).strftime("%Y%m%d")

        def publish(self, orders, *, rewrite=False, delete_raw=False, quarantine=False):
            """Reprocess (or quarantine) these files as one job, exactly as its preview says."""
            former = {order: self.live[order] for order in orders}
            runs = [run for _day, _rows, run in former.values()]
            files = {k: v for run in runs for k, v in self.house.work(run).files.items()}
            work = Work(files=files, rewrite=rewrite, delete_raw=delete_raw)
            work = Work(quarantine=tuple(files)) if quarantine else work
            preview = self.house.prepare(work)
            job, outcome = self.house.reprocess(runs[0], work=work, expected=preview.diffs)
            for order, (day, _old, run) in former.items():
                self.live[order] = (day, self.written[order], UUID(outcome["load_runs"][str(run)]))
            self.jobs.append((job, former))
            self.without_raw |= {job} if delete_raw else set()
            self.beat_pins()

        def rewrite(self, data, orders):
            self.written = {order: data.draw(ROWS) for order in orders}
            for order, rows in self.written.items():
                self.house.write(self.live[order][0], *rows, org=f"o{order}")

        @precondition(lambda self: self.live)
        @rule(data=st.data())
        def reprocess(self, data):
            order = data.draw(st.sampled_from(sorted(self.live)))
            self.rewrite(data, [order])
            self.publish([order], rewrite=data.draw(st.booleans()), delete_raw=data.draw(st.booleans()))

        @precondition(lambda self: self.live)
        @rule(data=st.data())
        def quarantine(self, data):
            """Nothing of these files counts, until they are read anew or it is rolled back."""
            orders = data.draw(st.lists(st.sampled_from(sorted(self.live)), min_size=1, max_size=2, unique=True))
            self.written = {order: [] for order in orders}
            self.publish(orders, quarantine=True)

        @precondition(lambda self: len(self.live) > 1)
        @rule(data=st.data())
        def reprocess_several_runs(self, data):
            orders = data.draw(st.lists(st.sampled_from(sorted(self.live)), min_size=2, max_size=4, unique=True))
            self.rewrite(data, orders)
            self.publish(orders)

        @precondition(lambda self: len(self.live) > 1)
        @rule(data=st.data())
        def reprocess_in_waves(self, data):
            """Any split in any order ends where one job about all of it ends: the fold does not know of waves."""
            orders = data.draw(st.permutations(sorted(self.live)))
            first = data.draw(st.integers(1, len(orders) - 1))
            self.rewrite(data, orders)
            for wave in (orders[:first], orders[first:]):
                self.publish(wave)
                self.staging_is_the_fold()

        @precondition(lambda self: len(self.live) > 1)
        @rule(data=st.data(), rows=ROWS, day=st.integers(0, 5))
        def two_at_once(self, data, rows, day):
            """Two workers, or a worker and a loader, at files of the same keys: each comes through, in some order."""
            first, second = data.draw(st.permutations(sorted(self.live)))[:2]
            alone = [
                at
                for at, (job, former) in enumerate(self.jobs)
                if first not in former and job not in self.without_raw and len(self.on_top_of(at)) == 1
            ]
            other = data.draw(st.sampled_from(["reprocess", "deliver", *(["roll back"] if alone else [])]))
            self.rewrite(data, [first, second] if other == "reprocess" else [first])
            order, text = self.next_file(day)
            if other == "deliver":
                self.house.write(text, *rows, org=f"o{order}")
            acts = {
                "reprocess": lambda found: found.reprocess(self.live[second][2]),
                "deliver": lambda found: found.load().runs,
                "roll back": lambda found: found.roll_back(self.jobs[alone[-1]][0]),
            }
            with house() as here, house() as there, ThreadPoolExecutor(2) as pool:
                one = pool.submit(here.reprocess, self.live[first][2])
                two = pool.submit(acts[other], there)
            if other == "roll back":
                self.live |= self.jobs.pop(alone[-1])[1]
            for at, done in ((first, one.result()), (second, two.result())):
                if at == first or other == "reprocess":
                    day_of, _old, run = self.live[at]
                    self.jobs.append((done[0], {at: self.live[at]}))
                    self.live[at] = (day_of, self.written[at], UUID(done[1]["load_runs"][str(run)]))
            if other == "deliver":
                (loaded,) = two.result()
                self.live[order] = (text, rows, loaded.load_run_id)
            self.beat_pins()

        @precondition(lambda self: self.live)
        @rule(data=st.data())
        def fold_raw_again(self, data):
            """Whatever somebody did to the rows of a file: its raw records say what they are."""
            order = data.draw(st.sampled_from(sorted(self.live)))
            (attempt,) = attempts.of_runs(self.connection, [self.live[order][2]])
            file = attempt.load_run_file_id
            spoil = "UPDATE stg.visits SET fee = 99 WHERE load_run_file_id = %s AND visit_id <> ALL(%s)"
            if data.draw(st.booleans()):
                spoil = "DELETE FROM stg.visits WHERE load_run_file_id = %s AND visit_id <> ALL(%s)"
            self.connection.execute(spoil, [file, list(self.pins)])
            # a row can be owned by an attempt before this one that had the same values: those are not spoilt
            job, _outcome = self.house.reprocess(self.live[order][2], work=Work(refold=(file,)))
            with pytest.raises(CannotRollBackError):
                self.house.roll_back(job)

        @precondition(lambda self: self.live)
        @rule(data=st.data(), rewrite=st.booleans())
        def refold(self, data, rewrite):
            _day, _rows, run = self.live[data.draw(st.sampled_from(sorted(self.live)))]
            work = Work(refold=tuple(self.house.work(run).files), rewrite=rewrite)
            preview = self.house.prepare(work)
            assert preview.diffs["visits"].counts.written == 0, "staging was the fold already"
            self.house.reprocess(run, work=work, expected=preview.diffs)

        @precondition(lambda self: self.live)
        @rule(data=st.data())
        def fail_to_reprocess(self, data):
            order = data.draw(st.sampled_from(sorted(self.live)))
            day, rows, run = self.live[order]
            path = self.house.write(day, org=f"o{order}")
            path.write_text("not,this,header\n")
            with pytest.raises(FileFailedError):
                self.house.reprocess(run)
            self.house.write(day, *rows, org=f"o{order}")

        def on_top_of(self, place):
            """The job at this place and all that build on it, by this model's own account, newest first."""
            found = {place}
            for later in range(place + 1, len(self.jobs)):
                if any(self.jobs[later][1].keys() & self.jobs[earlier][1].keys() for earlier in found):
                    found.add(later)
            return sorted(found, reverse=True)

        def bare(self, chain):
            """Whether an attempt that would count again has no raw records any more, though it had some."""
            first = {order: at for at in chain for order in self.jobs[at][1]}  # the earliest job of each file
            return any(self.jobs[at][0] in self.without_raw and self.jobs[at][1][o][1] for o, at in first.items())

        @precondition(lambda self: self.jobs)
        @rule(data=st.data())
        def roll_back(self, data):
            place = data.draw(st.integers(0, len(self.jobs) - 1))
            chain = self.on_top_of(place)
            jobs = [self.jobs[at][0] for at in chain]
            assert undoing.chain(self.connection, self.jobs[place][0]) == jobs
            if len(chain) > 1:
                with pytest.raises(CannotRollBackError):
                    self.house.roll_back(self.jobs[place][0])
            if self.bare(chain):
                with pytest.raises(CannotRollBackError, match="are gone"):
                    self.house.roll_back(*jobs)
                return
            before = rollback.preview(
                self.connection, self.house.registry, Undo(tuple(jobs)), Writer(uuid4(), 1, "operator")
            )
            self.house.roll_back(*jobs, expected=Expected(before.diffs, before.exact))
            for at in chain:
                self.live |= self.jobs[at][1]
            self.beat_pins()
            self.jobs = [entry for at, entry in enumerate(self.jobs) if at not in chain]

        @precondition(lambda self: self.live)
        @rule(data=st.data())
        def publish_and_take_back(self, data):
            """Where nothing comes between, that is identity on staging: owner, load time and own columns too."""
            orders = data.draw(st.lists(st.sampled_from(sorted(self.live)), min_size=1, max_size=3, unique=True))
            self.connection.execute("UPDATE stg.visits SET reviewed_by = 'Mere ' || visit_id WHERE reviewed_by IS NULL")
            staged = "SELECT * FROM stg.visits ORDER BY visit_id"
            before = self.connection.execute(staged).fetchall()
            kept, pinned = dict(self.live), dict(self.pins)
            jobs = data.draw(st.integers(1, 3))
            for _again in range(jobs):
                self.rewrite(data, orders)
                self.publish(orders)
            self.house.roll_back(*(job for job, _former in self.jobs[: -jobs - 1 : -1]))
            if self.pins == pinned:  # a pin that was beaten on the way does not come back
                assert self.connection.execute(staged).fetchall() == before
            self.live, self.jobs = kept, self.jobs[:-jobs]
            self.beat_pins()

        @precondition(lambda self: self.live)
        @rule(data=st.data())
        def archive(self, data):
            _day, _rows, run = self.live[data.draw(st.sampled_from(sorted(self.live)))]
            files = {a.load_run_file_id for a in attempts.of_runs(self.connection, [run])}
            owned = {visit: (*row, rank[-1]) for visit, (*row, rank) in self.standing().items() if rank[-1] in files}
            self.sets.append((archive(self.house, run), owned))

        @precondition(lambda self: self.sets)
        @rule(data=st.data(), on_newer=st.sampled_from(["skip", "overwrite", "fail"]), lose=st.booleans())
        def restore(self, data, on_newer, lose):
            """As this model has it who is newer; twice, of which the second time changes nothing."""
            kept, rows = self.sets[data.draw(st.integers(0, len(self.sets) - 1))]
            if lose:
                lost = [visit for visit in rows if visit not in self.pins][:2]
                self.connection.execute("DELETE FROM stg.visits WHERE visit_id = ANY(%s)", [lost])
            pins, newer = self.restoring(rows)
            if on_newer == "fail" and newer:
                with pytest.raises(CannotRestoreError):
                    restore(self.house, kept, on_newer=on_newer)
                on_newer = "skip"
            job = uuid4()
            outcome = restore(self.house, kept, job=job, on_newer=on_newer)["tables"]["visits"]
            assert outcome["newer"] == len(newer)
            for visit, as_of in pins.items():
                if visit not in newer or on_newer == "overwrite":
                    self.restored.add(visit)
                    self.pins.pop(visit, None)
                    self.pins |= {visit: (rows[visit][0], as_of, job)} if as_of else {}
            again = restore(self.house, kept, on_newer=on_newer)["tables"]["visits"]
            assert again["inserted"] == again["updated"] == 0
            if lose:  # what a newer owner should have there is missing still
                for _day, _rows, run in list(self.live.values()):
                    self.house.reprocess(run, work=Work(refold=tuple(self.house.work(run).files)))

        def restoring(self, rows):
            """Of each row that is not there already the day that it would be pinned with ("": the fold makes it); and
            which of them have a newer owner."""
            standing, best, owners = self.standing(), self.raw_says(), self.owners()
            pins, newer = {}, set()
            for visit, (values, own, owner) in rows.items():
                day, order, counts = owners[owner]
                mine, days = (day, values[1], order, counts, owner), [day]
                if visit in standing:
                    if standing[visit][:2] == (values, own):
                        continue
                    days.append(standing[visit][2][0])
                    newer |= {visit} if standing[visit][2] > mine else set()
                if visit in best:
                    rank, made = best[visit]
                    days.append(rank[0])
                    winner = self.attempt(rank)
                    theirs = (*rank[:2], owners[winner][1], True, winner)
                    newer |= {visit} if made != values and winner != owner and theirs > mine else set()
                pins[visit] = "" if visit in best and best[visit][1] == values else max(days)
            return pins, newer

        def attempt(self, rank):
            """The attempt that counts at the winner's file."""
            (found,) = attempts.of_runs(self.connection, [self.live[rank[2]][2]])
            return found.load_run_file_id

        def owners(self):
            """attempt → (day, file order, whether it counts)"""
            return {file: told for file, *told in self.connection.execute(OWNERS).fetchall()}

        @precondition(lambda self: self.pins)
        @rule(data=st.data())
        def unpin(self, data):
            job = data.draw(st.sampled_from(sorted({job for _values, _day, job in self.pins.values()})))
            writer = Writer(uuid4(), 1, "operator")
            seen = unpinning.preview(self.connection, self.house.registry, job, writer)
            unpinning.execute(self.connection, self.house.registry, job, writer, expected=seen.diffs)
            self.pins = {visit: pin for visit, pin in self.pins.items() if pin[2] != job}

        @invariant()
        def staging_is_the_fold(self):
            if not hasattr(self, "house"):
                return
            assert {visit: fee for visit, (fee, _note) in self.house.staged().items()} == {
                visit: fee for visit, (fee, _updated) in self.due().items()
            }
            verdict = verification.verify(self.connection, self.house.visits)
            assert (verdict.violations, verdict.pins) == (0, len(self.pins))
            # trap 18: an attempt that does not count any more names the one that does, and no other does so
            alike = "(superseded_at IS NULL) = (superseded_by_load_run_file_id IS NULL)"
            stray = "SELECT visit_id FROM stg.visits JOIN etl.load_run_files USING (load_run_file_id) WHERE status = %s"
            strays = {visit for (visit,) in self.connection.execute(stray, ["rolled_back"]).fetchall()}
            assert strays <= self.restored, "a restored row keeps the owner that it had"
            odd = f"SELECT FROM etl.load_run_files WHERE NOT ({alike})"
            assert self.connection.execute(odd.encode()).fetchall() == []

        def teardown(self):
            if hasattr(self, "connection"):
                self.connection.close()

    return Warehouse


def hold(url: str, registry, folder, sequences: int) -> None:
    """Raises AssertionError with the shortest sequence that does not hold."""
    run_state_machine_as_test(
        machine(url, registry, folder),
        settings=settings(
            max_examples=sequences,
            stateful_step_count=STEPS,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.mark.parametrize("part", range(PARTS))
def test_staging_is_the_fold_of_raw(warehouse_url, extracts, tmp_path, part):
    hold(warehouse_url, extracts, tmp_path / "deliveries", SEQUENCES)
