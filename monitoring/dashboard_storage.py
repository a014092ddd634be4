"""How much archives hold, what of it goes when, and what is on hold."""

from dataclasses import dataclass
from datetime import datetime

import psycopg
from django.conf import settings
from django.urls import reverse

from monitoring.charts import Chart, Series, over_time
from monitoring.periods import Period
from monitoring.tables import BYTES, COUNT, Column, Linked, Table
from warehouse import archive_growth, archive_search
from warehouse.archive_search import Sums, Wanted


@dataclass(frozen=True)
class Storage:
    sets: Table
    all: Sums
    growth: Chart


def look(connection: psycopg.Connection, period: Period, now: datetime) -> Storage:
    everything = archive_search.sums(connection, Wanted())
    expiring = archive_search.expiring(connection, now)
    held = archive_search.sums(connection, Wanted(held="yes"))
    lines = [
        ("Kept now", everything, ""),
        *((f"To be removed within {days} days", sums, f"?expires={days}&held=no") for days, sums in expiring.items()),
        ("On hold", held, "?held=yes"),
    ]
    rows = [
        (told, Linked(sums.entries, reverse("archives") + query), sums.rows, sums.bytes) for told, sums, query in lines
    ]
    columns = (Column("Archives"), Column("Sets", COUNT), Column("Rows", COUNT), Column("Size", BYTES))
    days = archive_growth.days(connection, period.start, period.stop, settings.TIME_ZONE)
    at = {day.bucket.timestamp(): day.bytes for day in days}
    values = [at.get(moment.timestamp(), 0) for moment in period.days]
    growth = over_time(
        "archived", "Archived, by size", period.days, [Series("archived", "neutral", BYTES, values)], by_hour=False
    )
    return Storage(Table("archives", "Archives", columns, rows), everything, growth)
