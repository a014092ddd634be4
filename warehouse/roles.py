"""What the roles of Restage may do in the warehouse: the web process reads, a worker writes, who seals does neither.

Statements for whoever owns the warehouse's tables; each can be run again, and takes away what is not granted any more.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import psycopg
from psycopg import sql
from psycopg.sql import SQL, Composed, Identifier

from warehouse import archive_tables, side_tables
from warehouse.registry import Registry

DATA = ("etl", "raw", "stg", "restage")
OWN = ("restage_build", side_tables.SCHEMA)  # what is made there and dropped is the worker's own
# What people do on a page has its effect, or its note, here at once.
WEB_WRITES = (
    *("archive_expiries", "archive_holds", "archive_parts", "archive_retention", "archive_sets", "archive_uses"),
    *("failed_tries", "proofs", "source_checks", "stale_core", "suspensions", "suspends_itself"),
)
WEB_ADDS = ("effects",)


@dataclass(frozen=True)
class Names:
    """The roles, all beginning with `prefix`."""

    prefix: str = "restage"

    @property
    def web(self) -> str:
        return f"{self.prefix}_web"

    @property
    def exec(self) -> str:
        return f"{self.prefix}_exec"

    @property
    def seal(self) -> str:
        return f"{self.prefix}_seal"

    @property
    def owner(self) -> str:
        return f"{self.prefix}_owner"

    @property
    def all(self) -> tuple[str, ...]:
        return (self.web, self.exec, self.seal, self.owner)


def creation(names: Names) -> Iterator[Composed]:
    """Of the roles, where they are not there; without a password, so that nobody can log in as one yet."""
    for name in names.all:
        yield SQL(
            "DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = {literal})"
            " THEN CREATE ROLE {role} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE; END IF; END $$"
        ).format(literal=sql.Literal(name), role=Identifier(name))
    yield _membership(names.owner, names.exec)
    for name in (names.web, names.exec):  # whose session holds a lock, and how long a statement takes
        yield _membership(name, "pg_read_all_stats")
    yield _membership(names.exec, "pg_read_all_settings")  # where the server's disk is, to ask how much room there is


def _membership(role: str, of: str) -> Composed:
    """Only where it is not there: of the whole server, and another session may be at it."""
    return SQL(
        "DO $$ BEGIN IF NOT pg_has_role({literal}, {of}, 'MEMBER') THEN GRANT {group} TO {role}; END IF; END $$"
    ).format(literal=sql.Literal(role), of=sql.Literal(of), group=Identifier(of), role=Identifier(role))


def statements(connection: psycopg.Connection, registry: Registry, names: Names) -> list[Composed]:
    """The grants in this warehouse, which must fulfil the contract (`warehouse apply`)."""
    there = connection.execute(
        "SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE n.nspname = ANY(%s) AND c.relkind IN ('r', 'p') ORDER BY 1, 2",
        [[*DATA, *OWN]],
    ).fetchall()
    return [
        *_nothing(names),
        *_reading(names),
        *_web(names, {table for space, table in there if space == "restage"}),
        *_exec(names),
        *_owned(connection, registry, names, [table for table in there if table[0] in OWN]),
    ]


def _nothing(names: Names) -> Iterator[Composed]:
    for role in (names.web, names.exec, names.seal):
        for space in (*DATA, *OWN):
            parts = {"space": Identifier(space), "role": Identifier(role)}
            for what in ("ALL TABLES", "ALL SEQUENCES"):
                yield SQL("REVOKE ALL ON {what} IN SCHEMA {space} FROM {role}").format(what=SQL(what), **parts)
            yield SQL("REVOKE ALL ON SCHEMA {space} FROM {role}").format(**parts)


def _reading(names: Names) -> Iterator[Composed]:
    roles = SQL(", ").join(map(Identifier, (names.web, names.exec)))
    for space in (*DATA, *OWN):
        yield SQL("GRANT USAGE ON SCHEMA {} TO {}").format(Identifier(space), roles)
        yield SQL("GRANT SELECT ON ALL TABLES IN SCHEMA {} TO {}").format(Identifier(space), roles)
    for space in ("stg", *OWN):  # months of archives, tables aside
        yield SQL("ALTER DEFAULT PRIVILEGES FOR ROLE {} IN SCHEMA {} GRANT SELECT ON TABLES TO {}").format(
            Identifier(names.exec), Identifier(space), Identifier(names.web)
        )


def _web(names: Names, there: set[str]) -> Iterator[Composed]:
    for tables, rights in ((WEB_WRITES, "INSERT, UPDATE, DELETE"), (WEB_ADDS, "INSERT")):
        for table in tables:
            if table in there:
                yield SQL("GRANT {} ON restage.{} TO {}").format(SQL(rights), Identifier(table), Identifier(names.web))
    yield SQL("GRANT USAGE ON ALL SEQUENCES IN SCHEMA restage TO {}").format(Identifier(names.web))


def _exec(names: Names) -> Iterator[Composed]:
    role = Identifier(names.exec)
    for space in DATA:
        yield SQL("GRANT INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {} TO {}").format(Identifier(space), role)
        yield SQL("GRANT USAGE ON ALL SEQUENCES IN SCHEMA {} TO {}").format(Identifier(space), role)
    for space in ("stg", *OWN):
        yield SQL("GRANT CREATE ON SCHEMA {} TO {}").format(Identifier(space), role)


def _owned(
    connection: psycopg.Connection, registry: Registry, names: Names, tables: list[tuple[str, str]]
) -> Iterator[Composed]:
    """Months are made, detached and dropped by who owns the archive's table; tables aside by who made them."""
    for space, table in tables:
        yield _given(names, Identifier(space, table))
    for extract in registry.extracts:
        archive = archive_tables.table(extract)
        parts = connection.execute(
            "SELECT n.nspname, c.relname FROM pg_partition_tree(to_regclass(%s)) t JOIN pg_class c ON c.oid = t.relid"
            " JOIN pg_namespace n ON n.oid = c.relnamespace ORDER BY t.level, 2",
            [archive.as_string(connection)],
        ).fetchall()
        for space, table in parts:
            yield _given(names, Identifier(space, table))


def _given(names: Names, table: Identifier) -> Composed:
    return SQL("ALTER TABLE {} OWNER TO {}").format(table, Identifier(names.exec))
