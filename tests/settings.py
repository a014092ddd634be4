"""The console's settings on the tests' own embedded server (kept between runs, apart from the demo's)."""

import os
from pathlib import Path

from config import databases

os.environ.setdefault("RESTAGE_HOME", str(Path(__file__).resolve().parent.parent / ".restage" / "test"))
databases.provide()

from config.settings import *  # noqa: E402, F403  the databases must stand first

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

DATABASES["warehouse"]["TEST"] = {"MIRROR": "default"}  # noqa: F405  each test brings its own (conftest.console)
