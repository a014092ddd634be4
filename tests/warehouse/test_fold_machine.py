"""Whatever happens in whatever order, staging is the fold of raw. The oracle here is written in Python, apart from
the SQL: raw rows as delivered, who is live, and the order of precedence.
"""

from dataclasses import replace
from datetime import date, timedelta
from uuid import UUID

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

from tests.conftest import database
from tests.house import House, Row, new_run, row
from warehouse.reprocess import FileFailedError, Work
from warehouse.rollback import CannotRollBackError

VISITS = st.sampled_from(["1", "2", "3", "4", "5", " 2 ", ""])
FEES = st.sampled_from(["1", "2", "3.5", "", "x"])
UPDATED = st.sampled_from(["", "2026-01-01 10:00", "2026-01-02 10:00", "2026-02-30 00:00"])
ROWS = st.lists(st.builds(row, VISITS, fee=FEES, updated=UPDATED), max_size=8)
BAD = {"x", "2026-02-30 00:00"}


def fold(files: list[tuple[str, int, list[Row]]]) -> dict[str, str | None]:
    """visit → fee, of live (day, file order, rows)."""
    best: dict[str, tuple[tuple[str, str, int, int], str]] = {}
    for day, order, rows in files:
        for place, (visit, _seen, fee, _note, updated) in enumerate(rows):
            if not visit.strip() or BAD & {fee, updated}:
                continue
            rank = (day, updated, order, place)
            if visit.strip() not in best or best[visit.strip()][0] < rank:
                best[visit.strip()] = (rank, fee)
    return {visit: f"{float(fee):.2f}" if fee else None for visit, (_rank, fee) in best.items()}


def machine(template: str, registry, folder) -> type[RuleBasedStateMachine]:
    class Warehouse(RuleBasedStateMachine):
        @initialize()
        def open(self):
            self.database = database(template)
            self.connection = psycopg.connect(self.database.__enter__(), autocommit=True)
            self.house = House(self.connection, registry, folder / self.connection.info.dbname)
            self.live: dict[int, tuple[str, list[Row], UUID]] = {}  # order → day, rows, head run
            self.jobs: list[tuple[UUID, int, tuple[str, list[Row], UUID]]] = []

        @rule(rows=ROWS, day=st.integers(0, 5))
        def deliver(self, rows, day):
            order = len(self.live) + 1
            text = (date(2026, 1, 1) + timedelta(days=day)).strftime("%Y%m%d")
            run = self.house.deliver(text, *rows, org=f"o{order}")
            self.live[order] = (text, rows, run)

        @precondition(lambda self: self.live)
        @rule(data=st.data(), rows=ROWS)
        def reprocess(self, data, rows):
            order = data.draw(st.sampled_from(sorted(self.live)))
            former = self.live[order]
            day, _old, run = former
            self.house.write(day, *rows, org=f"o{order}")
            work = replace(self.house.work(run), rewrite=data.draw(st.booleans()))
            preview = self.house.prepare(work)
            job, outcome = self.house.reprocess(run, work=work, expected=preview.diffs)
            self.live[order] = (day, rows, new_run(outcome))
            self.jobs.append((job, order, former))

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

        @precondition(lambda self: self.jobs)
        @rule(data=st.data())
        def roll_back(self, data):
            job, order, former = data.draw(st.sampled_from(self.jobs))
            newest = [j for j, o, _f in self.jobs if o == order][-1]
            if job is newest:
                self.house.roll_back(job)
                self.live[order] = former
                self.jobs = [entry for entry in self.jobs if entry[0] is not job]
            else:
                with pytest.raises(CannotRollBackError):
                    self.house.roll_back(job)

        @invariant()
        def staging_is_the_fold(self):
            if not hasattr(self, "house"):
                return
            due = fold([(day, order, rows) for order, (day, rows, _run) in self.live.items()])
            assert {visit: fee for visit, (fee, _note) in self.house.staged().items()} == due
            assert self.house.violations() == 0
            # trap 18: an attempt that does not count any more names the one that does, and no other does so
            alike = "(superseded_at IS NULL) = (superseded_by_load_run_file_id IS NULL)"
            odd = f"SELECT FROM etl.load_run_files WHERE NOT ({alike})"
            assert self.connection.execute(odd.encode()).fetchall() == []

        def teardown(self):
            if hasattr(self, "connection"):
                self.connection.close()
                self.database.__exit__(None, None, None)

    return Warehouse


def test_staging_is_the_fold_of_raw(template, extracts, tmp_path):
    run_state_machine_as_test(
        machine(template, extracts, tmp_path),
        settings=settings(
            max_examples=12, stateful_step_count=12, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
