"""A hash of every staging row, kept in the row: a diff compares these and never the values of the rows that stay.

publish.py writes the hash that the build has made; of whoever else writes there, a row trigger makes it, whatever they
write into the column themselves. It fires also where a replica applies changes. A row that was there before Restage has
none until somebody writes it: it counts as unknown, and a diff then hashes it on the way.
64 bits over key and values: that a changed row is taken for one that is there has, in a table of N rows, a chance of
N in 2^64; `warehouse verify` compares the values themselves. NaN, which no file makes, is hashed as NULL.
"""

import hashlib
from collections.abc import Mapping, Sequence

import psycopg
from psycopg import sql

from warehouse import names
from warehouse.registry import Extract

COLUMN = "row_hash"
TRIGGER = "zz_restage_hash"


def of_row(extract: Extract, alias: str) -> sql.Composed:
    """The hash of the columns that files feed; equal values have equal hashes, NULLs too."""
    return over({column.name: column.type for column in extract.staged}, alias)


def over(types: Mapping[str, str], alias: str, more: Sequence[sql.Composable] = ()) -> sql.Composed:
    """The hash of these columns (name → type) and of what is to be hashed after them.

    PostgreSQL's hash of a numeric leaves out its sign, which is hashed beside it.
    """
    values = [sql.Identifier(alias, name) for name in types]
    numeric = [name for name, kind in types.items() if kind.startswith("numeric")]
    signs = [sql.SQL("{} < 0").format(sql.Identifier(alias, name)) for name in numeric]
    return sql.SQL("hash_record_extended(ROW({}), 0)").format(sql.SQL(", ").join([*values, *more, *signs]))


def kept(extract: Extract, alias: str) -> sql.Composed:
    """The hash of a staging row, made on the way where it has none: from the row itself, fetched by its place, so that
    a join carries no wide rows for the few without."""
    return sql.SQL(
        "coalesce({hash}, (SELECT {made} FROM {stg} x WHERE x.ctid = {place} AND x.tableoid = {part}))"
    ).format(
        hash=sql.Identifier(alias, COLUMN),
        made=of_row(extract, "x"),
        stg=names.staging(extract),
        place=sql.Identifier(alias, "ctid"),
        part=sql.Identifier(alias, "tableoid"),
    )


def made_where_missing(extract: Extract, alias: str) -> sql.Composed:
    """The hash of a staging row that is read whole, made where it has none."""
    return sql.SQL("coalesce({}, {})").format(sql.Identifier(alias, COLUMN), of_row(extract, alias))


def made_by_us(connection: psycopg.Connection) -> None:
    """From here on, and to the end of the transaction or to made_by_trigger(), the session writes the hashes itself."""
    connection.execute("SELECT set_config('restage.hashed', 'on', true)")


def made_by_trigger(connection: psycopg.Connection) -> None:
    connection.execute("SELECT set_config('restage.hashed', '', true)")


def name(extract: Extract) -> str:
    """Under which restage.applied knows what definition() was made."""
    return f"hash_{extract.table}"


def digest(definition: str) -> str:
    return hashlib.sha256(definition.encode()).hexdigest()


def definition(extract: Extract) -> sql.Composed:
    """Statements that make function and trigger, and make the hashes anew that another declaration has left; to be run
    in one transaction. The trigger's name comes last in the alphabet: it sees what other triggers have changed.
    """
    return sql.SQL(_DEFINITION).format(
        stg=names.staging(extract),
        keep=sql.Identifier("restage", f"keep_hash_{extract.table}"),
        trigger=sql.Identifier(TRIGGER),
        hash_new=of_row(extract, "new"),
        hash_s=of_row(extract, "s"),
    )


_DEFINITION = """
LOCK TABLE {stg} IN SHARE ROW EXCLUSIVE MODE;
CREATE OR REPLACE FUNCTION {keep}() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog
AS $keep$ BEGIN
    NEW.row_hash := {hash_new};
    RETURN NEW;
END $keep$;
DROP TRIGGER IF EXISTS zz_restage_hash_insert ON {stg};
DROP TRIGGER IF EXISTS zz_restage_hash_update ON {stg};
CREATE OR REPLACE TRIGGER {trigger} BEFORE INSERT OR UPDATE ON {stg} FOR EACH ROW
    WHEN (current_setting('restage.hashed', true) IS DISTINCT FROM 'on') EXECUTE FUNCTION {keep}();
ALTER TABLE {stg} ENABLE ALWAYS TRIGGER {trigger};
UPDATE {stg} s SET row_hash = {hash_s} WHERE row_hash <> {hash_s};
"""
