"""The files as they lie at the source now, compared with what was loaded of them: which were delivered anew, and how.

It reads every file, so it runs only when asked, and can stop and go on: what was compared longest ago comes first.
"""

import time
from collections import Counter
from dataclasses import dataclass, field

import psycopg
from psycopg import sql

from warehouse import attempts, canonical, names, sources
from warehouse.attempts import Attempt
from warehouse.differences import FILES, NOTHING, Difference
from warehouse.errors import TellableError
from warehouse.registry import Extract, Registry
from warehouse.sources import MissingFileError
from warehouse.wire import UnreadableFileError

SAME, UNCOMPARABLE = "same", "cannot be compared"
# verdict → what it means; the two above say nothing about the file's freshness
TOLD = {
    "changed": Difference("the file was delivered anew with other content", FILES),
    "cosmetic": Difference("the file was delivered anew, same canonical content", NOTHING),
    "reordered": Difference("the file was delivered anew, same records in another order", NOTHING),
    "missing": Difference("the file is not at the source any more", NOTHING),
    "unreadable": Difference("the file at the source cannot be read as declared", NOTHING),
}


@dataclass
class Compared:
    """`files` = the sum of `verdicts`; `left`: live files that there was no time for; `not_loaded`: at the source,
    declared, and of no load run yet."""

    files: int = 0
    left: int = 0
    not_loaded: int = 0
    verdicts: Counter[str] = field(default_factory=Counter)


def compare(
    connection: psycopg.Connection,
    registry: Registry,
    *,
    extract: str = "",
    seconds: float | None = None,
) -> Compared:
    """Compare the live files (`extract`: of this one) and keep the verdicts; stops after `seconds`."""
    began, compared = time.monotonic(), Compared()
    waiting = _waiting(connection, registry, extract)
    listed = {folder: _listed(folder) for folder in {attempt.s3_bucket for attempt in waiting}}
    for number, attempt in enumerate(waiting):
        if seconds is not None and time.monotonic() - began > seconds:
            compared.left = len(waiting) - number
            break
        there = listed[attempt.s3_bucket]
        verdict = (
            "missing" if attempt.s3_key not in there else _verdict(connection, registry[attempt.extract_type], attempt)
        )
        connection.execute(
            "INSERT INTO restage.source_checks (load_run_file_id, verdict) VALUES (%s, %s)"
            " ON CONFLICT (load_run_file_id) DO UPDATE SET verdict = excluded.verdict, checked_at = clock_timestamp()",
            [attempt.load_run_file_id, verdict],
        )
        compared.files += 1
        compared.verdicts[verdict] += 1
    compared.not_loaded = sum(
        _not_loaded(connection, registry, folder, there, extract) for folder, there in listed.items()
    )
    return compared


def last(connection: psycopg.Connection) -> tuple[int, int, object, object]:
    """Live files that were ever compared, live files in all, and the times of the oldest and newest comparison."""
    return connection.execute(
        "SELECT count(c.checked_at), count(*), min(c.checked_at), max(c.checked_at) FROM etl.load_run_files f"
        " LEFT JOIN restage.source_checks c USING (load_run_file_id)"
        " WHERE f.status = 'completed' AND f.superseded_at IS NULL"
    ).fetchone() or (0, 0, None, None)


def _waiting(connection: psycopg.Connection, registry: Registry, extract: str) -> list[Attempt]:
    ids = connection.execute(
        "SELECT f.load_run_file_id FROM etl.load_run_files f LEFT JOIN restage.source_checks c USING (load_run_file_id)"
        " WHERE f.status = 'completed' AND f.superseded_at IS NULL AND f.extract_type = ANY(%s)"
        " ORDER BY c.checked_at NULLS FIRST, f.load_run_file_id",
        [[each.name for each in registry.extracts if extract in ("", each.name)]],
    ).fetchall()
    found = {a.load_run_file_id: a for a in attempts.of_ids(connection, [number for (number,) in ids])}
    return [found[number] for (number,) in ids]


def _listed(folder: str) -> frozenset[str]:
    try:
        return frozenset(address.key for address in sources.listing(folder))
    except MissingFileError:
        return frozenset()


def _not_loaded(
    connection: psycopg.Connection, registry: Registry, folder: str, there: frozenset[str], extract: str
) -> int:
    known = connection.execute(
        "SELECT DISTINCT s3_key FROM etl.load_run_files WHERE s3_bucket = %s", [folder]
    ).fetchall()
    new = there - {key for (key,) in known}
    declared = (registry.of_file(key.rsplit("/", 1)[-1]) for key in new)
    return sum(1 for match in declared if match and extract in ("", match[0].name))


def _verdict(connection: psycopg.Connection, extract: Extract, attempt: Attempt) -> str:
    try:
        if attempt.content is None:
            return UNCOMPARABLE
        if attempt.address.content() == attempt.content:
            return SAME
        kept = connection.execute(
            "SELECT canonical, multiset FROM restage.builds WHERE load_run_file_id = %s", [attempt.load_run_file_id]
        ).fetchone()
        if kept is None or kept[0] is None:
            return "changed"
        with attempt.address.open() as stream:
            now = canonical.of_stream(stream, extract)
    except MissingFileError:
        return "missing"
    except (UnreadableFileError, TellableError, OSError):
        return "unreadable"
    if now.ordered == kept[0]:
        return "cosmetic"
    alike = now.multiset == kept[1] and not _has_a_key_twice(connection, extract, attempt.load_run_file_id)
    return "reordered" if alike else "changed"


def _has_a_key_twice(connection: psycopg.Connection, extract: Extract, attempt: int) -> bool:
    """Whether the order of the attempt's records can decide which of them stands."""
    found = connection.execute(
        sql.SQL(
            "SELECT EXISTS (SELECT FROM {raw} r WHERE r.load_run_file_id = {id} GROUP BY {key} HAVING count(*) > 1)"
        ).format(raw=names.raw(extract), id=sql.Literal(attempt), key=names.cleaned_key(extract, of="r"))
    ).fetchone()
    return bool(found and found[0])
