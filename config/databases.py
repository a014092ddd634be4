"""Which PostgreSQL the console and the warehouse live in: by URL, else the embedded server."""

import os
import sys
from pathlib import Path
from urllib.parse import unquote, urlsplit

from config import embedded

CONSOLE_URL = "RESTAGE_DATABASE_URL"
WAREHOUSE_URL = "RESTAGE_WAREHOUSE_URL"


def home() -> Path:
    """RESTAGE_HOME, or `.restage` in the checkout: the embedded server, its log, the sample's files."""
    return Path(os.environ.get("RESTAGE_HOME", Path(__file__).resolve().parent.parent / ".restage")).resolve()


def provide() -> None:
    """Start or join the embedded server for each of the two URLs that is not set; exit with the reason if not."""
    if CONSOLE_URL in os.environ and WAREHOUSE_URL in os.environ:
        return
    try:
        server = embedded.use(home())
    except (embedded.EmbeddedServerError, OSError) as error:
        sys.exit(
            f"{error}\nNothing was changed. RESTAGE_DATABASE_URL and RESTAGE_WAREHOUSE_URL can name other servers."
        )
    os.environ.setdefault(CONSOLE_URL, server.url("restage"))
    os.environ.setdefault(WAREHOUSE_URL, server.url("warehouse"))


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
