"""Archive sets for tests, as an archiving leaves them: rows in the archive tables, and the catalogue."""

from datetime import UTC, datetime
from uuid import UUID, uuid4

from psycopg import sql
from psycopg.types.json import Jsonb

from tests.house import House
from warehouse import archive_tables, drift, names
from warehouse.journal import Writer
from warehouse.registry import Extract
from warehouse.restoring import Wish, execute, preview


def archive(house: House, run: UUID, *tables: str, at: datetime | None = None) -> UUID:
    """Copy what the run owns now in these tables (visits) into a set."""
    set_id, connection = uuid4(), house.connection
    chosen = [house.registry.of_table(table) for table in tables or ("visits",)]
    for extract in chosen:
        archive_tables.make_ahead(connection, extract, datetime.now(UTC))
    with connection.transaction():
        connection.execute(
            "INSERT INTO restage.archive_sets (set_id, load_run_id, kind, reason, archived_by, archived_at, expires_at)"
            " VALUES (%s, %s, 'archive', 'a test', 'keeper', coalesce(%s, now()), now() + interval '90 days')",
            [set_id, run, at],
        )
        for extract in chosen:
            _part(house, extract, set_id, run)
    return set_id


def _part(house: House, extract: Extract, set_id: UUID, run: UUID) -> None:
    connection, archive_of = house.connection, archive_tables.table(extract)
    kept = [c.name for c in (*extract.staged, *extract.staging_only)] + ["load_run_file_id", "load_ts"]
    only = ["load_run_file_id", "load_ts", *(c.name for c in extract.staging_only)]
    targets = drift.targets_of(connection, names.staging(extract)).values()
    (version,) = connection.execute(
        "SELECT count(*) + 1 FROM restage.archive_parts WHERE table_name = %s AND load_run_id = %s",
        [extract.table, run],
    ).fetchone() or (1,)
    parts = {
        "archive": archive_of,
        "columns": names.columns(["row_hash", *kept]),
        "stg": names.staging(extract),
        "run": sql.Literal(run),
        "set": sql.Literal(set_id),
        "version": sql.Literal(version),
        "table": sql.Literal(extract.table),
        "only": names.columns(only, of="a"),
        "as_was": sql.Literal(Jsonb([{"name": t.name, "type": t.type, "not_null": t.not_null} for t in targets])),
    }
    connection.execute(
        sql.SQL(
            "INSERT INTO {archive} ({columns}, archived_at, archived_load_run_id, archive_reason, archive_version)"
            " SELECT {columns}, (SELECT archived_at FROM restage.archive_sets WHERE set_id = {set}), {run}, 'a test',"
            " {version} FROM {stg} WHERE load_run_file_id IN"
            " (SELECT load_run_file_id FROM etl.load_run_files WHERE load_run_id = {run})"
        ).format(**parts)
    )
    connection.execute(
        sql.SQL(
            "INSERT INTO restage.archive_parts (set_id, table_name, load_run_id, archive_version, archived_at, rows,"
            " bytes, checksum, columns, fingerprint) SELECT {set}, {table}, {run}, {version}, s.archived_at,"
            " count(a.row_hash), 0,"
            " coalesce(sum(a.row_hash::numeric + hash_record_extended(ROW({only}), 0)) FILTER (WHERE a.row_hash IS NOT"
            " NULL), 0), {as_was}, 'x' FROM restage.archive_sets s LEFT JOIN {archive} a"
            " ON a.archived_at = s.archived_at AND a.archived_load_run_id = {run} AND a.archive_version = {version}"
            " WHERE s.set_id = {set} GROUP BY s.archived_at"
        ).format(**parts)
    )


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
