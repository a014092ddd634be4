"""Under roles of their own web and worker do all their work, and the database refuses each what the other does."""

from collections.abc import Callable, Iterator
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg
import pytest
from django.db import DatabaseError, ProgrammingError, connection, connections, transaction
from django.db.backends.postgresql.base import DatabaseWrapper
from django.utils import timezone

from approvals.models import Decision, Request
from audit import database, sealing
from audit.models import Seal
from audit.transitions import record
from config import console_roles, databases
from jobs import work
from jobs.models import Job
from jobs.reconciler import reconcile
from tests import ruling
from tests.conftest import _server
from tests.house import House, row
from warehouse import adoption, roles
from warehouse.roles import Names

pytestmark = pytest.mark.django_db(databases="__all__")
NAMES = Names(f"test_{uuid4().hex[:8]}")
REFUSES = r"permission denied|must be owner"
Become = Callable[[str], None]


@pytest.fixture(scope="module")
def made() -> Iterator[None]:
    """The roles: they are of the whole server, and go when these tests are over."""
    with psycopg.connect(_server(), autocommit=True) as server:
        for statement in roles.creation(NAMES):
            server.execute(statement)
        for name in NAMES.all:
            server.execute(f"ALTER ROLE {name} PASSWORD 'test'".encode())
        yield
        for name in (NAMES.owner, NAMES.web, NAMES.exec, NAMES.seal):
            server.execute(f"DROP ROLE {name}".encode())


@pytest.fixture
def become(made, console: House, settings, warehouse_url) -> Iterator[Become]:
    """Let what follows in this process be done as a role, in both databases; "": as who owns them."""
    adoption.apply(console.connection, console.registry)
    for statement in roles.statements(console.connection, console.registry, NAMES):
        console.connection.execute(statement)
    console_roles.run(console_roles.statements(NAMES))

    def as_role(name: str) -> None:
        with connection.cursor() as cursor:
            cursor.execute(f"SET ROLE {name}" if name else "RESET ROLE")
        parts = urlsplit(warehouse_url)
        url = parts._replace(netloc=f"{name}:test@{parts.hostname}:{parts.port}").geturl() if name else warehouse_url
        settings.WAREHOUSE_URL = url
        connections["warehouse"].close()
        entry = {**connections["warehouse"].settings_dict, **databases.read_only_settings(url)}
        connections["warehouse"] = DatabaseWrapper(entry, "warehouse")

    yield as_role
    as_role("")


def test_a_job_and_an_archive_go_their_whole_way_under_the_roles(become: Become, console: House, as_, people):
    """Asked for, approved and shown as web; previewed, carried out and rolled back as exec; sealed as seal."""
    ruling.limit(0)
    run = console.deliver("20260105", row("1", fee="10"))
    console.write("20260105", row("1", fee="11"))

    def carried_out(path: str, fields: dict[str, str], decider: str = "reviewer") -> Job:
        become(NAMES.web)
        answer = as_("administrator").post(path, {"reason": "r", **fields})
        assert answer.status_code == 302, answer.content.decode()
        job = Job.objects.order_by("created_at").last()
        assert job
        become(NAMES.exec)
        work.run(job.pk)
        become(NAMES.web)
        job = Job.objects.select_related("plan").get(pk=job.pk)
        if job.state == "awaiting approval":
            verdict = {"digest": job.plan.digest, "verdict": "approve", "reason": "", "password": "pass-word-1"}
            answer = as_(decider).post(f"{job.get_absolute_url()}decision/", verdict)
            assert answer.status_code == 302, answer.content.decode()
        become(NAMES.exec)
        work.run(job.pk)
        job.refresh_from_db()
        assert job.state == "succeeded", job.error
        return job

    archived = carried_out(f"/runs/{run}/archive/", {"retention_days": "90"})
    assert console.connection.execute("SELECT count(*) FROM stg.visits_archive").fetchone() == (1,)
    job = carried_out(f"/runs/{run}/reprocess/", {"source": "files", "which": "all"})
    assert console.staged()["1"][0] == "11.00" and Decision.objects.filter(request__job=job, verdict="approve").exists()
    reconcile(now=timezone.now())
    assert not database.may_seal() and not Seal.objects.exists()
    become(NAMES.web)
    ((set_id,),) = console.connection.execute("SELECT set_id::text FROM restage.archive_sets").fetchall()
    for path in ("/runs/", f"/runs/{run}/", "/jobs/", job.get_absolute_url(), archived.get_absolute_url(), "/archives/",
                 f"/archives/{set_id}/", "/approvals/", "/approvals/rules/", "/audit/", "/discovery/", "/freshness/",
                 "/downstream/", "/schedules/", "/breakers/", "/archives/retention/", "/", "/recovery/", "/lineage/",
                 "/quality/", "/alerts/", "/notifications/", "/approvals/windows/",
                 "/approvals/emergencies/", "/account/tokens/", "/api/v1/jobs/", "/api/v1/approvals/"):  # fmt: skip
        assert as_("administrator").get(path).status_code == 200, path
    held = as_("administrator").post(f"/archives/{set_id}/holds/", {"reason": "asked for by law"}, follow=True)
    assert "asked for by law" in held.content.decode()
    assert as_("reviewer").post("/approvals/rules/draft/begin/").status_code == 302
    carried_out(f"{job.get_absolute_url()}rollback/", {})
    assert console.staged()["1"][0] == "10.00" and console.violations() == 0
    become(NAMES.seal)
    assert database.may_seal() and sealing.seal() is not None
    with pytest.raises(ProgrammingError), transaction.atomic():
        Job.objects.exists()


OF_THE_CONSOLE = {
    "web": [
        "UPDATE audit_event SET actor_name = 'x'",
        "DELETE FROM audit_event",
        "TRUNCATE audit_event",
        "INSERT INTO audit_seal (number) VALUES (1)",
        "UPDATE approvals_decision SET verdict = 'approve'",
        "DELETE FROM approvals_decision",
        "DELETE FROM approvals_ruleversion",
        "DELETE FROM api_token",
        "ALTER TABLE approvals_ruleversion DISABLE TRIGGER ALL",
        "ALTER TABLE audit_event DISABLE TRIGGER ALL",
        "DROP TRIGGER approvals_rules_stay ON approvals_ruleversion",
        "CREATE OR REPLACE FUNCTION approvals_rules_stay() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
        "CREATE TABLE mine ()",
    ],
    "exec": [
        "INSERT INTO approvals_decision (verdict) VALUES ('approve')",
        "UPDATE approvals_decision SET verdict = 'approve'",
        "UPDATE approvals_request SET digest = 'd'",
        "UPDATE approvals_request SET why = '[]'",
        "UPDATE approvals_request SET expires_at = now()",
        "DELETE FROM approvals_request",
        "INSERT INTO approvals_ruleversion (state) VALUES ('draft')",
        "UPDATE approvals_ruleversion SET state = 'former'",
        "DELETE FROM approvals_ruleversion",
        "UPDATE jobs_plan SET reason = 'x'",
        "UPDATE jobs_plan SET options = '{}'",
        "DELETE FROM jobs_plan",
        "UPDATE auth_user SET is_superuser = true",
        "INSERT INTO auth_user_groups (user_id, group_id) VALUES (1, 1)",
        "INSERT INTO auth_group (name) VALUES ('x')",
        "SELECT * FROM django_session",
        "SELECT * FROM api_token",
        "INSERT INTO api_token (name) VALUES ('x')",
        "UPDATE audit_event SET actor_name = 'x'",
        "DELETE FROM audit_event",
        "INSERT INTO audit_seal (number) VALUES (1)",
        "UPDATE audit_seal SET head = 'x'",
    ],
    "seal": [
        "INSERT INTO audit_event (action) VALUES ('x')",
        "UPDATE audit_event SET action = 'x'",
        "UPDATE audit_seal SET head = 'x'",
        "DELETE FROM audit_seal",
        "SELECT * FROM jobs_job",
        "SELECT * FROM auth_user",
        "INSERT INTO approvals_decision (verdict) VALUES ('approve')",
    ],
}
OF_THE_WAREHOUSE = {
    "web": [
        *(f"{act} {table}" for table in ("raw.visits", "stg.visits", "stg.visits_archive") for act in ("DELETE FROM",)),
        "UPDATE stg.visits SET fee = 0",
        "INSERT INTO stg.visits (visit_id) VALUES ('1')",
        "INSERT INTO raw.visits (visit_id) VALUES ('1')",
        "INSERT INTO stg.visits_archive (visit_id) VALUES ('1')",
        "TRUNCATE stg.visits",
        "UPDATE etl.load_run_files SET superseded_at = now()",
        "INSERT INTO etl.load_runs (status, triggered_by) VALUES ('x', 'y')",
        "INSERT INTO restage.job_fences VALUES (gen_random_uuid(), 1)",
        "DELETE FROM restage.job_steps",
        "DELETE FROM restage.effects",
        "UPDATE restage.before_images SET image = '{}'",
        "CREATE TABLE restage_build.x ()",
        "CREATE TABLE stg.x ()",
    ],
    "exec": ["DROP TABLE stg.visits", "ALTER TABLE stg.visits DISABLE TRIGGER ALL", "DROP TABLE restage.effects"],
    "seal": ["SELECT * FROM stg.visits", "SELECT * FROM restage.effects", "SELECT * FROM etl.load_runs"],
}


def test_the_databases_refuse_each_role_what_is_not_its_work(become: Become, console: House, settings):
    for role, statements in OF_THE_CONSOLE.items():
        become(getattr(NAMES, role))
        for statement in statements:
            with pytest.raises(ProgrammingError, match=REFUSES), transaction.atomic(), connection.cursor() as cursor:
                cursor.execute(statement)
    for role, statements in OF_THE_WAREHOUSE.items():
        become(getattr(NAMES, role))
        with psycopg.connect(settings.WAREHOUSE_URL, autocommit=True) as session:
            for statement in statements:
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    session.execute(statement.encode())


def test_a_worker_lets_requests_lapse_and_cannot_approve_them(become: Become, console: House, as_, people):
    ruling.limit(0)
    run = console.deliver("20260105", row("1"))
    become(NAMES.web)
    as_("operator").post(f"/runs/{run}/reprocess/", {"source": "files", "which": "all", "reason": "r"})
    job = Job.objects.get()
    become(NAMES.exec)
    work.run(job.pk)
    request = Request.objects.get(job=job)
    with pytest.raises(DatabaseError), transaction.atomic():
        Request.objects.filter(pk=request.pk).update(state="approved")
    with pytest.raises(DatabaseError), transaction.atomic():
        Job.objects.filter(pk=job.pk).update(state="queued")


def test_the_command_prints_and_applies(told, made, console: House):
    shown = told("roles", "--prefix", NAMES.prefix)
    assert shown["roles"] == list(NAMES.all) and not shown["applied"]
    assert any(each.startswith("GRANT SELECT, INSERT ON") and "audit_event" in each for each in shown["console"])
    assert told("roles", "--prefix", NAMES.prefix, "apply")["applied"]
    assert told("roles", "--prefix", NAMES.prefix, "apply")["console"] == shown["console"], "it can be run again"
    assert "small letters" in told("roles", "--prefix", 'x"; DROP', code=2)["error"]
    held = console.connection.execute("SELECT has_table_privilege(%s, 'stg.visits', 'INSERT')", [NAMES.web]).fetchone()
    assert held == (False,)


def test_the_sealer_goes_on_until_it_is_stopped(told, people, monkeypatch):
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        record(people["viewer"], "looked", people["viewer"])
        if len(slept) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr("time.sleep", sleep)
    with pytest.raises(KeyboardInterrupt):
        told("audit", "seal", "--every", "5")
    assert slept == [5.0, 5.0, 5.0]
    for wrong in ("0", "-1", "nan", "inf"):
        assert "from 1 to" in told("audit", "seal", "--every", wrong, code=2)["error"]


def test_a_page_says_that_the_role_may_not(become: Become, console: House, as_):
    become(NAMES.seal)
    become(NAMES.web)
    console.connection.execute(f"REVOKE INSERT ON restage.archive_retention FROM {NAMES.web}".encode())
    fields = {"table": "", "words": "", "days": "40", "reason": "r"}
    answer = as_("administrator").post("/archives/retention/", fields)
    assert answer.status_code == 503 and "manage.py roles apply" in answer.content.decode()
