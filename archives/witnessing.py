"""Takes witnesses of staging from time to time, so that a drill knows what it must find at a moment of the past."""

import secrets
from contextlib import suppress

import psycopg
from django.conf import settings

from jobs.kinds import Run
from warehouse import registry, witnesses
from warehouse.connections import connect
from warehouse.progress import Progress
from warehouse.witnesses import Witness


def witness(connection: psycopg.Connection, run: Run, *, seed: int | None = None) -> Witness | None:
    """Note what a table of staging holds now, one of those that hold rows: `seed` decides which (None: any).

    None where there is none, or the table is being written: the next time will do.
    """
    tables = witnesses.with_rows(connection, registry.current())
    if not tables:
        return None
    table = tables[(secrets.randbits(32) if seed is None else seed) % len(tables)]
    run.progress(Progress(f"note what stg.{table} holds"))
    with suppress(psycopg.errors.LockNotAvailable), connect(settings.WAREHOUSE_URL, purpose="witness") as other:
        return witnesses.take(connection, other, registry.current().of_table(table))
    return None
