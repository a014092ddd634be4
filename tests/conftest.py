"""A warehouse of its own for every test that asks: a copy of a template on the tests' embedded server."""

import gc
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg
import pytest
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import Group, User
from django.core.management import call_command
from django.db import connections
from django.db.backends.postgresql.base import DatabaseWrapper
from django.test import Client
from django.utils import timezone
from psycopg import sql
from pytest_django import DjangoDbBlocker

from access import rights
from approvals import rule_shipped
from approvals.models import RuleVersion
from config import databases
from tests import home
from tests.house import VISITS, House
from tests.stack import MANAGE, Stack
from warehouse import adoption, registry
from warehouse.commands import JSON

CALLS = VISITS.replace("# Visits.", "# Calls.").replace("Visits", "Calls").replace("visit", "call")


def pytest_collection_finish() -> None:
    """What is loaded by now stays: looking through it again and again takes a tenth of the tests' time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


def pytest_unconfigure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):  # the process that others work for is the last one
        home.end()


@pytest.fixture(scope="session")
def extracts_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("extracts")
    (folder / "visits.toml").write_text(VISITS)
    (folder / "calls.toml").write_text(CALLS)
    return folder


@pytest.fixture(scope="session")
def extracts(extracts_folder: Path) -> registry.Registry:
    return registry.load([registry.SHIPPED, extracts_folder])


def _server() -> str:
    """The tests' server: the embedded one, or the one that RESTAGE_TEST_SERVER names."""
    return os.environ.get("RESTAGE_TEST_SERVER", os.environ[databases.WAREHOUSE_URL])


def _url(name: str) -> str:
    return urlsplit(_server())._replace(path=f"/{name}").geturl()


def name_of(url: str) -> str:
    """The database that a URL of this server is about."""
    return urlsplit(url).path.lstrip("/")


@contextmanager
def database(like: str | None = None) -> Iterator[str]:
    """A database that lives as long as the block; gives its URL."""
    name = f"test_{uuid4().hex[:12]}"
    template = sql.SQL("TEMPLATE {}").format(sql.Identifier(like)) if like else sql.SQL("")
    with psycopg.connect(_server(), autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE DATABASE {} {} STRATEGY file_copy").format(sql.Identifier(name), template))
        try:
            yield _url(name)
        finally:
            admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@contextmanager
def shared(name: str, fill: Callable[[str], None]) -> Iterator[str]:
    """A database that the first process of a run makes and `fill`s by its URL, and the last drops; gives its name."""
    made, making, using = sql.Identifier(name), (f"{name} making",), (name,)
    with psycopg.connect(_server(), autocommit=True) as admin:
        admin.execute("SELECT pg_advisory_lock(hashtext(%s))", making)
        if admin.execute("SELECT 1 FROM pg_database WHERE datname = %s", using).fetchone() is None:
            admin.execute(sql.SQL("CREATE DATABASE {} STRATEGY file_copy").format(made))
            fill(_url(name))
        admin.execute("SELECT pg_advisory_lock_shared(hashtext(%s))", using)
        admin.execute("SELECT pg_advisory_unlock(hashtext(%s))", making)
        try:
            yield name
        finally:
            admin.execute("SELECT pg_advisory_unlock_shared(hashtext(%s))", using)
            if admin.execute("SELECT pg_try_advisory_lock(hashtext(%s))", using).fetchone() == (True,):
                admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(made))


@pytest.fixture(scope="session")
def template(extracts: registry.Registry, testrun_uid: str) -> Iterator[str]:
    """An adopted, empty warehouse's name."""

    def adopt(url: str) -> None:
        with psycopg.connect(url, autocommit=True) as connection:
            adoption.apply(connection, extracts)

    with shared(f"test_warehouse_{testrun_uid}", adopt) as name:
        yield name


@pytest.fixture
def warehouse_url(template: str) -> Iterator[str]:
    with database(template) as url:
        yield url


@pytest.fixture(scope="session")
def console_tables(testrun_uid: str) -> Iterator[str]:
    """The name of a console database with its tables, to be copied."""

    def migrate(url: str) -> None:
        env = {**os.environ, databases.CONSOLE_URL: url, "DJANGO_SETTINGS_MODULE": "config.settings"}
        subprocess.run([sys.executable, str(MANAGE), "migrate", "--verbosity", "0"], env=env, check=True)

    with shared(f"test_console_{testrun_uid}", migrate) as name:
        yield name


@pytest.fixture(scope="session")
def migrated(console_tables: str) -> str:
    """What the console's database of a stack is a copy of."""
    return console_tables


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings: None, console_tables: str) -> None:
    """Django's own test database begins as a copy too: its migrations find nothing to do."""
    connections["default"].settings_dict["TEST"]["TEMPLATE"] = console_tables


@pytest.fixture
def stack(
    migrated: str, warehouse_url: str, extracts: registry.Registry, tmp_path: Path, extracts_folder: Path
) -> Iterator[Stack]:
    """The real processes on databases of their own; all of them end with the test."""
    with database(migrated) as console_url, psycopg.connect(warehouse_url, autocommit=True) as connection:
        env = {
            databases.CONSOLE_URL: console_url,
            databases.WAREHOUSE_URL: warehouse_url,
            "RESTAGE_EXTRACTS": str(extracts_folder),
            "RESTAGE_LEASE_SECONDS": "2",
            "RESTAGE_AUDIT_HEADS": str(tmp_path / "audit-heads"),
            "DJANGO_SETTINGS_MODULE": "config.settings",
        }
        made = Stack(House(connection, extracts, tmp_path / "deliveries"), env)
        try:
            yield made
        finally:
            made.stop()


@pytest.fixture
def house(warehouse_url: str, extracts: registry.Registry, tmp_path: Path) -> Iterator[House]:
    with psycopg.connect(warehouse_url, autocommit=True) as connection:
        yield House(connection, extracts, tmp_path / "deliveries")


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """The alias of the warehouse mirrors the console's test database and would hold it open at the end.

    A test that commits is cleaned up after by emptying every table: those that keep all they have may be emptied here,
    and only here.
    """
    with django_db_blocker.unblock(), connections["default"].cursor() as cursor:
        cursor.execute("SELECT tgrelid::regclass, tgname FROM pg_trigger WHERE tgname IN ('audit_table', 'kept_table')")
        for table, trigger in cursor.fetchall():
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER {trigger}")
    yield
    connections["warehouse"].close()


@pytest.fixture
def people(db) -> dict[str, User]:
    """One user of each role, named like it, and a second reviewer; and the rules, where a test before has left none."""
    rule_shipped.ship(RuleVersion.objects, timezone.now())
    wanted = {**{role: role for role in rights.ROLES}, "reviewer2": "reviewer"}
    known = make_password("pass-word-1")
    made = User.objects.bulk_create(User(username=name, password=known) for name in wanted)
    groups = {group.name: group for group in Group.objects.bulk_create(Group(name=role) for role in rights.ROLES)}
    User.groups.through.objects.bulk_create(
        User.groups.through(user=user, group=groups[wanted[user.username]]) for user in made
    )
    return {user.username: user for user in made}


@pytest.fixture
def console(house: House, people, settings, monkeypatch, warehouse_url: str) -> Iterator[House]:
    """The house as the console's warehouse: pages, commands and workers of this process use it."""
    settings.WAREHOUSE_URL = warehouse_url
    monkeypatch.setattr(registry, "current", lambda: house.registry)
    former = connections["warehouse"]
    entry = {**former.settings_dict, **databases.read_only_settings(warehouse_url)}
    connections["warehouse"] = DatabaseWrapper(entry, "warehouse")
    yield house
    connections["warehouse"].close()
    connections["warehouse"] = former


@pytest.fixture
def told(console: House) -> Callable[..., Any]:
    """What a command answers with --json, in this process; it must end with `code`."""

    def asked(*words: str, code: int = 0) -> Any:
        out, ended = StringIO(), 0
        try:
            call_command(*words, JSON, stdout=out, stderr=StringIO())
        except SystemExit as stopped:
            ended = int(str(stopped.code))
        assert ended == code, out.getvalue()
        return json.loads(out.getvalue())

    return asked


@pytest.fixture
def as_(console: House, people) -> Callable[[str], Client]:
    """A browser in which a user of the named role is logged in."""

    def client(role: str) -> Client:
        made = Client()
        made.force_login(people[role])
        return made

    return client
