"""Settings, all from the environment (README, "Settings")."""

import os
import secrets
import tomllib
from ipaddress import ip_network
from pathlib import Path

from config import databases, embedded

BASE_DIR = Path(__file__).resolve().parent.parent
HOME = databases.home()


def _key(variable: str, file: str) -> str:
    """The key that a variable gives, or one made once for this home."""
    if chosen := os.environ.get(variable):
        return chosen
    path = HOME / file
    if not path.exists():
        HOME.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.write_text(secrets.token_urlsafe(50))
    return path.read_text()


SECRET_KEY = _key("RESTAGE_SECRET_KEY", "secret_key")
AUDIT_KEY = _key("RESTAGE_AUDIT_KEY", "audit_key")
# Where the heads of the sealed trail are kept outside of the database: folders or URLs, divided by spaces.
AUDIT_HEADS = os.environ.get("RESTAGE_AUDIT_HEADS", str(HOME / "audit-heads")).split()
DEBUG = False
VERSION = tomllib.loads((BASE_DIR / "pyproject.toml").read_text())["project"]["version"]
# The proxies in front, whose X-Forwarded-For is believed: addresses or networks, divided by spaces.
PROXIES = [ip_network(each) for each in os.environ.get("RESTAGE_PROXIES", "").split()]
ALLOWED_HOSTS = os.environ.get("RESTAGE_HOSTS", "127.0.0.1,localhost,[::1]").split(",")

CONSOLE_URL = os.environ.get(databases.CONSOLE_URL, "postgresql://127.0.0.1/restage")
WAREHOUSE_URL = os.environ.get(databases.WAREHOUSE_URL, "postgresql://127.0.0.1/warehouse")
EXTRACT_FOLDERS = [Path(p) for p in os.environ.get("RESTAGE_EXTRACTS", "").split(os.pathsep) if p]
# What this console is about, as approval rules name it.
ENVIRONMENT = os.environ.get("RESTAGE_ENVIRONMENT", "production")
SOURCE = os.environ.get("RESTAGE_SOURCE", str(HOME / "deliveries"))
ARCHIVE = os.environ.get("RESTAGE_ARCHIVE", str(HOME / "archive"))
# Point-in-time recovery: the embedded server's own backups, else another program's by its commands (docs/recovery.md).
BACKUPS = os.environ.get(databases.EMBEDDED_BACKUPS, "") if os.environ.get("RESTAGE_BACKUPS", "on") != "off" else ""
BINARIES = os.environ.get(databases.EMBEDDED_BINARIES) or str(embedded.installed_binaries())
RECOVERY_COMMAND = os.environ.get("RESTAGE_RECOVERY_COMMAND", "")
RECOVERY_WAL = os.environ.get("RESTAGE_RECOVERY_WAL", "")
RECOVERED = os.environ.get("RESTAGE_RECOVERY_FOLDER") or str(
    Path(BACKUPS).parent.parent / "recovered" if BACKUPS else HOME / "recovered"
)
BACKUP_HOURS = float(os.environ.get("RESTAGE_BACKUP_HOURS", "24"))
BACKUP_DAYS = float(os.environ.get("RESTAGE_BACKUP_DAYS", "7"))
RECOVERY_GOAL_MINUTES = float(os.environ.get("RESTAGE_RECOVERY_GOAL_MINUTES", "60"))
# Who sends it may read /metrics and the parts of /healthz; without one, only who asks from this machine.
METRICS_TOKEN = os.environ.get("RESTAGE_METRICS_TOKEN", "")
DRILL_DAYS = float(os.environ.get("RESTAGE_DRILL_DAYS", "7"))
# Notifications (docs/notifications.md): where links lead, which hosts of ours they may go to, how often at most.
BASE_URL = os.environ.get("RESTAGE_BASE_URL", "").rstrip("/")
NOTIFY_HOSTS = frozenset(os.environ.get("RESTAGE_NOTIFY_HOSTS", "").lower().replace(",", " ").split())
NOTIFY_MINUTES = float(os.environ.get("RESTAGE_NOTIFY_MINUTES", "15"))

# Approvals: who else may approve what nobody has decided for so long, how long an approval may wait for a worker, and
# how long a login counts as the proof of who decides.
ESCALATE_TO = os.environ.get("RESTAGE_ESCALATE_TO", "administrator")
ESCALATE_HOURS = float(os.environ.get("RESTAGE_ESCALATE_HOURS", "48"))
APPROVAL_HOURS = float(os.environ.get("RESTAGE_APPROVAL_HOURS", "24"))
OTP_TOTP_ISSUER = "Restage"
CONFIRM_MINUTES = float(os.environ.get("RESTAGE_CONFIRM_MINUTES", "5"))

# Where OpenLineage events go: files and http(s) URLs, divided by spaces (docs/lineage.md).
OPENLINEAGE = os.environ.get("RESTAGE_OPENLINEAGE", "").split()
OPENLINEAGE_KEY = os.environ.get("RESTAGE_OPENLINEAGE_KEY", "")
OPENLINEAGE_NAMESPACE = os.environ.get("RESTAGE_OPENLINEAGE_NAMESPACE", "restage")

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "django_htmx",
    "template_partials",
    "csp",
    "django_q",
    "config",
    "api",
    "monitoring.alerts",
    "notifications",
    "lineage",
    "monitoring.verdicts",
    "monitoring",
    "reprocessing",
    "archives",
    "access",
    "django_otp",
    "django_otp.plugins.otp_totp",
    "django_otp.plugins.otp_static",
    "approvals",
    "jobs",
    "audit",
    "warehouse",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "config.zone.ZoneMiddleware",
    "config.problems.ProblemMiddleware",
    "config.trail.TrailMiddleware",
]
ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "config.context.frame",
            ],
        },
    }
]
DATABASES = {
    "default": databases.django_settings(CONSOLE_URL),
    "warehouse": databases.read_only_settings(WAREHOUSE_URL),
}
DATABASE_ROUTERS = ["config.databases.Router"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

LANGUAGE_CODE = "en"
TIME_ZONE = os.environ.get("RESTAGE_TIME_ZONE", "Pacific/Auckland")
USE_TZ = True
USE_THOUSAND_SEPARATOR = False

STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
WHITENOISE_USE_FINDERS = True
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "login"

# The API (docs/api.md): JSON alone, errors in our own words. Addresses are those of the connection, never of a header.
REST_FRAMEWORK = {
    "EXCEPTION_HANDLER": "api.problems.answer",
    "DEFAULT_SCHEMA_CLASS": "api.schema.Described",
    "NUM_PROXIES": 0,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Restage",
    "DESCRIPTION": "Reprocess, archive and restore the load runs of a warehouse. docs/api.md has a worked example.",
    "VERSION": VERSION,
    "OAS_VERSION": "3.1.0",
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "POSTPROCESSING_HOOKS": [],
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "APPEND_COMPONENTS": {
        "securitySchemes": {
            "token": {"type": "apiKey", "in": "header", "name": "Authorization", "description": "Token restage_…"},
            "session": {"type": "apiKey", "in": "cookie", "name": "sessionid", "description": "with X-CSRFToken"},
        }
    },
}

SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_AGE = 8 * 3600
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "object-src": ["'none'"],
        "base-uri": ["'none'"],
        "frame-ancestors": ["'none'"],
        "form-action": ["'self'"],
    }
}

# The doorbell (design: the queue carries a job id and nothing else). The time limit is ours: jobs renew a lease,
# so the queue must never hand a running one out again on its own.
Q_CLUSTER = {
    "name": "restage",
    "orm": "default",
    "workers": int(os.environ.get("RESTAGE_WORKERS", "2")),
    "timeout": 6 * 3600,
    "retry": 7 * 3600,
    "queue_limit": 1,
    "bulk": 1,
    "max_attempts": 1,
    "ack_failures": True,
    "save_limit": -1,
    "catch_up": False,
    "scheduler": False,
    "label": "Restage",
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": "WARNING"},
    "loggers": {
        "django-q": {"level": "WARNING"},
        "django.request": {"level": "ERROR"},
        # what these say may hold parts of a channel's address
        "apprise": {"level": "CRITICAL", "propagate": False},
        "urllib3": {"level": "ERROR"},
    },
}
