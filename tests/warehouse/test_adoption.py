"""A warehouse of others is extended, never rewritten, and can be at any time again."""

import psycopg
import pytest

from tests.conftest import database
from warehouse import adoption
from warehouse.adoption import UnfitWarehouseError

FOREIGN = """
CREATE SCHEMA etl; CREATE SCHEMA raw; CREATE SCHEMA stg;
CREATE TABLE etl.load_runs (load_run_id uuid PRIMARY KEY DEFAULT gen_random_uuid(), status text NOT NULL,
    triggered_by text NOT NULL, started_at timestamptz NOT NULL DEFAULT now());
CREATE TABLE etl.load_run_files (load_run_file_id serial PRIMARY KEY,
    load_run_id uuid NOT NULL REFERENCES etl.load_runs,
    s3_bucket text NOT NULL, s3_key text NOT NULL, s3_version_id text NOT NULL, file_hash text NOT NULL,
    date_extracted text NOT NULL, extract_type text NOT NULL, per_org_id text NOT NULL, practice_id text NOT NULL,
    status text NOT NULL);
CREATE UNIQUE INDEX load_run_files_unique_idx ON etl.load_run_files (s3_version_id, file_hash);
CREATE TABLE raw.visits (visit_id text, seen_on text, fee text, note text, updated_at text,
    load_run_file_id integer NOT NULL REFERENCES etl.load_run_files);
CREATE INDEX visits_by_file ON raw.visits (load_run_file_id);
CREATE TABLE stg.visits (visit_id text NOT NULL, seen_on date, fee numeric(10,2), note text, updated_at timestamp,
    load_run_file_id integer NOT NULL, load_ts timestamptz NOT NULL DEFAULT now());
CREATE UNIQUE INDEX visits_their_key ON stg.visits (visit_id);
INSERT INTO etl.load_runs (status, triggered_by) VALUES ('completed', 'schedule');
INSERT INTO etl.load_run_files (load_run_id, s3_bucket, s3_key, s3_version_id, file_hash, date_extracted,
    extract_type, per_org_id, practice_id, status) SELECT load_run_id, 'b', 'k', '', 'h', '2601051230',
    'Visits', '1', '2', 'completed' FROM etl.load_runs;
INSERT INTO raw.visits VALUES ('1', '2026-01-05', '10', '', '', 1);
INSERT INTO stg.visits VALUES ('1', '2026-01-05', 10, NULL, NULL, 1);
"""


@pytest.fixture
def foreign():
    with database() as url, psycopg.connect(url, autocommit=True) as connection:
        connection.execute(FOREIGN)
        yield connection


def test_traps_20_21_a_foreign_warehouse_is_extended_and_its_rows_stay(foreign, extracts):
    before = foreign.execute("SELECT xmin, ctid, visit_id FROM raw.visits").fetchall()
    wanted = {step.what for step in adoption.missing(foreign, extracts)}
    assert "column etl.load_run_files.superseded_at" in wanted
    assert not any("natural_key_idx" in what and "visits" in what for what in wanted), "theirs serves"
    assert not any(what == "index visits_file_idx" for what in wanted), "theirs serves"
    adoption.apply(foreign, extracts)
    assert foreign.execute("SELECT xmin, ctid, visit_id FROM raw.visits").fetchall() == before
    assert adoption.missing(foreign, extracts) == []


def test_trap_1_uniqueness_holds_for_live_attempts_only(foreign, extracts):
    adoption.apply(foreign, extracts)
    again = (
        "INSERT INTO etl.load_run_files (load_run_id, s3_bucket, s3_key, s3_version_id, file_hash, date_extracted,"
        " extract_type, per_org_id, practice_id, status) SELECT load_run_id, 'b', 'k', '', 'h', '2601051230',"
        " 'Visits', '1', '2', 'completed' FROM etl.load_runs"
    )
    with pytest.raises(psycopg.errors.UniqueViolation):
        foreign.execute(again)
    foreign.execute("UPDATE etl.load_run_files SET superseded_at = now()")
    foreign.execute(again)


def test_apply_can_be_stopped_anywhere_and_run_again(extracts):
    with database() as url, psycopg.connect(url, autocommit=True) as connection:
        steps = adoption.missing(connection, extracts)
        for step in steps[: len(steps) // 2]:
            connection.execute(step.ddl.encode())
        adoption.apply(connection, extracts)
        assert adoption.missing(connection, extracts) == []


def test_a_column_of_another_type_is_refused_before_anything_is_made(foreign, extracts):
    foreign.execute("ALTER TABLE stg.visits ALTER fee TYPE text")
    with pytest.raises(UnfitWarehouseError, match=r"stg\.visits\.fee is text"):
        adoption.apply(foreign, extracts)
    assert foreign.execute("SELECT to_regnamespace('restage')").fetchone() == (None,)


def test_a_changed_function_is_made_anew(foreign, extracts):
    adoption.apply(foreign, extracts)
    foreign.execute("UPDATE restage.applied SET digest = 'older' WHERE name = 'clean'")
    assert [step.what for step in adoption.apply(foreign, extracts)] == ["function restage.clean"]
