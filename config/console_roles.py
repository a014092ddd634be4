"""What the roles of Restage may do in the console's database. Neither the web process nor a worker alone can both
approve a job and carry it out: what is approved stands where a worker cannot write, and the warehouse's data where the
web process cannot.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from django.apps import apps
from django.db import connection
from django.db.backends.utils import CursorWrapper
from psycopg.sql import SQL, Composable, Composed, Identifier

from warehouse.roles import Names

EVERYTHING = "SELECT, INSERT, UPDATE, DELETE"
MIGRATIONS = "django_migrations"
# Apps whose tables a worker only reads: who people are, what they may do, what they have decided, and by what rules.
READ_BY_WORKERS = ("auth", "contenttypes", "approvals", "access")
HIDDEN_FROM_WORKERS = ("sessions", "otp_totp", "otp_static", "api")
# A worker freezes the plan that it has previewed; of what is asked, when and why it changes nothing.
FROZEN_BY_WORKERS = ("included", "excluded", "preview", "digest")
TOLD_BY_WORKERS = ("overdue_told",)
KEPT_FROM_WORKERS = (
    *("id", "job_id", "follows_id", "digest", "policy", "why", "created_at", "expires_at"),
    *("escalates_to", "escalates_at", "window", "valid_until"),
)
WEB: dict[str, str] = {
    "audit_event": "SELECT, INSERT",
    "audit_seal": "SELECT",
    "approvals_decision": "SELECT, INSERT",
    "approvals_comment": "SELECT, INSERT",
    "approvals_ruleversion": "SELECT, INSERT, UPDATE",
    "api_token": "SELECT, INSERT, UPDATE",
    MIGRATIONS: "SELECT",
}
EXEC: dict[str, str] = {
    "audit_event": "SELECT, INSERT",
    "audit_seal": "SELECT",
    "audit_view": "SELECT",
    "approvals_request": "SELECT, INSERT",
    "jobs_plan": "SELECT, INSERT",
    MIGRATIONS: "SELECT",
}
SEAL: dict[str, str] = {"audit_event": "SELECT", "audit_seal": "SELECT, INSERT"}


def statements(names: Names) -> list[Composable]:
    """The grants in the console's database, which must be migrated."""
    return [
        SQL("REVOKE CREATE ON SCHEMA public FROM PUBLIC"),
        *_owned(names),
        *(SQL("GRANT USAGE ON SCHEMA public TO {}").format(Identifier(role)) for role in names.all),
        *_granted(names.web, {table: WEB.get(table, EVERYTHING) for table in tables()}),
        *_granted(names.exec, {table: EXEC.get(table, _of_worker(app)) for table, app in tables().items()}),
        *_columns(names.exec),
        *_granted(names.seal, {table: SEAL.get(table, "") for table in tables()}),
    ]


def tables() -> dict[str, str]:
    """Table of the console → its app."""
    models = [model for model in apps.get_models(include_auto_created=True) if model._meta.app_label != "warehouse"]
    found = {model._meta.db_table: model._meta.app_label for model in models if model._meta.managed}
    return {**dict(sorted(found.items())), MIGRATIONS: "migrations"}


def _of_worker(app: str) -> str:
    if app in HIDDEN_FROM_WORKERS:
        return ""
    return "SELECT" if app in READ_BY_WORKERS else EVERYTHING


def _owned(names: Names) -> Iterator[Composed]:
    """Sequences follow their tables. Who migrates is the owner: nobody else changes a table or takes a trigger away."""
    owner = Identifier(names.owner)
    yield SQL("GRANT CREATE ON SCHEMA public TO {}").format(owner)
    for table in tables():
        yield SQL("ALTER TABLE public.{} OWNER TO {}").format(Identifier(table), owner)
    for function in _functions():
        yield SQL("ALTER FUNCTION public.{}() OWNER TO {}").format(Identifier(function), owner)


def _functions() -> list[str]:
    """The trigger functions of the console's tables."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT p.proname FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid JOIN pg_namespace n"
            " ON n.oid = p.pronamespace WHERE n.nspname = 'public' AND NOT t.tgisinternal ORDER BY 1"
        )
        return [name for (name,) in cursor.fetchall()]


def _granted(role: str, rights: dict[str, str]) -> Iterator[Composed]:
    """Exactly these rights, and the sequences of the tables that it may add to."""
    for table, granted in rights.items():
        parts: dict[str, Any] = {"table": Identifier(table), "role": Identifier(role)}
        yield SQL("REVOKE ALL ON public.{table} FROM {role}").format(**parts)
        if granted:
            yield SQL("GRANT {rights} ON public.{table} TO {role}").format(rights=SQL(granted), **parts)
    adds = {table for table, granted in rights.items() if "INSERT" in granted}
    for table, sequence in _sequences():
        if table in adds:
            yield SQL("GRANT USAGE ON SEQUENCE public.{} TO {}").format(Identifier(sequence), Identifier(role))


def _sequences() -> list[tuple[str, str]]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT t.relname, s.relname FROM pg_class s JOIN pg_depend d ON d.objid = s.oid"
            " AND d.deptype IN ('a', 'i') JOIN pg_class t ON t.oid = d.refobjid"
            " JOIN pg_namespace n ON n.oid = s.relnamespace"
            " WHERE s.relkind = 'S' AND n.nspname = 'public' ORDER BY 1, 2"
        )
        return [(table, sequence) for table, sequence in cursor.fetchall()]


def _columns(role: str) -> Iterator[Composed]:
    """A worker freezes plans, reminds of requests, lets those lapse that nobody decided, and marks late reviews."""
    request = apps.get_model("approvals", "Request")
    lapses = [f.column for f in request._meta.concrete_fields if f.column not in KEPT_FROM_WORKERS]
    granted = {"jobs_plan": FROZEN_BY_WORKERS, "approvals_request": lapses, "approvals_emergency": TOLD_BY_WORKERS}
    for table, columns in granted.items():
        yield SQL("GRANT UPDATE ({}) ON public.{} TO {}").format(
            SQL(", ").join([Identifier(str(column)) for column in columns]), Identifier(table), Identifier(role)
        )


def run(statements: Iterable[Composable]) -> None:
    """Raises ProgrammingError where this connection may not grant; then the console is as it was."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # a check that waits keeps a table from being altered
        for statement in statements:
            cursor.execute(text(cursor, statement))


def text(cursor: CursorWrapper, statement: Composable) -> str:
    return statement.as_string(cursor.connection)
