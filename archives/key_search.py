"""In which archive sets a natural key is: by the catalogue and the archive tables, and, if asked, by cold files.

That somebody asked is in the trail, with a keyed hash in place of the value; the value is in no URL, plan or log.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from time import monotonic
from uuid import UUID

from django.contrib.auth.models import User
from django.utils.crypto import salted_hmac

from access import rights
from audit.transitions import record
from warehouse import archive_keys, archive_search, archive_sets, cold_search
from warehouse.archive_search import Entry
from warehouse.cold_sealing import Tier
from warehouse.connections import connect
from warehouse.errors import PassingError, TellableError
from warehouse.registry import Extract

SECONDS = 20.0  # after which no further cold set is read in one request


class Held(StrEnum):
    """What is known of a set: `MAYBE` by its statistics only, `UNREAD` where the time was over, `BROKEN` where its
    files could not be read as what was sealed."""

    YES = "yes"
    MAYBE = "may be: its rows are cold"
    NO = "no"
    UNREAD = "may be: there was no time to read its files"
    BROKEN = "not known: its files are damaged or out of reach"


@dataclass(frozen=True)
class Hit:
    entry: Entry
    held: Held


def find(url: str, extract: Extract, key: Mapping[str, str], *, actor: User) -> list[Hit]:
    """The sets that hold the key, or may, the newest first. Raises PermissionDenied, NotAKeyError."""
    rights.demand(actor, rights.RESTORE)
    _note(extract, key, actor, read=0)
    return _find(url, extract, key)


def find_in_files(
    url: str, tier: Tier, extract: Extract, key: Mapping[str, str], *, actor: User, seconds: float = SECONDS
) -> list[Hit]:
    """The same, with the files of every cold set read that its key filter does not rule out; no new set is begun after
    `seconds`. Those that do not hold it are listed too. Raises PermissionDenied, NotAKeyError."""
    rights.demand(actor, rights.RESTORE)
    found, began, looked = _find(url, extract, key), monotonic(), []
    _note(extract, key, actor, read=sum(hit.held == Held.MAYBE for hit in found))
    for hit in found:
        if hit.held == Held.MAYBE:
            held = _in_files(url, tier, extract, key, hit) if monotonic() - began < seconds else Held.UNREAD
            hit = replace(hit, held=held)
        looked.append(hit)
    return looked


def _find(url: str, extract: Extract, key: Mapping[str, str]) -> list[Hit]:
    with connect(url, purpose="find key") as connection:
        certain = {found.set_id: found.certain for found in archive_keys.find(connection, extract, key)}
        entries = archive_search.of_sets(connection, list(certain))
    return [
        Hit(entry, Held.YES if certain[entry.set_id] else Held.MAYBE) for entry in entries if entry.set_id in certain
    ]


def _in_files(url: str, tier: Tier, extract: Extract, key: Mapping[str, str], hit: Hit) -> Held:
    try:
        with connect(url, purpose="find key") as connection:
            parts = archive_sets.parts(connection, [_id(hit)])
            said = cold_search.as_in_files(connection, extract, key)
        return Held.YES if cold_search.holding(tier, parts, extract.table, said) else Held.NO
    except (TellableError, PassingError):
        return Held.BROKEN


def _id(hit: Hit) -> UUID:
    if hit.entry.set_id is None:
        raise ValueError("Only sets hold keys here.")
    return hit.entry.set_id


def _note(extract: Extract, key: Mapping[str, str], actor: User, *, read: int) -> None:
    said = json.dumps([extract.table, *(key[name] for name in extract.natural_key)])
    mark = salted_hmac("archives.acts.find_key", said, algorithm="sha256").hexdigest()
    detail = {"table": extract.table, "key_hash": mark}
    record(actor, "archives searched by key", actor, {**detail, "cold_sets": read} if read else detail)
