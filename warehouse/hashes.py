"""A hash of every staging row, kept beside staging: a diff compares these and never reads the wide rows that stay.

Kept by statement triggers on the staging table, so it is right whoever writes there; publish.py, which knows the new
hashes already, tells the triggers so and writes them itself. 64 bits: that a changed row is
taken for unchanged has a chance of 1 in 2^64 for each row compared; `warehouse verify` compares the values themselves.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import sql

from warehouse import names
from warehouse.registry import Extract


def table(extract: Extract) -> sql.Identifier:
    """restage.hash_<table>: the natural key and `row_hash`, one row a staging row."""
    return sql.Identifier("restage", f"hash_{extract.table}")


def of_row(extract: Extract, alias: str) -> sql.Composed:
    """The hash of the columns that files feed; equal values have equal hashes, NULLs too."""
    return sql.SQL("hash_record_extended(ROW({}), 0)").format(names.staged(extract, of=alias))


def name(extract: Extract) -> str:
    """Under which restage.applied knows what definition() was made."""
    return f"hash_{extract.table}"


def digest(definition: str) -> str:
    return hashlib.sha256(definition.encode()).hexdigest()


def definition(extract: Extract) -> sql.Composed:
    """Statements that make table, function and triggers, and hash what staging holds; to be run in one transaction."""
    return sql.SQL(_DEFINITION).format(
        stg=names.staging(extract),
        hashes=table(extract),
        keep=sql.Identifier("restage", f"keep_hash_{extract.table}"),
        key=names.key(extract),
        key_s=names.key(extract, of="s"),
        key_n=names.key(extract, of="n"),
        hash_s=of_row(extract, "s"),
        hash_n=of_row(extract, "n"),
        h_o=names.same_key(extract, "h", "o"),
        h_n=names.same_key(extract, "h", "n"),
        n_o=names.same_key(extract, "n", "o"),
    )


@contextmanager
def followed(connection: psycopg.Connection, extract: Extract, diff: sql.Identifier) -> Iterator[None]:
    """Inside a transaction: the block writes staging as `diff` says, and the hashes follow from `diff` at its end."""
    connection.execute("SELECT set_config('restage.hashes', 'followed', true)")
    yield
    connection.execute("SELECT set_config('restage.hashes', '', true)")
    parts = {
        "hashes": table(extract),
        "diff": diff,
        "key": names.key(extract),
        "same": names.same_key(extract, "h", "k"),
    }
    for statement in (
        "DELETE FROM {hashes} h USING {diff} k WHERE k.class = 'deleted' AND {same}",
        "UPDATE {hashes} h SET row_hash = k.after_hash FROM {diff} k WHERE k.class = 'updated' AND {same}",
        "INSERT INTO {hashes} ({key}, row_hash) SELECT {key}, after_hash FROM {diff} WHERE class = 'inserted'",
    ):
        connection.execute(sql.SQL(statement).format(**parts))


_DEFINITION = """
LOCK TABLE {stg} IN SHARE ROW EXCLUSIVE MODE;
DROP TABLE IF EXISTS {hashes};
CREATE TABLE {hashes} AS SELECT {key_s}, {hash_s} AS row_hash FROM {stg} s;
ALTER TABLE {hashes} ADD PRIMARY KEY ({key});
CREATE OR REPLACE FUNCTION {keep}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog
AS $keep$ DECLARE kept bigint; BEGIN
    IF current_setting('restage.hashes', true) = 'followed' THEN
        RETURN NULL;
    END IF;
    IF TG_OP = 'TRUNCATE' THEN
        TRUNCATE {hashes};
        RETURN NULL;
    END IF;
    IF TG_OP = 'DELETE' THEN
        DELETE FROM {hashes} h USING old_rows o WHERE {h_o};
        RETURN NULL;
    END IF;
    IF TG_OP = 'UPDATE' THEN
        UPDATE {hashes} h SET row_hash = {hash_n} FROM new_rows n WHERE {h_n};
        GET DIAGNOSTICS kept = ROW_COUNT;
        IF kept = (SELECT count(*) FROM new_rows) THEN
            RETURN NULL;
        END IF;
        DELETE FROM {hashes} h USING old_rows o WHERE {h_o} AND NOT EXISTS (SELECT FROM new_rows n WHERE {n_o});
    END IF;
    INSERT INTO {hashes} SELECT {key_n}, {hash_n} FROM new_rows n
        ON CONFLICT ({key}) DO UPDATE SET row_hash = excluded.row_hash;
    RETURN NULL;
END $keep$;
CREATE OR REPLACE TRIGGER restage_hash_insert AFTER INSERT ON {stg} REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION {keep}();
CREATE OR REPLACE TRIGGER restage_hash_update AFTER UPDATE ON {stg}
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION {keep}();
CREATE OR REPLACE TRIGGER restage_hash_delete AFTER DELETE ON {stg} REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION {keep}();
CREATE OR REPLACE TRIGGER restage_hash_truncate AFTER TRUNCATE ON {stg}
    FOR EACH STATEMENT EXECUTE FUNCTION {keep}();
"""
