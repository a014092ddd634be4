"""A warehouse to measure on: a database of its own with a generated million of invented patients."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import psycopg
from psycopg import sql

from warehouse import adoption, connections, hashes, ingest, names, runs, sources
from warehouse.build import Workspace
from warehouse.registry import SHIPPED, Extract, Registry, load
from warehouse.runs import Arrival
from warehouse.sources import Address

SPACE = Workspace("bench")
EXTRACTS = Path(__file__).parent / "extracts"
EXTRACTED = datetime(2026, 11, 1, 0, 30, tzinfo=UTC)


class Ground:
    """`wide` is the extract of 222 columns, `typed` and its `twin` have 26; all are of patients."""

    def __init__(
        self, connection: psycopg.Connection, url: str, registry: Registry, folder: Path, home: Path, rows: int
    ) -> None:
        self.connection, self.url, self.registry, self.rows = connection, url, registry, rows
        self.folder, self.home = folder, home  # of the delivered files; of what outlives the measurement
        self.wide, self.typed, self.twin = registry["Patient"], registry["Registration"], registry["Transfer"]

    def count(self, query: str) -> int:
        (found,) = self.connection.execute(sql.SQL(query)).fetchone() or (0,)
        return int(found)

    def deliver(
        self, extract: Extract, name: str, *, rows: int | None = None, changed: int = 0, every: int = 1
    ) -> Address:
        """Write a file of `rows` patients; every `every`-th of them differs by `changed` from the others' file."""
        write_patients(self.folder / name, extract, rows or self.rows, changed=changed, every=every)
        return Address(str(self.folder), name)

    def keep_hashes(self, extract: Extract, *, kept: bool) -> None:
        """Whether others who write staging have their rows hashed: a baseline has no hashes to keep."""
        how = "ENABLE ALWAYS" if kept else "DISABLE"
        self.connection.execute(
            sql.SQL("ALTER TABLE {} {} TRIGGER {}").format(
                names.staging(extract), sql.SQL(how), sql.Identifier(hashes.TRIGGER)
            )
        )

    def attempt(self, extract: Extract, address: Address) -> int:
        """A file of a run of its own, in processing."""
        arrival = Arrival(address, extract.name, EXTRACTED, "1", "1", address.content())
        run: UUID = runs.begin(self.connection, "bench")
        file = runs.add_file(self.connection, run, arrival)
        assert file is not None
        return file

    def ingest(
        self, extract: Extract, address: Address, file: int, content: sources.Content | None = None
    ) -> ingest.Intake:
        """Read the file into raw as the attempt `file`; `content` as it was planned."""
        with self.connection.transaction():
            return ingest.copy(
                self.connection,
                address,
                extract,
                into=names.raw(extract),
                load_run_file_id=file,
                content=content or address.content(),
            )


def keep(connection: psycopg.Connection, name: str, query: sql.Composable) -> None:
    """Keep the rows of a query as restage_build.bench_<name>."""
    table = sql.Identifier("restage_build", f"bench_{name}")
    connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(table))
    connection.execute(sql.SQL("CREATE TABLE {} AS {}").format(table, query))
    connection.execute(sql.SQL("VACUUM ANALYZE {}").format(table))


def write_patients(path: Path, extract: Extract, rows: int, *, changed: int, every: int) -> None:
    """Invented patients in the wire format; one of a hundred has a date of birth (`dob`) that is no date."""
    names_in_order = [column.name for column in extract.columns]
    place = {name: position for position, name in enumerate(names_in_order)}
    form = extract.format
    filled = _template(extract)
    with path.open("w", encoding=form.encoding, newline="") as file:
        file.write("\ufeff")
        for number in range(rows):
            fields = list(filled)
            fields[place["patient_id"]] = str(number)
            fields[place["dob"]] = "unknown" if number % 100 == 99 else f"{1930 + number % 90}-0{number % 9 + 1}-15"
            fields[place["family_name"]] = f"Tidewell{number % 7919}"
            fields[place["nhi_number"]] = f"ZZZ{number % 10_000:04}"
            fields[place["chart_number"]] = f"{number:07}"
            if changed and number % every == 0:
                fields[place["occupation"]] = f"Kaiako {changed}"
            file.write(form.field_separator.join(fields) + form.record_separator)
    path.chmod(0o644)


def _template(extract: Extract) -> list[str]:
    """A plausible value for two of three columns: what a real file is filled with."""
    values: dict[str, str] = {
        "boolean": "1",
        "integer": "42",
        "bigint": "4242",
        "date": "2020-05-17",
        "timestamp": "2026-10-30 08:15:27.083",
        "timestamptz": "2026-10-30 08:15:27.083",
    }
    filled = []
    for position, column in enumerate(extract.columns):
        given = values.get(column.type, "12.50" if column.type.startswith("numeric") else "Saltwind Road")
        filled.append(given if column.required or column.name in extract.natural_key or position % 3 else "")
    place = {column.name: position for position, column in enumerate(extract.columns)}
    for rule in extract.rules:
        filled[place[rule.column]] = str(rule.values[0]) if rule.rule == "enum" else ""
    for name, value in (("per_org_id", "1"), ("practice_id", "1")):
        filled[place[name]] = value
    return filled


@contextmanager
def ground(server: str, folder: Path, home: Path, rows: int) -> Iterator[Ground]:
    """An adopted warehouse in a database that lives as long as the block."""
    registry, name = load([SHIPPED, EXTRACTS]), f"bench_{uuid4().hex[:8]}"
    url = urlsplit(server)._replace(path=f"/{name}").geturl()
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        try:
            with connections.connect(url, purpose="bench") as connection:
                adoption.apply(connection, registry)
                yield Ground(connection, url, registry, folder, home, rows)
        finally:
            admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
