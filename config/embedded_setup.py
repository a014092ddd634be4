"""The embedded databases belong to Restage alone, so commands keep them up to date; others are left to their owner."""

import os

from django.conf import settings
from django.core.management import call_command

from config import databases
from warehouse import adoption, registry
from warehouse.connections import connect


def bring_up_to_date() -> None:
    """Migrate the console and extend the warehouse where they live in the embedded server."""
    if os.environ.get(databases.EMBEDDED_CONSOLE):
        call_command("migrate", verbosity=0, interactive=False)
    if os.environ.get(databases.EMBEDDED_WAREHOUSE):
        with connect(settings.WAREHOUSE_URL, purpose="apply") as connection:
            adoption.apply(connection, registry.current())
