"""Compares a warehouse with the contract (schema.py, functions.py) and extends it: additive and resumable."""

import hashlib
from dataclasses import dataclass

import psycopg
from psycopg import sql

from warehouse import figures_schema, functions, happenings, hashes, schema
from warehouse.errors import TellableError
from warehouse.registry import Extract, Registry

OLDEST_SERVER = 150000


class UnfitWarehouseError(TellableError):
    """This server or database cannot be a warehouse; the message says why. Nothing was changed."""


@dataclass(frozen=True)
class Step:
    """One missing object: `what` in words, `ddl` to make it. `alone`: outside a transaction (CONCURRENTLY)."""

    what: str
    ddl: str
    alone: bool = False


def missing(connection: psycopg.Connection, registry: Registry) -> list[Step]:
    """The steps that are still to be taken, in order; none when the warehouse fulfils the contract.

    Raises UnfitWarehouseError for a server older than PostgreSQL 15 or a column of another type.
    """
    version = connection.info.server_version
    if version < OLDEST_SERVER:
        raise UnfitWarehouseError(f"PostgreSQL {version // 10000} is too old: Restage needs 15 or newer.")
    found = _Catalogue.read(connection)
    steps = [Step(f"schema {name}", f"CREATE SCHEMA {name}") for name in schema.SCHEMAS if name not in found.schemas]
    steps += _definitions(functions.definitions(version), found)
    for name, columns in schema.ETL_TABLES.items():
        steps += _table_steps(schema.Table("etl", name, columns), found)
    for name, body in schema.RESTAGE_TABLES.items():
        if ("restage", name) not in found.columns:
            steps.append(Step(f"table restage.{name}", f"CREATE TABLE restage.{name} ({body})"))
    for name, body in schema.RESTAGE_UNLOGGED.items():
        if ("restage", name) not in found.columns:
            steps.append(Step(f"table restage.{name}", f"CREATE UNLOGGED TABLE restage.{name} ({body})"))
    for table in schema.data_tables(registry):
        steps += _table_steps(table, found)
    steps += _index_steps(found)
    steps += [step for extract in registry.extracts for step in _hash_steps(connection, extract, found)]
    for name, query in schema.views(registry).items():
        if tuple(name.split(".")) not in found.columns:
            steps.append(Step(f"view {name}", f"CREATE VIEW {name} AS {query.as_string(connection)}"))
    return steps + _trigger_steps(found)


def apply(connection: psycopg.Connection, registry: Registry) -> list[Step]:
    """Take every missing step and return them. Needs an autocommit connection; can be run again after any failure."""
    connection.execute("SET statement_timeout = 0")  # an index of a big table takes as long as it takes
    taken = missing(connection, registry)
    for step in taken:
        connection.execute(sql.SQL(step.ddl))
    with connection.transaction():
        for name, digest in _digests(functions.definitions(connection.info.server_version)).items():
            connection.execute(
                "INSERT INTO restage.applied VALUES (%s, %s) ON CONFLICT (name) DO UPDATE SET digest = excluded.digest",
                [name, digest],
            )
    return taken


@dataclass(frozen=True)
class _Catalogue:
    """What the database holds now."""

    schemas: frozenset[str]
    columns: dict[tuple[str, str], dict[str, str]]
    indexes: frozenset[str]
    # (schema, table, unique, its columns): whole-table indexes over plain columns, whatever their names
    over: frozenset[tuple[str, str, bool, tuple[str, ...]]]
    # what was made with which definition: name → digest
    applied: dict[str, str]
    # (table, trigger) → whether it fires; of a staging table: whether always
    triggers: dict[tuple[str, str], bool]

    @classmethod
    def read(cls, connection: psycopg.Connection) -> "_Catalogue":
        columns: dict[tuple[str, str], dict[str, str]] = {}
        for space, table, column, type_name in connection.execute(
            "SELECT n.nspname, c.relname, a.attname, format_type(a.atttypid, a.atttypmod)"
            " FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace"
            " WHERE n.nspname = ANY(%s) AND a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p', 'v')",
            [list(schema.SCHEMAS)],
        ):
            columns.setdefault((space, table), {})[column] = type_name
        applied: dict[str, str] = {}
        if ("restage", "applied") in columns:
            applied = dict(connection.execute("SELECT name, digest FROM restage.applied").fetchall())
        spaces = connection.execute("SELECT nspname FROM pg_namespace").fetchall()
        indexes = connection.execute(
            "SELECT schemaname || '.' || indexname FROM pg_indexes i JOIN pg_class c ON c.relname = i.indexname"
            " JOIN pg_index x ON x.indexrelid = c.oid AND x.indisvalid"
        ).fetchall()
        over = connection.execute(
            "SELECT n.nspname, t.relname, x.indisunique, array_agg(a.attname ORDER BY a.attname) FROM pg_index x"
            " JOIN pg_class t ON t.oid = x.indrelid JOIN pg_namespace n ON n.oid = t.relnamespace"
            " JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = ANY(x.indkey)"
            " WHERE x.indisvalid AND x.indpred IS NULL AND x.indexprs IS NULL AND n.nspname IN ('raw', 'stg')"
            " GROUP BY n.nspname, t.relname, x.indexrelid, x.indisunique"
        ).fetchall()
        return cls(
            frozenset(s for (s,) in spaces),
            columns,
            frozenset(i for (i,) in indexes),
            frozenset((space, table, unique, tuple(names)) for space, table, unique, names in over),
            applied,
            _triggers(connection),
        )

    def has_index(self, table: schema.Table, columns: str, *, unique: bool) -> bool:
        """Whether an index over just these columns ("a, b") is there; a unique one serves as any."""
        wanted = tuple(sorted(column.strip() for column in columns.split(",")))
        return any((table.schema, table.name, kind, wanted) in self.over for kind in {True, unique})


def _triggers(connection: psycopg.Connection) -> dict[tuple[str, str], bool]:
    found = connection.execute(
        "SELECT n.nspname || '.' || c.relname, t.tgname, CASE n.nspname WHEN 'stg' THEN t.tgenabled = 'A'"
        " ELSE t.tgenabled <> 'D' END FROM pg_trigger t"
        " JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE NOT t.tgisinternal AND n.nspname IN ('etl', 'stg')"
    ).fetchall()
    return {(table, name): fires for table, name, fires in found}


def _trigger_steps(found: _Catalogue) -> list[Step]:
    steps = []
    wanted = [(key, ddl, "tells the watcher") for key, ddl in happenings.TRIGGERS.items()]
    wanted += [(key, ddl, "keeps figures true") for key, ddl in figures_schema.TRIGGERS.items()]
    for (table, name), ddl, does in wanted:
        if (table, name) not in found.triggers:
            steps.append(Step(f"trigger {name} on {table} ({does})", ddl))
        elif not found.triggers[table, name]:
            steps.append(Step(f"trigger {name} on {table}, disabled", f"ALTER TABLE {table} ENABLE TRIGGER {name}"))
    return steps


def _digests(definitions: dict[str, str]) -> dict[str, str]:
    return {name: hashlib.sha256(text.encode()).hexdigest() for name, text in definitions.items()}


def _definitions(wanted: dict[str, str], found: _Catalogue) -> list[Step]:
    digests = _digests(wanted)
    return [Step(f"function restage.{n}", ddl) for n, ddl in wanted.items() if found.applied.get(n) != digests[n]]


def _table_steps(table: schema.Table, found: _Catalogue) -> list[Step]:
    name = f"{table.schema}.{table.name}"
    existing = found.columns.get((table.schema, table.name))
    if existing is None:
        body = ", ".join(f"{column} {kind}" for column, kind in table.columns)
        steps = [Step(f"table {name}", f"CREATE TABLE {name} ({body}){table.storage}")]
    else:
        steps = [
            Step(f"column {name}.{column}", f"ALTER TABLE {name} ADD COLUMN {column} {_addable(kind)}")
            for column, kind in table.columns
            if column not in existing
        ]
        _refuse_other_types(name, table, existing)
    return steps + _table_indexes(table, name, found, fresh=existing is None)


def _table_indexes(table: schema.Table, name: str, found: _Catalogue, *, fresh: bool) -> list[Step]:
    how = "" if fresh or table.partitioned else "CONCURRENTLY "
    steps = []
    if table.unique and not found.has_index(table, table.unique, unique=True):
        index = f"{table.name}_natural_key_idx"
        steps.append(_index(f"UNIQUE INDEX {how}", index, f"ON {name} ({table.unique})", not how))
    for index, expression in table.lookups:
        if f"{table.schema}.{index}" not in found.indexes and not found.has_index(table, expression, unique=False):
            steps.append(_index(f"INDEX {how}", index, f"ON {name} USING {table.by} ({expression})", not how))
    return steps


def _index(kind: str, name: str, on: str, in_transaction: bool) -> Step:
    return Step(f"index {name}", f"CREATE {kind}IF NOT EXISTS {name} {on}", alone=not in_transaction)


def _hash_steps(connection: psycopg.Connection, extract: Extract, found: _Catalogue) -> list[Step]:
    """What keeps the row hashes of a staging table, made anew where the declaration feeds it other columns, and where
    the trigger is gone or somebody has disabled it."""
    ddl = hashes.definition(extract).as_string(connection)
    name, digest = hashes.name(extract), hashes.digest(ddl)
    kept = hashes.COLUMN in found.columns.get(("stg", extract.table), {})
    fires = found.triggers.get((f"stg.{extract.table}", hashes.TRIGGER))
    if kept and fires and found.applied.get(name) == digest:
        return []
    noted = sql.SQL(
        "INSERT INTO restage.applied VALUES ({}, {}) ON CONFLICT (name) DO UPDATE SET digest = excluded.digest"
    ).format(sql.Literal(name), sql.Literal(digest))
    return [Step(f"row hashes of stg.{extract.table}", ddl + noted.as_string(connection))]


def _index_steps(found: _Catalogue) -> list[Step]:
    steps = []
    for name, on in schema.INDEXES.items():
        if name not in found.indexes:
            kind = "UNIQUE INDEX" if name in schema.UNIQUE_INDEXES else "INDEX"
            ddl = f"CREATE {kind} CONCURRENTLY IF NOT EXISTS {name.split('.')[1]} {on}"
            steps.append(Step(f"index {name}", ddl, alone=True))
    for name, why in schema.DROPPED_INDEXES.items():
        if name in found.indexes:
            ddl = f"DROP INDEX CONCURRENTLY {name}"
            steps.append(Step(f"drop index {name} ({why})", ddl, alone=True))
    return steps


def _addable(kind: str) -> str:
    """A column joins a table that has rows: it cannot be NOT NULL without a value for them."""
    return kind if "DEFAULT" in kind else kind.replace(" NOT NULL", "")


def _refuse_other_types(name: str, table: schema.Table, existing: dict[str, str]) -> None:
    long = {"timestamptz": "timestamp with time zone", "timestamp": "timestamp without time zone", "serial": "integer"}
    for column, kind in table.columns:
        declared = kind.split(" ")[0]
        declared = long.get(declared, declared)
        if column in existing and existing[column] != declared:
            raise UnfitWarehouseError(
                f"{name}.{column} is {existing[column]} in the warehouse and {declared} in the declaration."
                " Change one of them; Restage never retypes a column."
            )
