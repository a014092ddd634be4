"""Takes witnesses of staging from time to time, so that a drill knows what it must find at a moment of the past."""

import random
from contextlib import suppress

import psycopg
from django.conf import settings

from jobs.kinds import Run
from warehouse import registry, witnesses
from warehouse.connections import connect
from warehouse.progress import Progress
from warehouse.witnesses import Witness

_chance = random.SystemRandom()


def witness(connection: psycopg.Connection, run: Run, *, chance: random.Random = _chance) -> Witness | None:
    """Note what a table of staging, chosen by chance among those that hold rows, holds now. None where none does, or
    the table is being written: the next time will do."""
    extract = _any_table(connection, chance)
    if extract is None:
        return None
    run.progress(Progress(f"note what stg.{extract} holds"))
    with suppress(psycopg.errors.LockNotAvailable), connect(settings.WAREHOUSE_URL, purpose="witness") as other:
        return witnesses.take(connection, other, registry.current().of_table(extract))
    return None


def _any_table(connection: psycopg.Connection, chance: random.Random) -> str | None:
    tables = witnesses.with_rows(connection, registry.current())
    return chance.choice(tables) if tables else None
