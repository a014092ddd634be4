"""The re-merge list as CSV, for the page and the command."""

from collections.abc import Iterable, Iterator

import psycopg

from audit import spreadsheet
from reprocessing.key_hashes import hashed
from warehouse import downstream
from warehouse.registry import Extract


def lines(connection: psycopg.Connection, extracts: Iterable[Extract], *, in_clear: bool) -> Iterator[str]:
    """A line at a time, each with its end. A key is a JSON array: it begins as no formula does and stays what it is."""
    columns = downstream.list_columns(in_clear=in_clear)
    yield spreadsheet.line(columns)
    for extract in extracts:
        for row in downstream.merge_list(connection, extract, in_clear=in_clear, hashed=hashed):
            yield spreadsheet.line(row[column] for column in columns)
