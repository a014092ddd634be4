"""What the rows of an attempt were built with: declaration, code, content. Noted in the transaction that publishes.

A load or a reprocessing from files reads and folds; a refold and the return of a former attempt only fold. An attempt
that was loaded before this was kept, or by another loader, has no such note: what built it is unknown.
Every caller holds the lock of the extract's table, so a version of a declaration is noted by one of them at a time.
"""

from collections.abc import Iterable, Mapping

import psycopg

from warehouse import code, registry
from warehouse.canonical import Canonical
from warehouse.registry import Extract


def note_read(connection: psycopg.Connection, extract: Extract, attempts: Mapping[int, Canonical]) -> None:
    """These attempts were read and folded by this process's code and declaration."""
    _note_declaration(connection, extract)
    connection.execute(
        "INSERT INTO restage.builds (load_run_file_id, read_declaration, reading, declaration, folding, canonical,"
        " multiset) SELECT a.attempt, %(digest)s, %(reading)s, %(digest)s, %(folding)s, a.ordered, a.multiset"
        " FROM unnest(%(attempts)s::integer[], %(ordered)s::text[], %(multiset)s::text[])"
        " a (attempt, ordered, multiset)",
        {
            "digest": extract.digest,
            "reading": code.reading(),
            "folding": code.folding(),
            "attempts": list(attempts),
            "ordered": [said.ordered for said in attempts.values()],
            "multiset": [said.multiset for said in attempts.values()],
        },
    )


def note_folded(connection: psycopg.Connection, extract: Extract, attempts: Iterable[int]) -> None:
    """The keys of these attempts were folded anew; how their raw records were read stays as it was."""
    _note_declaration(connection, extract)
    connection.execute(
        "INSERT INTO restage.builds (load_run_file_id, declaration, folding)"
        " SELECT a, %s, %s FROM unnest(%s::integer[]) a"
        " ON CONFLICT (load_run_file_id) DO UPDATE SET declaration = excluded.declaration,"
        " folding = excluded.folding, folded_at = now()",
        [extract.digest, code.folding(), list(attempts)],
    )


def _note_declaration(connection: psycopg.Connection, extract: Extract) -> None:
    connection.execute(
        "INSERT INTO restage.declarations (digest, extract_type, document) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
        [extract.digest, extract.name, extract.document],
    )


def declarations(connection: psycopg.Connection) -> dict[str, Extract]:
    """Every version of a declaration that built rows of a live attempt, by digest."""
    found = connection.execute(
        "SELECT digest, document FROM restage.declarations WHERE digest IN (SELECT b.declaration FROM restage.builds b"
        " UNION SELECT b.read_declaration FROM restage.builds b)"
    ).fetchall()
    return {digest: registry.from_document(document) for digest, document in found}


def of_files(connection: psycopg.Connection, attempts: Iterable[int]) -> dict[int, str]:
    """Attempt → digest of the declaration that its rows were built with; only those of which it is known."""
    return dict(
        connection.execute(
            "SELECT load_run_file_id, declaration FROM restage.builds WHERE load_run_file_id = ANY(%s)",
            [list(attempts)],
        ).fetchall()
    )
