"""The console's settings on the tests' own embedded server, apart from the demo's."""

import os

import psycopg

from config import databases
from tests import home

if "RESTAGE_HOME" not in os.environ:
    os.environ["RESTAGE_HOME"] = str(home.choose())
os.environ.setdefault("RESTAGE_BACKUPS", "off")  # the tests of recovery have a server of their own
databases.provide()

# The tests' server is thrown away with its data: it need not outlive a crash of the machine.
if databases.EMBEDDED_CONSOLE in os.environ:
    with psycopg.connect(os.environ[databases.CONSOLE_URL], autocommit=True) as server:
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):
            server.execute(f"ALTER SYSTEM SET {setting} = off".encode())
        server.execute("SELECT pg_reload_conf()")

os.environ["RESTAGE_AUDIT_HEADS"] = ""  # a test that seals brings its own place

from config.settings import *  # noqa: E402, F403  the databases must stand first

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

DATABASES["warehouse"]["TEST"] = {"MIRROR": "default"}  # noqa: F405  each test brings its own (conftest.console)
