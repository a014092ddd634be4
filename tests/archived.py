"""Archive sets for tests, and their restores, on the warehouse alone."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from tests.house import House
from warehouse import archiving
from warehouse.journal import Writer
from warehouse.restoring import Wish, execute, preview


def archive(house: House, run: UUID, *tables: str, at: datetime | None = None) -> UUID:
    """Archive what the run owns now in these tables (visits); gives the set."""
    until = datetime.now(UTC) + timedelta(days=90)
    writer = Writer(uuid4(), 1, "keeper")
    with house.connection.transaction():
        made = archiving.archive(
            *(house.connection, house.registry, run, tables or ("visits",)),
            reason="a test",
            expires_at=until,
            writer=writer,
            now=at,
        )
    return made.set_id


def restore(house: House, set_id: UUID, *, job: UUID | None = None, epoch: int = 1, agreed: bool = True, **wish):
    """Restore as its preview says (`agreed`); gives the outcome."""
    wanted = Wish(set_id, **wish)
    expected = look(house, set_id, **wish).classes if agreed else None
    writer = Writer(job or uuid4(), epoch, "operator")
    return execute(house.connection, house.registry, wanted, writer, expected=expected)


def look(house: House, set_id: UUID, **wish):
    """The dry run; the set is not in use any more afterwards."""
    writer = Writer(uuid4(), 1, "operator")
    found = preview(house.connection, house.registry, Wish(set_id, **wish), writer)
    house.connection.execute("DELETE FROM restage.archive_uses WHERE job_id = %s", [writer.job_id])
    return found
