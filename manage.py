"""The command line of Restage: `python manage.py COMMAND`."""

import os
import sys

import django
from django.core.management import execute_from_command_line

from audit import circumstances
from config import databases
from warehouse import registry
from warehouse.declarations import DeclarationError

OURS = frozenset({"warehouse", "reprocess", "rollback", "discover", "jobs", "worker", "ps", "demo", "audit"})


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    try:
        registry.current()
    except DeclarationError as error:
        sys.exit(f"{error}\nNothing was started.")
    databases.provide()
    if sys.argv[1:2] and sys.argv[1] in OURS and not {"-h", "--help"} & set(sys.argv):
        django.setup()
        from config.embedded_setup import bring_up_to_date

        bring_up_to_date()
    with circumstances.of(circumstances.COMMAND):
        execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
