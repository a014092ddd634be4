"""Asking where a row comes from: the right, the trace in the trail, and what warehouse and console know together."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from django.contrib.auth.models import User
from django.utils.crypto import salted_hmac

from access import rights
from audit.transitions import write
from lineage import people
from lineage.people import Behind
from warehouse import chains, column_values, fates, lineage, record_places, records, registry
from warehouse.chains import Link
from warehouse.column_values import Value
from warehouse.connections import connect, snapshot
from warehouse.errors import TellableError
from warehouse.lineage import Trace
from warehouse.record_places import Place
from warehouse.registry import Extract


class NotFoundError(TellableError):
    """There is no such load run, file or record in the warehouse."""


@dataclass(frozen=True)
class Story:
    """`place`: where the record stands; read from the file where nobody had noted it, or where that was asked for.
    `values`: of the record and of the row, by column, masked unless `clear`."""

    trace: Trace
    jobs: Mapping[UUID, Behind]
    place: Place | None
    values: Mapping[str, Value]
    clear: bool = False

    @property
    def link(self) -> Link | None:
        """The attempt at the file that the row was made of."""
        return self.trace.links.get(self.trace.row.load_run_file_id) if self.trace.row else None

    @property
    def record_no(self) -> int | None:
        noted = self.trace.maker.record_no if self.trace.maker else None
        return self.place.record_no if noted is None and self.place else noted

    @property
    def line_no(self) -> int | None:
        noted = self.trace.maker.line_no if self.trace.maker else None
        return self.place.line_no if noted is None and self.place else noted


def of_key(
    url: str, extract: Extract, key: Mapping[str, str], *, purpose: str, actor: User, check_file: bool = False
) -> Story:
    """The story of one natural key. The trail keeps who looked and why, and a keyed hash in place of the key.

    Raises PermissionDenied, NotAKeyError.
    """
    rights.demand(actor, rights.TRACE)
    said = json.dumps([extract.table, *(key[name] for name in extract.natural_key)])
    mark = salted_hmac("lineage.tracing.of_key", said, algorithm="sha256").hexdigest()
    detail = {"table": extract.table, "key_hash": mark, "reason": purpose}
    write(actor, "row traced", f"table:{extract.table}", detail)
    return _story(url, extract, key, check_file=check_file)


def of_record(url: str, file: int, record_no: int, *, actor: User, check_file: bool = False) -> Story:
    """The story of the key that a record of a file names. Raises PermissionDenied, NotFoundError."""
    rights.demand(actor, rights.TRACE)
    extract, key = _named(url, file, record_no)
    write(actor, "row traced", f"table:{extract.table}", {"table": extract.table, "file": file, "record": record_no})
    return _story(url, extract, key, check_file=check_file)


def reveal(url: str, file: int, record_no: int, *, purpose: str, actor: User) -> Story:
    """As of_record(), with the values as they are. Raises PermissionDenied, NotFoundError."""
    rights.demand(actor, rights.TRACE)
    rights.demand(actor, rights.REVEAL)
    extract, key = _named(url, file, record_no)
    detail = {"table": extract.table, "file": file, "record": record_no, "reason": purpose}
    write(actor, "row values revealed", f"table:{extract.table}", detail)
    return _story(url, extract, key, clear=True)


def _named(url: str, file: int, record_no: int) -> tuple[Extract, dict[str, str]]:
    """The extract of a file, and the key that a record of it names."""
    with connect(url, purpose="lineage") as connection:
        extract = _extract_of(_link(chains.of_files(connection, [file]), file))
        key = fates.key_of(connection, extract, file, record_no)
    if key is None:
        raise NotFoundError(f"File {file} has no record {record_no} with a whole natural key in raw.")
    return extract, key


def _story(
    url: str, extract: Extract, key: Mapping[str, str], *, check_file: bool = False, clear: bool = False
) -> Story:
    asked, place, values = records.one_key(extract, key), None, {}
    with connect(url, purpose="lineage") as connection:
        with snapshot(connection):
            found = lineage.trace(connection, extract, key)
            shown = found.maker or next(iter(found.records), None)
            if shown:
                told = column_values.in_clear if clear else column_values.masked
                values = told(connection, extract, shown, asked)
        maker = found.maker
        if maker and (check_file or maker.line_no is None):
            link = found.links[maker.load_run_file_id]
            place = record_places.look(connection, extract, link, maker, asked)
    return Story(found, people.of_jobs(found.jobs, found.acts), place, values, clear)


def _link(links: Mapping[int, Link], file: int) -> Link:
    if file not in links:
        raise NotFoundError(f"There is no file {file} in etl.load_run_files.")
    return links[file]


def _extract_of(link: Link) -> Extract:
    known = registry.current()
    if link.extract_type not in known:
        raise NotFoundError(
            f"Nothing declares the extract {link.extract_type} of file {link.load_run_file_id} any more."
        )
    return known[link.extract_type]
