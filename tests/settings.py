"""The console's settings on the tests' own embedded server, apart from the demo's."""

import os

import psycopg
from psycopg import sql

from config import databases
from tests import home

if "RESTAGE_HOME" not in os.environ:
    os.environ["RESTAGE_HOME"] = str(home.choose())
os.environ.setdefault("RESTAGE_BACKUPS", "off")  # the tests of recovery have a server of their own
databases.provide()


def _guard_lightly(server: psycopg.Connection) -> None:
    """Half of the time of a connection goes into what makes its password hard to guess (from PostgreSQL 16)."""
    light = "SELECT rolpassword LIKE 'SCRAM-SHA-256$1:%' FROM pg_authid WHERE rolname = current_user"
    if server.info.server_version >= 160000 and server.execute(light).fetchone() == (False,):
        server.execute("SET scram_iterations = 1")
        server.execute(sql.SQL("ALTER ROLE CURRENT_USER PASSWORD {}").format(sql.Literal(server.info.password)))


# The tests' server is thrown away with its data: it need not outlive a crash of the machine.
if databases.EMBEDDED_CONSOLE in os.environ:
    with psycopg.connect(os.environ[databases.CONSOLE_URL], autocommit=True) as server:
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):
            server.execute(f"ALTER SYSTEM SET {setting} = off".encode())
        server.execute("SELECT pg_reload_conf()")
        _guard_lightly(server)

os.environ["RESTAGE_AUDIT_HEADS"] = ""  # a test that seals brings its own place

from config.settings import *  # noqa: E402, F403  the databases must stand first

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

DATABASES["warehouse"]["TEST"] = {"MIRROR": "default"}  # noqa: F405  each test brings its own (conftest.console)
