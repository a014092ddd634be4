"""A console that is upgraded keeps its jobs."""

import os
import subprocess
import sys
from uuid import uuid4

import psycopg
from psycopg.types.json import Jsonb

from config import databases
from tests.conftest import database
from tests.stack import MANAGE


def test_jobs_about_one_run_stay_about_it():
    run, ids = uuid4(), [uuid4(), uuid4()]
    with database() as url, psycopg.connect(url, autocommit=True) as connection:
        env = {**os.environ, databases.CONSOLE_URL: url}

        def migrate(*to: str) -> None:
            subprocess.run([sys.executable, str(MANAGE), "migrate", "--verbosity", "0", *to], env=env, check=True)

        migrate("auth")
        migrate("jobs", "0001")
        connection.execute(
            "INSERT INTO auth_user (password, is_superuser, username, first_name, last_name, email, is_staff,"
            " is_active, date_joined) VALUES ('', false, 'olivia', '', '', '', false, true, now())"
        )
        for job, state in zip(ids, ("succeeded", "queued"), strict=True):
            connection.execute(
                "INSERT INTO jobs_plan (id, kind, load_run_id, reason, options, included, excluded, digest, created_at)"
                " VALUES (%s, 'reprocess', %s, 'r', '{}', %s, '[]', '', now())",
                [job, run, Jsonb([{"file": 1}])],
            )
            connection.execute(
                "INSERT INTO jobs_job (id, plan_id, kind, load_run_id, state, dry_run, requested_by_id, epoch,"
                " attempts, worker, cancel_asked, progress, error, created_at)"
                " SELECT %(job)s, %(job)s, 'reprocess', %(run)s, %(state)s, false, id, 0, 0, '', false, '{}', '', now()"
                " FROM auth_user",
                {"job": job, "run": run, "state": state},
            )
        migrate()
        found = connection.execute("SELECT job_id, load_run_id, held FROM jobs_jobrun ORDER BY id").fetchall()
        assert set(found) == {(ids[0], run, False), (ids[1], run, True)}
        items = connection.execute("SELECT DISTINCT included FROM jobs_plan").fetchall()
        assert items == [([{"run": str(run), "file": 1}],)]
