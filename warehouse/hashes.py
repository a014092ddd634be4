"""A hash of every staging row, kept in the row: a diff compares these and never the values of the rows that stay.

publish.py writes the hash that the build has made; of whoever else writes there, a row trigger makes it. A row that
was there before Restage has none until somebody writes it: it counts as unknown, and a diff then hashes it on the way.
64 bits over key and values: that a changed row is taken for one that is there has, in a table of N rows, a chance of
N in 2^64; `warehouse verify` compares the values themselves.
"""

import hashlib

from psycopg import sql

from warehouse import names
from warehouse.registry import Extract

COLUMN = "row_hash"


def of_row(extract: Extract, alias: str) -> sql.Composed:
    """The hash of the columns that files feed; equal values have equal hashes, NULLs too."""
    return sql.SQL("hash_record_extended(ROW({}), 0)").format(names.staged(extract, of=alias))


def kept(extract: Extract, alias: str) -> sql.Composed:
    """The hash of a staging row, made on the way where it has none: from the row itself, fetched by its place, so that
    a join carries no wide rows for the few without."""
    return sql.SQL("coalesce({hash}, (SELECT {made} FROM {stg} x WHERE x.ctid = {place}))").format(
        hash=sql.Identifier(alias, COLUMN),
        made=of_row(extract, "x"),
        stg=names.staging(extract),
        place=sql.Identifier(alias, "ctid"),
    )


def name(extract: Extract) -> str:
    """Under which restage.applied knows what definition() was made."""
    return f"hash_{extract.table}"


def digest(definition: str) -> str:
    return hashlib.sha256(definition.encode()).hexdigest()


def definition(extract: Extract) -> sql.Composed:
    """Statements that make function and triggers, and make the hashes anew that another declaration has left; to be
    run in one transaction. The triggers' name comes last in the alphabet: they see what other triggers have changed.
    """
    return sql.SQL(_DEFINITION).format(
        stg=names.staging(extract),
        keep=sql.Identifier("restage", f"keep_hash_{extract.table}"),
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
CREATE OR REPLACE TRIGGER zz_restage_hash_insert BEFORE INSERT ON {stg}
    FOR EACH ROW WHEN (NEW.row_hash IS NULL) EXECUTE FUNCTION {keep}();
CREATE OR REPLACE TRIGGER zz_restage_hash_update BEFORE UPDATE ON {stg}
    FOR EACH ROW WHEN (NEW.row_hash IS NOT DISTINCT FROM OLD.row_hash) EXECUTE FUNCTION {keep}();
UPDATE {stg} s SET row_hash = {hash_s} WHERE row_hash <> {hash_s};
"""
