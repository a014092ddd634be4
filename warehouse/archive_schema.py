"""The tables that archives need beside the data: the catalogue of sets, holds, uses, and pins.

An archive set is what one load run owned in one or more staging tables at one moment; a part is its share of one
table. They lie in the warehouse because they must commit with the rows that they speak of.
"""

TABLES: dict[str, str] = {
    # `kind`: archive (asked for), safety (what a restore replaced), recovered (from a
    # point-in-time copy); `removed_at`: nothing can hold or use it
    # any more and its rows go or are gone (`hot` of its parts); it stays listed
    "archive_sets": """set_id uuid PRIMARY KEY, load_run_id uuid NOT NULL, kind text NOT NULL, reason text NOT NULL,
        job_id uuid, archived_by text NOT NULL, archived_at timestamptz NOT NULL, expires_at timestamptz NOT NULL,
        removed_at timestamptz, removed_by text, removed_why text, removed_job uuid""",
    # `rows`: what is kept; `loaded`: how many valid records the run once brought to the table (NULL: not known).
    # `checksum`: order-free over the rows; `columns`: staging as it was, [{name, type, not_null}] in its order.
    # `hashed`: which columns the two hashes of a row cover, {row, beside, as_text} ({}: those that are declared now).
    # `statistics`: column → {least, most} of the natural key, for a search to prune by; `hot`: the rows lie in the
    # archive table; `cold`: where they lie as files, with size and digest of the manifest (NULL: nowhere)
    "archive_parts": """set_id uuid NOT NULL REFERENCES restage.archive_sets, table_name text NOT NULL,
        load_run_id uuid NOT NULL, archive_version integer NOT NULL, archived_at timestamptz NOT NULL,
        rows bigint NOT NULL, loaded bigint, bytes bigint NOT NULL, checksum numeric NOT NULL, columns jsonb NOT NULL,
        fingerprint text NOT NULL, hashed jsonb NOT NULL DEFAULT '{}',
        statistics jsonb NOT NULL DEFAULT '{}', hot boolean NOT NULL DEFAULT true,
        cold jsonb, verified_at timestamptz, verified jsonb, PRIMARY KEY (set_id, table_name),
        UNIQUE (table_name, load_run_id, archive_version)""",
    # while one is not released, nothing removes its set
    "archive_holds": """hold_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        set_id uuid NOT NULL REFERENCES restage.archive_sets, reason text NOT NULL, placed_by text NOT NULL,
        placed_at timestamptz NOT NULL DEFAULT now(), released_at timestamptz, released_by text,
        released_why text""",
    # how many days sets are kept: of a table ("": of any) archived for a reason that holds these words ("": for any)
    "archive_retention": """table_name text NOT NULL, reason text NOT NULL, days integer NOT NULL,
        why text NOT NULL, set_by text NOT NULL, set_at timestamptz NOT NULL, PRIMARY KEY (table_name, reason)""",
    # every change of a set's expiry
    "archive_expiries": """expiry_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        set_id uuid NOT NULL REFERENCES restage.archive_sets, expires_at timestamptz NOT NULL,
        former timestamptz NOT NULL, why text NOT NULL, set_by text NOT NULL, set_at timestamptz NOT NULL""",
    # a job that reads a set: it is not removed under its hands
    "archive_uses": """set_id uuid NOT NULL REFERENCES restage.archive_sets, job_id uuid NOT NULL,
        since timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (set_id, job_id)""",
    # a staging row kept on purpose against the fold: it stands until a live record extracted after `as_of` wins
    "pins": """table_name text NOT NULL, key jsonb NOT NULL, load_run_file_id integer NOT NULL,
        row_hash bigint NOT NULL, as_of timestamptz NOT NULL, set_id uuid NOT NULL, job_id uuid NOT NULL,
        pinned_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (table_name, key)""",
}

INDEXES: dict[str, str] = {
    "restage.archive_sets_run_idx": "ON restage.archive_sets (load_run_id)",
    "restage.archive_sets_expiry_idx": "ON restage.archive_sets (expires_at) WHERE removed_at IS NULL",
    "restage.archive_holds_set_idx": "ON restage.archive_holds (set_id) WHERE released_at IS NULL",
    "restage.archive_parts_table_idx": "ON restage.archive_parts (table_name, archived_at)",
    "restage.archive_expiries_set_idx": "ON restage.archive_expiries (set_id)",
    "restage.pins_job_idx": "ON restage.pins (job_id)",
}

# The columns that an archive table has besides those of staging, by the names that the warehouse's owners gave them.
MARKS = (
    ("archived_at", "timestamptz NOT NULL DEFAULT now()"),
    ("archived_load_run_id", "uuid NOT NULL"),
    ("archive_reason", "text NOT NULL"),
    ("archive_version", "integer NOT NULL DEFAULT 1"),
)
