"""Which PostgreSQL the console and the warehouse live in: by URL, else the embedded server."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from config import embedded

if TYPE_CHECKING:
    from django.db.models import Model

CONSOLE_URL = "RESTAGE_DATABASE_URL"
WAREHOUSE_URL = "RESTAGE_WAREHOUSE_URL"
# Set for this process and its children where the database is in the embedded server.
EMBEDDED_CONSOLE, EMBEDDED_WAREHOUSE = "RESTAGE_EMBEDDED_CONSOLE", "RESTAGE_EMBEDDED_WAREHOUSE"
# Where that server's base backups and WAL lie, and its programs.
EMBEDDED_BACKUPS, EMBEDDED_BINARIES = "RESTAGE_EMBEDDED_BACKUPS", "RESTAGE_EMBEDDED_BINARIES"


def home() -> Path:
    """RESTAGE_HOME, or `.restage` in the checkout: the embedded server, its log, the sample's files."""
    return Path(os.environ.get("RESTAGE_HOME", Path(__file__).resolve().parent.parent / ".restage")).resolve()


class NoServerError(RuntimeError):
    """The embedded server is needed and cannot be used; the message says why and what to do. Nothing was changed."""


def provide() -> None:
    """Start or join the embedded server for each of the two URLs that is not set. Raises NoServerError."""
    if CONSOLE_URL in os.environ and WAREHOUSE_URL in os.environ:
        return
    try:
        server = embedded.use(home())
    except (embedded.EmbeddedServerError, OSError) as error:
        raise NoServerError(
            f"{error}\nNothing was changed. RESTAGE_DATABASE_URL and RESTAGE_WAREHOUSE_URL can name other servers."
        ) from error
    if WAREHOUSE_URL not in os.environ:
        os.environ[EMBEDDED_BACKUPS], os.environ[EMBEDDED_BINARIES] = str(server.backups()), server.binaries
    for variable, embedded_here, name in (
        (CONSOLE_URL, EMBEDDED_CONSOLE, "restage"),
        (WAREHOUSE_URL, EMBEDDED_WAREHOUSE, "warehouse"),
    ):
        if variable not in os.environ:
            os.environ[variable] = server.url(name)
            os.environ[embedded_here] = "1"


def django_settings(url: str) -> dict[str, object]:
    """A postgresql:// URL as an entry of Django's DATABASES."""
    parts = urlsplit(url)
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path.lstrip("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": parts.hostname or "",
        "PORT": str(parts.port or ""),
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {"connect_timeout": 5},
    }


def read_only_settings(url: str) -> dict[str, object]:
    """The warehouse as Django sees it: for lists and filters only, whatever the role may do."""
    options = "-c default_transaction_read_only=on -c search_path=etl,restage -c statement_timeout=15s"
    found = django_settings(url)
    return {**found, "OPTIONS": {"connect_timeout": 5, "options": options}, "TEST": {"MIGRATE": False}}


class Router:
    """The models of the warehouse room live in the warehouse, and nothing is migrated there."""

    def db_for_read(self, model: type[Model], **hints: object) -> str | None:
        return "warehouse" if model._meta.app_label == "warehouse" else None

    db_for_write = db_for_read

    def allow_migrate(self, db: str, app_label: str, **hints: object) -> bool:
        return db == "default" and app_label != "warehouse"
