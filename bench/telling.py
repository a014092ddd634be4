"""`python -m bench.telling [N]`: 10,000 jobs fail and as many load runs have refused records; count the messages.

Makes two databases on the bench's server, and has bench/storm.py do the rest in a process of the console.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import psycopg

from bench import places
from bench.figures import Figure, report
from bench.places import ROOT
from config import databases
from warehouse import adoption
from warehouse.registry import SHIPPED, load

STORM = "from bench import storm; storm.main({number}, {result!r})"


def main() -> int:
    number = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    with places.two_databases(places.server()) as urls:
        found = _measure(urls, number)
    return report("telling", found, f"{number:,} of each")


def _measure(urls: dict[str, str], number: int) -> list[Figure]:
    with psycopg.connect(urls[databases.WAREHOUSE_URL], autocommit=True) as connection:
        adoption.apply(connection, load([SHIPPED]))
    env = {
        **{name: value for name, value in os.environ.items() if not name.startswith("RESTAGE_EMBEDDED_")},
        **urls,
        "RESTAGE_NOTIFY_HOSTS": "127.0.0.1",
        "RESTAGE_AUDIT_HEADS": "",
        "DJANGO_SETTINGS_MODULE": "config.settings",
    }
    with tempfile.NamedTemporaryFile("r", suffix=".json") as result:
        manage = [sys.executable, str(ROOT / "manage.py")]
        subprocess.run([*manage, "migrate", "--verbosity", "0"], env=env, check=True)
        code = STORM.format(number=number, result=result.name)
        subprocess.run([*manage, "shell", "-v", "0", "-c", code], env=env, cwd=ROOT, check=True)
        return _read(Path(result.name))


def _read(path: Path) -> list[Figure]:
    """A figure a line: name, value, limit, unit, baseline."""
    found = []
    for line in path.read_text().splitlines():
        name, value, limit, unit, baseline = line.split("\t")
        goal = f"<= {float(limit):g}"
        found.append(Figure(name, float(value), unit, baseline, goal, float(value) <= float(limit)))
    return found


if __name__ == "__main__":
    sys.exit(main())
