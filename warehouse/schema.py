"""The contract: every object a warehouse must have for Restage, as data that adoption.py compares and makes.

Only additive: a user's table is extended, never rewritten, and no row of it is touched.
"""

from dataclasses import dataclass

from psycopg import sql

from warehouse import (
    archive_schema,
    figures_schema,
    happenings,
    image_holds,
    profiles,
    proofs,
    raw_removal,
    side_tables,
    suspensions,
    witnesses,
)
from warehouse.registry import Column, Extract, Registry

SCHEMAS = ("etl", "raw", "stg", "restage", "restage_build", side_tables.SCHEMA)

# etl, as the first warehouse has it. (column, type with its constraints)
ETL_TABLES: dict[str, tuple[tuple[str, str], ...]] = {
    "load_runs": (
        ("load_run_id", "uuid PRIMARY KEY DEFAULT gen_random_uuid()"),
        ("started_at", "timestamptz NOT NULL DEFAULT now()"),
        ("completed_at", "timestamptz"),
        ("status", "text NOT NULL"),
        ("triggered_by", "text NOT NULL"),
        ("notes", "text"),
        ("total_files_processed", "integer DEFAULT 0"),
        ("total_rows_ingested", "integer DEFAULT 0"),
        ("total_rows_rejected", "integer DEFAULT 0"),
        ("created_at", "timestamptz NOT NULL DEFAULT now()"),
        ("updated_at", "timestamptz NOT NULL DEFAULT now()"),
    ),
    "load_run_files": (
        ("load_run_file_id", "serial PRIMARY KEY"),
        ("load_run_id", "uuid NOT NULL REFERENCES etl.load_runs"),
        ("s3_bucket", "text NOT NULL"),
        ("s3_key", "text NOT NULL"),
        ("s3_version_id", "text NOT NULL"),
        ("file_hash", "text NOT NULL"),
        ("date_extracted", "text NOT NULL"),
        ("extract_type", "text NOT NULL"),
        ("per_org_id", "text NOT NULL"),
        ("practice_id", "text NOT NULL"),
        ("rows_read", "integer DEFAULT 0"),
        ("rows_ingested", "integer DEFAULT 0"),
        ("rows_rejected", "integer DEFAULT 0"),
        ("started_at", "timestamptz"),
        ("finished_at", "timestamptz"),
        ("status", "text NOT NULL"),
        ("error_message", "text"),
        ("created_at", "timestamptz NOT NULL DEFAULT now()"),
        ("updated_at", "timestamptz NOT NULL DEFAULT now()"),
        # ours: which attempt this one replaces, which file of the source it stands for, and whether it still counts
        ("superseded_at", "timestamptz"),
        ("superseded_by_load_run_file_id", "integer REFERENCES etl.load_run_files"),
        ("predecessor_load_run_file_id", "integer REFERENCES etl.load_run_files"),
        ("original_load_run_file_id", "integer REFERENCES etl.load_run_files"),
        ("content_sha256", "text"),
        ("content_bytes", "bigint"),
    ),
    "staging_runs": (
        ("staging_run_id", "uuid PRIMARY KEY DEFAULT gen_random_uuid()"),
        ("load_run_id", "uuid NOT NULL REFERENCES etl.load_runs"),
        ("extract_type", "text NOT NULL"),
        ("source_table", "text NOT NULL"),
        ("target_table", "text NOT NULL"),
        ("started_at", "timestamptz NOT NULL DEFAULT now()"),
        ("completed_at", "timestamptz"),
        ("status", "text NOT NULL"),
        ("total_rows_read", "integer DEFAULT 0"),
        ("total_rows_transformed", "integer DEFAULT 0"),
        ("total_rows_rejected", "integer DEFAULT 0"),
        ("total_rows_deduplicated", "integer DEFAULT 0"),
        ("successful_batches", "integer DEFAULT 0"),
        ("failed_batches", "integer DEFAULT 0"),
        ("duration_ms", "integer"),
        ("rows_per_second", "integer"),
        ("memory_usage_mb", "numeric(10,2)"),
        ("error", "text"),
        ("result", "text"),
        ("created_at", "timestamptz NOT NULL DEFAULT now()"),
        ("updated_at", "timestamptz NOT NULL DEFAULT now()"),
    ),
    "core_merge_runs": (
        ("merge_run_id", "uuid PRIMARY KEY DEFAULT gen_random_uuid()"),
        ("load_run_id", "uuid NOT NULL REFERENCES etl.load_runs"),
        ("staging_run_id", "uuid NOT NULL REFERENCES etl.staging_runs"),
        ("extract_type", "text NOT NULL"),
        ("started_at", "timestamptz NOT NULL DEFAULT now()"),
        ("completed_at", "timestamptz"),
        ("status", "text NOT NULL"),
        ("dimensions_created", "integer DEFAULT 0"),
        ("dimensions_updated", "integer DEFAULT 0"),
        ("facts_inserted", "integer DEFAULT 0"),
        ("facts_updated", "integer DEFAULT 0"),
        ("error", "text"),
        ("result", "text"),
        ("created_at", "timestamptz NOT NULL DEFAULT now()"),
        ("updated_at", "timestamptz NOT NULL DEFAULT now()"),
    ),
}

# What must commit together with the data.
RESTAGE_TABLES: dict[str, str] = {
    "applied": "name text PRIMARY KEY, digest text NOT NULL",
    # who may write for a job: a worker whose epoch is not this one any more has lost the job
    "job_fences": "job_id uuid PRIMARY KEY, epoch bigint NOT NULL",
    "job_steps": """job_id uuid NOT NULL, step text NOT NULL, epoch bigint NOT NULL,
        finished_at timestamptz NOT NULL DEFAULT now(), detail jsonb NOT NULL, PRIMARY KEY (job_id, step)""",
    "effects": """effect_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, job_id uuid, action text NOT NULL,
        actor text NOT NULL, at timestamptz NOT NULL DEFAULT now(), detail jsonb NOT NULL""",
    "run_parents": """load_run_id uuid PRIMARY KEY REFERENCES etl.load_runs,
        parent_load_run_id uuid NOT NULL REFERENCES etl.load_runs, job_id uuid NOT NULL, reason text NOT NULL""",
    "before_images": """job_id uuid NOT NULL, table_name text NOT NULL, class text NOT NULL, key jsonb NOT NULL,
        image jsonb, PRIMARY KEY (job_id, table_name, key)""",
    # what a job keeps, or kept, in before_images: a purged set stays listed
    "before_image_sets": """job_id uuid NOT NULL, table_name text NOT NULL, rows bigint NOT NULL,
        bytes bigint NOT NULL, checksum numeric NOT NULL, kept_at timestamptz NOT NULL DEFAULT now(),
        expires_at timestamptz NOT NULL, purged_at timestamptz, PRIMARY KEY (job_id, table_name)""",
    "image_holds": image_holds.TABLE,
    # a job that could not read a file again; `released_at`: a person has let it be tried anew
    "failed_tries": """load_run_file_id integer NOT NULL, job_id uuid NOT NULL, reason text NOT NULL,
        at timestamptz NOT NULL DEFAULT now(), released_at timestamptz, PRIMARY KEY (load_run_file_id, job_id)""",
    # every version of a declaration that built rows, by its content
    "declarations": """digest text PRIMARY KEY, extract_type text NOT NULL, document jsonb NOT NULL,
        first_seen timestamptz NOT NULL DEFAULT now()""",
    # what built the rows of an attempt; `read_declaration`, `reading`: with what its file was read (NULL: not known)
    "builds": """load_run_file_id integer PRIMARY KEY, read_declaration text, reading text, declaration text NOT NULL,
        folding text NOT NULL, canonical text, multiset text, folded_at timestamptz NOT NULL DEFAULT now()""",
    # how the file of an attempt, as it lay at the source then, compares with what was loaded of it
    "source_checks": """load_run_file_id integer PRIMARY KEY, verdict text NOT NULL,
        checked_at timestamptz NOT NULL DEFAULT now()""",
    # what `core` has not taken over yet: a key, or (key NULL) as many keys of a run as `keys` says
    "stale_core": """extract_type text NOT NULL, load_run_id uuid, key jsonb, keys integer NOT NULL,
        class text NOT NULL, since timestamptz NOT NULL DEFAULT clock_timestamp(), job_id uuid,
        settled_at timestamptz""",
    # one row a broken check of a record; never its values
    "rejections": """load_run_file_id integer NOT NULL, extract_type text NOT NULL, stage text NOT NULL,
        record_no integer NOT NULL, line_no integer, column_name text, value_class text NOT NULL,
        reason text NOT NULL, severity text NOT NULL, at timestamptz NOT NULL DEFAULT now()""",
    # what has happened to load runs, for the watcher
    "happenings": happenings.TABLE,
    **archive_schema.TABLES,
    # whose raw records are deleted, and the archive set of the rows that were made of them
    "raw_deletions": raw_removal.TABLE,
    # into which sets were restored beside staging
    "side_tables": side_tables.TABLE,
    # whose loading is stopped until somebody resumes it
    **suspensions.TABLES,
    # how a rung of the recovery ladder did when it was used or tried, and what it is then compared with
    "proofs": proofs.TABLE,
    "witnesses": witnesses.TABLE,
    # what an attempt held, as counts and hashes: what the next files of its feed are compared with
    "profiles": profiles.TABLE,
    # what dashboards show of load runs and files, and which of it is not true any more
    **figures_schema.TABLES,
}

# What speaks of unlogged tables and must be gone when they are emptied by a crash of the server.
RESTAGE_UNLOGGED: dict[str, str] = {
    "aside_notes": "job_id uuid NOT NULL, step text NOT NULL, detail jsonb NOT NULL, PRIMARY KEY (job_id, step)",
}

INDEXES: dict[str, str] = {
    "etl.load_run_files_load_run_idx": "ON etl.load_run_files (load_run_id)",
    "etl.idx_load_run_files_status_date": "ON etl.load_run_files (status, created_at)",
    "etl.load_run_files_taken_idx": """ON etl.load_run_files (s3_version_id, file_hash)
        WHERE superseded_at IS NULL AND status IN ('pending', 'processing', 'completed', 'quarantined')""",
    "etl.load_run_files_original_idx": """ON etl.load_run_files (original_load_run_file_id)
        WHERE original_load_run_file_id IS NOT NULL""",
    "etl.load_run_files_extract_idx": "ON etl.load_run_files (extract_type) WHERE superseded_at IS NULL",
    "etl.load_run_files_rolled_back_idx": """ON etl.load_run_files (superseded_by_load_run_file_id)
        WHERE status = 'rolled_back'""",
    "etl.staging_runs_load_run_completed_idx": """ON etl.staging_runs (load_run_id, extract_type)
        WHERE status = 'completed'""",
    "etl.staging_runs_load_run_idx": "ON etl.staging_runs (load_run_id)",
    "restage.stale_core_key_idx": "ON restage.stale_core (extract_type, key) WHERE key IS NOT NULL",
    "restage.rejections_file_idx": "ON restage.rejections (load_run_file_id)",
    "restage.effects_job_idx": "ON restage.effects (job_id)",
    "restage.happenings_tx_idx": "ON restage.happenings (tx)",
    "restage.run_parents_job_idx": "ON restage.run_parents (job_id)",
    "restage.before_image_sets_expiry_idx": "ON restage.before_image_sets (expires_at) WHERE purged_at IS NULL",
    "restage.run_parents_parent_idx": "ON restage.run_parents (parent_load_run_id)",
    **archive_schema.INDEXES,
    **suspensions.INDEXES,
    **figures_schema.INDEXES,
}
UNIQUE_INDEXES = frozenset(
    {
        *("etl.load_run_files_taken_idx", "etl.staging_runs_load_run_completed_idx", "restage.stale_core_key_idx"),
        *suspensions.INDEXES,
    }
)

# Replaced by load_run_files_taken_idx, which holds for the attempts that stand for their file: name → why.
DROPPED_INDEXES = {
    "etl.load_run_files_unique_idx": "it forbids a second attempt at a file",
    "etl.load_run_files_live_idx": "it lets a file be loaded again that is quarantined",
}


@dataclass(frozen=True)
class Table:
    """A table of the warehouse. `unique` is the column list of a unique index, `lookups` the rest (SQL of each), made
    by the method `by`; `storage` follows CREATE TABLE (…) where the table is not there yet."""

    schema: str
    name: str
    columns: tuple[tuple[str, str], ...]
    unique: str | None = None
    lookups: tuple[tuple[str, str], ...] = ()
    by: str = "btree"
    storage: str = ""

    @property
    def partitioned(self) -> bool:
        return "PARTITION BY" in self.storage


def data_tables(registry: Registry) -> list[Table]:
    """raw, stg and archive of every extract."""
    return [table for extract in registry.extracts for table in (_raw(extract), _staging(extract), _archive(extract))]


def _raw(extract: Extract) -> Table:
    key = ", ".join(f"restage.clean({name})" for name in extract.natural_key)
    return Table(
        "raw",
        extract.table,
        (
            *((column.name, "text") for column in extract.columns),
            ("load_run_file_id", "integer NOT NULL"),
            ("record_no", "integer"),
            ("line_no", "integer"),  # of the file, where the record begins
        ),
        lookups=(
            (f"{extract.table}_file_idx", "load_run_file_id"),
            (f"{extract.table}_key_idx", key),
        ),
    )


def _staging(extract: Extract) -> Table:
    return Table(
        "stg",
        extract.table,
        (
            ("row_hash", "bigint"),  # first, where the table is ours: a diff reads no further
            *((column.name, _staging_type(column, extract)) for column in extract.staged),
            *((column.name, column.type) for column in extract.staging_only),
            ("load_run_file_id", "integer NOT NULL"),
            ("load_ts", "timestamptz NOT NULL DEFAULT now()"),
        ),
        unique=", ".join(extract.natural_key),
        storage=" WITH (fillfactor = 90)",  # room for a changed row beside its former self: no new index entry
    )


def _archive(extract: Extract) -> Table:
    """As staging, without its demands: a row that was legal once is kept as it was. No unique natural key: there is one
    copy of a key for each time that it was archived. BRIN: rows come in the order of `archived_at`, a run's together.
    """
    return Table(
        "stg",
        f"{extract.table}_archive",
        (
            ("row_hash", "bigint"),
            *((column.name, column.type) for column in (*extract.staged, *extract.staging_only)),
            ("load_run_file_id", "integer NOT NULL"),
            ("load_ts", "timestamptz NOT NULL"),
            *archive_schema.MARKS,
        ),
        lookups=(
            (f"idx_{extract.table}_archive_date", "archived_at"),
            (f"idx_{extract.table}_archive_load_run", "archived_load_run_id"),
        ),
        by="brin",
        storage=" PARTITION BY RANGE (archived_at)",
    )


def _staging_type(column: Column, extract: Extract) -> str:
    required = column.required or column.name in extract.natural_key
    return f"{column.type} NOT NULL" if required else column.type


def views(registry: Registry) -> dict[str, sql.Composed]:
    """One view a raw table: every row with what has become of its file's attempt."""
    return {
        f"restage.raw_{extract.table}": sql.SQL(
            "SELECT r.*, f.superseded_at IS NOT NULL AS is_superseded, f.superseded_at,"
            " f.superseded_by_load_run_file_id FROM {} r JOIN etl.load_run_files f USING (load_run_file_id)"
        ).format(sql.Identifier("raw", extract.table))
        for extract in registry.extracts
    }
