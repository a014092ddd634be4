"""Where the benchmarks run: their server, and databases of the console and the warehouse that go with them."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg
from psycopg import sql

from config import databases, embedded

ROOT = Path(__file__).resolve().parent.parent


def home() -> Path:
    return Path(os.environ.get("RESTAGE_HOME", ROOT / ".restage" / "bench"))


def server() -> str:
    """The URL of BENCH_SERVER, or of the embedded server of the benchmarks' own home."""
    return os.environ.get("BENCH_SERVER") or embedded.use(home()).url("postgres")


@contextmanager
def two_databases(server: str) -> Iterator[dict[str, str]]:
    """Setting → URL of a new, empty database; both live as long as the block."""
    names = {key: f"bench_{uuid4().hex[:8]}" for key in (databases.CONSOLE_URL, databases.WAREHOUSE_URL)}
    with psycopg.connect(server, autocommit=True) as admin:
        for name in names.values():
            admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        try:
            yield {key: urlsplit(server)._replace(path=f"/{name}").geturl() for key, name in names.items()}
        finally:
            for name in names.values():
                admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
