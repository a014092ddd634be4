"""The command line of Restage: `python manage.py COMMAND`."""

import os
import sys

from django.core.management import execute_from_command_line

from config import databases


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    databases.provide()
    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
