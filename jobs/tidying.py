"""Clears up in the warehouse after jobs that are over: what they had built aside."""

from contextlib import suppress
from datetime import datetime

import psycopg
from django.conf import settings

from jobs.models import Job
from warehouse import aside
from warehouse.connections import connect
from warehouse.errors import PassingError
from warehouse.journal import tag_of


def sweep(now: datetime) -> None:
    """Drop what no workable job needs. Where the warehouse does not answer, the next round does it."""
    with suppress(PassingError, psycopg.Error), connect(settings.WAREHOUSE_URL, purpose="tidying") as connection:
        found = aside.tags(connection)  # first: a job that begins after this has nothing aside yet
        if found:
            wanted = {tag_of(pk) for pk in Job.objects.filter(state__in=Job.WORKABLE).values_list("pk", flat=True)}
            aside.sweep_tags(connection, found - wanted)
