"""The command line of Restage: `python manage.py COMMAND`."""

import os
import sys

import django
from django.core.management import execute_from_command_line, get_commands

from audit import circumstances
from config import databases, environment
from warehouse import registry
from warehouse.commands import JSON, stop
from warehouse.declarations import DeclarationError

# The rooms whose commands find the embedded databases up to date.
ROOMS = frozenset(
    {
        *("config", "monitoring", "notifications", "lineage", "reprocessing", "archives", "approvals", "jobs"),
        *("access", "warehouse", "api"),
    }
)


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    as_json = JSON in sys.argv
    if wrong := environment.complaints(os.environ):
        stop("\n".join(wrong), 2, as_json=as_json)
    try:
        registry.current()
        databases.provide()
    except DeclarationError as error:
        stop(f"{error}\nNothing was started.", 1, as_json=as_json)
    except databases.NoServerError as error:
        stop(str(error), 1, as_json=as_json)
    if sys.argv[1:2] and not {"-h", "--help"} & set(sys.argv):
        django.setup()
        if get_commands().get(sys.argv[1], "").partition(".")[0] in ROOMS:
            from config.embedded_setup import bring_up_to_date

            bring_up_to_date()
    with circumstances.of(circumstances.COMMAND):
        execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
