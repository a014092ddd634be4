"""A setting that cannot be meant is told in one line, before anything starts; nothing else is refused."""

import json
import os
import subprocess
import sys

import pytest

from config import environment
from tests.stack import MANAGE

GOOD = {
    "RESTAGE_WORKERS": ["1", "64"],
    "RESTAGE_LEASE_SECONDS": ["1", "2.5", "86400"],
    "RESTAGE_BEFORE_IMAGE_DAYS": ["0", "0.5", "36500"],
    "RESTAGE_ARCHIVE_DAYS": ["1", "36500"],
    "RESTAGE_ORPHAN_HOURS": ["0", "1.5"],
    "RESTAGE_TIME_ZONE": ["UTC", "Pacific/Auckland"],
    "RESTAGE_PROXIES": ["10.0.0.7", "10.1.0.0/24 ::1 2001:db8::/32"],
    "RESTAGE_DATABASE_URL": [
        "postgresql://u:p@h:5432/db",
        "postgres://h/db",
        "postgresql:///db",
        "postgresql://[::1]/d",
    ],
}
WRONG = {
    "RESTAGE_WORKERS": ["", "0", "65", "-1", "abc", "2.5", "²", "9" * 5000],
    "RESTAGE_LEASE_SECONDS": ["", "0", "nan", "inf", "soon", "86401"],
    "RESTAGE_BEFORE_IMAGE_DAYS": ["", "x", "-1", "nan", "1e9"],
    "RESTAGE_ARCHIVE_DAYS": ["", "1.5", "-1", "x", "999999"],
    "RESTAGE_ARCHIVE_LEAST_DAYS": ["1.5"],
    "RESTAGE_ORPHAN_HOURS": ["", "x", "-1"],
    "RESTAGE_WAL_KEEP_FREE_MB": ["", "1.5", "x"],
    "RESTAGE_TIME_ZONE": ["", "Nowhere", "../etc/passwd", "/etc/localtime", "Pacific", "\0"],
    "RESTAGE_PROXIES": ["", "proxy.example", "10.0.0.7,10.0.0.8", "10.0.0.1/24"],
    "RESTAGE_DATABASE_URL": ["", "h/db", "mysql://h/db", "postgresql://h", "postgresql://h:x/db", "postgresql://[h/db"],
    "RESTAGE_WAREHOUSE_URL": ["sqlite:///db"],
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in GOOD.items() for value in values])
def test_what_can_be_meant_is_taken(name: str, value: str):
    assert environment.complaints({name: value, "OTHER": "abc"}) == []


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in WRONG.items() for value in values])
def test_what_cannot_be_meant_is_named_with_what_is_allowed(name: str, value: str):
    (told,) = environment.complaints({name: value})
    assert told.startswith(name) and "it must be a" in told.replace("must be the", "must be a") and len(told) < 240
    assert "URL" not in name or not value or value not in told, "it may hold a password"


def started(*words: str, **wrong: str) -> "subprocess.CompletedProcess[str]":
    env = {**os.environ, "DJANGO_SETTINGS_MODULE": "config.settings", **wrong}
    return subprocess.run(
        [sys.executable, *words], env=env, capture_output=True, text=True, check=False, timeout=60, cwd=MANAGE.parent
    )


def test_every_command_stops_with_one_line():
    done = started(str(MANAGE), "worker", RESTAGE_WORKERS="abc")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "RESTAGE_WORKERS is 'abc'; it must be a whole number from 1 to 64. Nothing was started.\n"


def test_with_json_it_is_an_object_too():
    done = started(str(MANAGE), "discover", "--json", RESTAGE_WAREHOUSE_URL="mysql://root:secret@h/db")
    assert done.returncode == 2 and "secret" not in done.stdout + done.stderr
    assert (
        "RESTAGE_WAREHOUSE_URL cannot be used; it must be a URL like postgresql://" in json.loads(done.stdout)["error"]
    )


def test_the_web_process_stops_too():
    done = started("-m", "gunicorn", "config.wsgi", "--bind", "127.0.0.1:0", RESTAGE_TIME_ZONE="Nowhere")
    assert done.returncode and "Traceback" not in done.stderr
    assert "RESTAGE_TIME_ZONE is 'Nowhere'; it must be the name of a time zone" in done.stdout + done.stderr
