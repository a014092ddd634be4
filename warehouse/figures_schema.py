"""Where the figures of load runs and their files are kept, and the triggers that tell which of them are not true any
more.

Everything counts at the moment its load run was made (`etl.load_runs.created_at`), in days and hours of the console's
zone: a list of load runs of some days and the figures of these days are then about the same runs. Only superseded raw
counts on the day on which it was superseded. The triggers keep the hours that changed, in the transaction that changes
them; figures.py computes those days anew. `hour` NULL: everything.
"""

from typing import NamedTuple

STALE = "hour timestamptz, what text NOT NULL"
RUNS, SUPERSEDED = "runs", "superseded"

# A duration is kept as the step of this scale that it falls on: a quantile is then off by 5 % at most.
FIRST_SECONDS, GROWTH = 0.01, 1.1
STEP = (
    f"floor(ln(least(greatest(extract(epoch FROM f.finished_at - f.started_at)::float8, {FIRST_SECONDS}), 1e7)"
    f" / {FIRST_SECONDS}::float8) / ln({GROWTH}::float8))::smallint"
)


class Cells(NamedTuple):
    """A table of figures. `columns`: as CREATE TABLE takes them; `key`: the names of those that tell its rows apart, in
    the order of its index."""

    columns: str
    key: tuple[str, ...]

    @property
    def values(self) -> tuple[str, ...]:
        """The names of the other columns."""
        names = (column.split()[0] for column in self.columns.split(","))
        return tuple(name for name in names if name not in self.key)

    @property
    def ddl(self) -> str:
        return f"{self.columns}, PRIMARY KEY ({', '.join(self.key)})"


_OF = "bucket timestamptz NOT NULL, extract_type text NOT NULL, practice_id text NOT NULL"
_LAST = "last_success timestamptz, last_failure timestamptz, last_extracted timestamptz"

# `per`: all, extract, practice, both: what is not told apart is ''
FIGURES: dict[str, Cells] = {
    "files": Cells(
        f"""grain text NOT NULL, per text NOT NULL, {_OF}, files integer NOT NULL,
        completed integer NOT NULL, failed integer NOT NULL, pending integer NOT NULL, processing integer NOT NULL,
        rolled_back integer NOT NULL, superseded integer NOT NULL, failed_live integer NOT NULL,
        recovered integer NOT NULL, recovery_seconds double precision NOT NULL, rows_read bigint NOT NULL,
        rows_ingested bigint NOT NULL, rows_rejected bigint NOT NULL, bytes bigint NOT NULL, {_LAST}""",
        ("grain", "per", "extract_type", "practice_id", "bucket"),
    ),
    # of each month, so that what happened last of all time is found among few rows; `both` is looked up by day
    "latest": Cells(f"per text NOT NULL, {_OF}, {_LAST}", ("per", "extract_type", "practice_id", "bucket")),
    # a run is in one state; of each extract and practice of which it has a file it is counted once
    "runs": Cells(
        f"per text NOT NULL, {_OF}, state text NOT NULL, runs integer NOT NULL",
        ("per", "extract_type", "practice_id", "bucket", "state"),
    ),
    # refused by the transform, which knows no practice
    "transforms": Cells(
        """grain text NOT NULL, bucket timestamptz NOT NULL, extract_type text NOT NULL,
        rows_rejected bigint NOT NULL""",
        ("grain", "extract_type", "bucket"),
    ),
    "durations": Cells(
        f"per text NOT NULL, {_OF}, step smallint NOT NULL, files integer NOT NULL",
        ("per", "extract_type", "practice_id", "bucket", "step"),
    ),
    # failed files that count still, by what they failed of
    "causes": Cells(
        """bucket timestamptz NOT NULL, extract_type text NOT NULL, cause text NOT NULL, told text NOT NULL,
        files integer NOT NULL""",
        ("cause", "extract_type", "bucket"),
    ),
    "superseded": Cells(
        """bucket timestamptz NOT NULL, extract_type text NOT NULL, files integer NOT NULL, rows bigint NOT NULL,
        bytes bigint NOT NULL""",
        ("extract_type", "bucket"),
    ),
}
TABLES: dict[str, str] = {
    "figures_stale": STALE,
    # `version` rises with every change of the figures; `checked_at`: compared with everything that lies in etl
    "figures_state": """one boolean PRIMARY KEY DEFAULT true CHECK (one), zone text NOT NULL,
        version bigint NOT NULL, refreshed_at timestamptz NOT NULL, checked_at timestamptz NOT NULL""",
    **{f"figures_{name}": cells.ddl for name, cells in FIGURES.items()},
}
BY_RUN = ("files", "runs", "transforms", "durations", "causes")

INDEXES: dict[str, str] = {
    "etl.load_runs_created_idx": "ON etl.load_runs (created_at)",
    "etl.load_runs_running_idx": "ON etl.load_runs (created_at) WHERE status = 'running'",
    # those of a span are found by its runs, not among all that ever failed
    "etl.load_run_files_failed_idx": "ON etl.load_run_files (load_run_id) WHERE status = 'failed'"
    " AND superseded_at IS NULL",
    "etl.load_run_files_superseded_idx": "ON etl.load_run_files (superseded_at) WHERE superseded_at IS NOT NULL",
    **{
        f"restage.figures_{name}_bucket_idx": f"ON restage.figures_{name} ({'grain, per, ' * (name == 'files')}bucket)"
        for name in (*BY_RUN, "superseded")
    },
}

# What a figure is made of; a change of anything else makes none untrue.
_RUN = "load_run_id, created_at, status"
_FILE = """load_run_id, extract_type, practice_id, status, superseded_at, rows_read, rows_ingested, rows_rejected,
    content_bytes, started_at, finished_at, error_message, date_extracted, s3_key"""
_STAGING = "load_run_id, extract_type, status, total_rows_rejected"


def _changed(columns: str) -> str:
    """Rows that were and are not, or are and were not, as far as these columns tell."""
    return f"""(SELECT {columns} FROM was_rows EXCEPT ALL SELECT {columns} FROM now_rows)
            UNION ALL (SELECT {columns} FROM now_rows EXCEPT ALL SELECT {columns} FROM was_rows)"""


def _note(columns: str) -> str:
    """Set `made` to when the touched runs were made and `runs` to which these are, whatever was done to them."""
    return f"""
            IF TG_OP = 'UPDATE' THEN {{into}} FROM ({_changed(columns)}) c;
            ELSIF TG_OP = 'INSERT' THEN {{into}} FROM now_rows c;
            ELSE {{into}} FROM was_rows c; END IF;"""


# As in happenings.py: whatever goes wrong in here, the writer's statement goes on, and the daily comparison mends it.
FUNCTION = f"""CREATE OR REPLACE FUNCTION restage.note_stale_figures() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
DECLARE runs uuid[]; moments timestamptz[];
BEGIN
    BEGIN
        IF TG_OP = 'TRUNCATE' THEN
            INSERT INTO restage.figures_stale VALUES (NULL, '{RUNS}');
        ELSIF TG_TABLE_NAME = 'load_runs' THEN
            {_note(_RUN).format(into="SELECT array_agg(DISTINCT c.created_at) INTO moments")}
            INSERT INTO restage.figures_stale SELECT DISTINCT date_trunc('hour', m), '{RUNS}' FROM unnest(moments) m;
        ELSIF TG_TABLE_NAME = 'load_run_files' THEN
            {
    _note(_FILE).format(
        into="SELECT array_agg(DISTINCT c.load_run_id), array_agg(DISTINCT c.superseded_at)"
        " FILTER (WHERE c.superseded_at IS NOT NULL) INTO runs, moments"
    )
}
            INSERT INTO restage.figures_stale
            SELECT DISTINCT date_trunc('hour', r.created_at), '{RUNS}' FROM etl.load_runs r
            WHERE r.load_run_id = ANY(runs)
            UNION ALL SELECT DISTINCT date_trunc('hour', m), '{SUPERSEDED}' FROM unnest(moments) m;
        ELSE
            {_note(_STAGING).format(into="SELECT array_agg(DISTINCT c.load_run_id) INTO runs")}
            INSERT INTO restage.figures_stale
            SELECT DISTINCT date_trunc('hour', r.created_at), '{RUNS}' FROM etl.load_runs r
            WHERE r.load_run_id = ANY(runs);
        END IF;
    EXCEPTION WHEN OTHERS THEN NULL;
    END;
    RETURN NULL;
END $$"""

_ROWS = {
    "INSERT": "REFERENCING NEW TABLE AS now_rows",
    "UPDATE": "REFERENCING OLD TABLE AS was_rows NEW TABLE AS now_rows",
    "DELETE": "REFERENCING OLD TABLE AS was_rows",
    "TRUNCATE": "",
}
TRIGGERS: dict[tuple[str, str], str] = {
    (table, f"restage_figures_{act.lower()}"): f"CREATE TRIGGER restage_figures_{act.lower()} AFTER {act} ON {table}"
    f" {rows} FOR EACH STATEMENT EXECUTE FUNCTION restage.note_stale_figures()"
    for table in ("etl.load_runs", "etl.load_run_files", "etl.staging_runs")
    for act, rows in _ROWS.items()
}
