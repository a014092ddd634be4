"""Archive sets and a cold tier, for tests."""

from datetime import timedelta
from pathlib import Path
from uuid import UUID, uuid4

from django.utils import timezone
from psycopg import sql

from tests.house import House, row
from warehouse import archive_sets, archiving, cooling, journal
from warehouse.archive_sets import Part
from warehouse.cold_manifest import Secrets
from warehouse.cold_sealing import Tier
from warehouse.cold_store import Store
from warehouse.journal import Writer

SECRETS = Secrets.of("a secret of the tests")


def tier(folder: Path | str) -> Tier:
    return Tier(Store(str(folder)), SECRETS)


def keep(house: House, run: UUID, *tables: str) -> UUID:
    """Archive what the run owns, hot; gives the set."""
    writer = Writer(uuid4(), 1, "operator")
    with house.connection.transaction():
        made = archiving.archive(
            house.connection,
            house.registry,
            run,
            tables or ("visits",),
            reason="to be kept",
            expires_at=timezone.now() + timedelta(days=90),
            writer=writer,
        )
    return made.set_id


def kept(house: House, *rows: tuple[str, ...]) -> UUID:
    """Deliver these visits (two of no interest, if none) and archive their run."""
    return keep(house, house.deliver("20260105", *(rows or (row("1", note="one"), row("2")))))


def cool(
    house: House, tier: Tier, set_id: UUID, *, drop_hot: bool = False, job: UUID | None = None, epoch: int = 1, **more
):
    writer = Writer(job or uuid4(), epoch, "operator")
    return cooling.cool(house.connection, house.registry, tier, set_id, writer, drop_hot=drop_hot, **more)


def part_of(house: House, set_id: UUID, table: str = "visits") -> Part:
    found = archive_sets.part(house.connection, set_id, table)
    assert found
    return found


def hot_rows(house: House, set_id: UUID, table: str = "visits") -> list[tuple[str]]:
    """The rows in the archive table, as text, in order."""
    part = part_of(house, set_id, table)
    return _rows(house, archive_sets.rows_of(part))


def rows_in(house: House, table: sql.Identifier, names: list[str]) -> list[tuple[str]]:
    columns = sql.SQL(", ").join(map(sql.Identifier, names))
    return _rows(house, sql.SQL("SELECT {} FROM {}").format(columns, table))


def _rows(house: House, query: sql.Composable) -> list[tuple[str]]:
    found = house.connection.execute(sql.SQL("SELECT q::text FROM ({}) q ORDER BY 1").format(query))
    return found.fetchall()


def files(folder: Path) -> dict[str, bytes]:
    """Every file below the folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def writer(house: House) -> Writer:
    made = Writer(uuid4(), 1, "operator")
    journal.raise_fence(house.connection, made)
    return made
