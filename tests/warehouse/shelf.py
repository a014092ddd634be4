"""Archives in tests: make a set as of any moment, judge, clean up, count what lies there."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from tests.house import House
from warehouse import archive_holds, archive_judging, archive_removal, archive_sets, archiving
from warehouse.archive_sets import Part
from warehouse.journal import Writer

NOW = datetime(2026, 9, 15, 12, tzinfo=UTC)  # of cleanups: a month that is over


class Shelf:
    def __init__(self, house: House) -> None:
        self.house = house

    def keep(self, run: UUID, at: datetime, *, days: int = 90, kind: str = "archive", job: UUID | None = None) -> UUID:
        """Archive what a run owns of visits, as if at that moment."""
        with self.house.connection.transaction():
            return archiving.archive(
                self.house.connection,
                self.house.registry,
                run,
                ["visits"],
                reason="a test",
                expires_at=at + timedelta(days=days),
                writer=Writer(job or uuid4(), 1, "operator"),
                kind=kind,
                now=at,
            ).set_id

    def part(self, set_id: UUID) -> Part:
        (part,) = archive_sets.parts(self.house.connection, [set_id])
        return part

    def rows(self, set_id: UUID) -> int:
        return len(self.house.connection.execute(archive_sets.rows_of(self.part(set_id))).fetchall())

    def verdicts(self, now: datetime = NOW, older_than: int | None = None) -> dict[UUID, str]:
        found = archive_judging.judge(self.house.connection, self.house.registry, now=now, older_than=older_than)
        return {verdict.facts.set_id: verdict.code for verdict in found}

    def clean(
        self, *sets: UUID, now: datetime = NOW, job: UUID | None = None, epoch: int = 1, older_than: int | None = None
    ) -> dict[str, Any]:
        return archive_removal.execute(
            self.house.connection,
            self.house.registry,
            Writer(job or uuid4(), epoch, "operator"),
            sets=sets,
            now=now,
            older_than=older_than,
        )

    def hold(self, set_id: UUID) -> int:
        return archive_holds.HOLDS.place(self.house.connection, set_id, reason="a case", actor="operator")

    def partitions(self) -> list[str]:
        found = self.house.connection.execute(
            "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid"
            " WHERE i.inhparent = 'stg.visits_archive'::regclass ORDER BY 1"
        )
        return [name for (name,) in found]
