"""A masked sample of what a restore would do: some rows of each class that is not identical."""

from typing import Any

import psycopg
from psycopg import sql

from warehouse import names
from warehouse.archive_sources import Source
from warehouse.build import Workspace
from warehouse.drift import Fit
from warehouse.registry import Extract

ROWS = 12


def sample(
    connection: psycopg.Connection, extract: Extract, source: Source, fit: Fit, space: Workspace
) -> list[dict[str, Any]]:
    """Of `diff` as restore_classes.classify() has made it; as diff.sample() gives them."""
    key_text = sql.SQL(" || ' · ' || ").join(
        sql.SQL("restage.mask({})").format(sql.Identifier("k", name)) for name in extract.natural_key
    )
    rows = connection.execute(
        sql.SQL(
            "WITH k AS MATERIALIZED (SELECT * FROM (SELECT *, row_number() OVER (PARTITION BY kind"
            " ORDER BY hashtextextended(ROW({key_bare})::text, 0)) AS n FROM {diff} WHERE kind <> 'identical') n"
            " ORDER BY n, kind LIMIT {limit})"
            " SELECT CASE k.kind WHEN 'newer' THEN 'newer owner, ' || CASE k.class WHEN 'kept' THEN 'stays' ELSE"
            " 'replaced' END WHEN 'older' THEN 'older owner' ELSE k.kind END, {key_text},"
            " (SELECT coalesce(json_agg(json_build_object('name', c.name, 'before',"
            " restage.mask(c.before), 'after', restage.mask(c.after)) ORDER BY c.name), '[]') FROM ({columns}) c)"
            " FROM k JOIN ({rows}) m ON {k_m} LEFT JOIN {stg} s ON {k_s} ORDER BY k.n, k.kind"
        ).format(
            key_bare=names.key(extract),
            diff=space.table(extract, "diff"),
            limit=sql.Literal(ROWS),
            key_text=key_text,
            columns=_differing(extract),
            rows=fit.rows(source),
            k_m=names.same_key(extract, "k", "m"),
            stg=names.staging(extract),
            k_s=names.same_key(extract, "k", "s"),
        )
    ).fetchall()
    return [{"class": kind, "key": key, "columns": columns} for kind, key, columns in rows]


def _differing(extract: Extract) -> sql.Composed:
    """The columns in which the set's row and staging's differ, as text."""
    shown = [c.name for c in (*extract.staged, *extract.staging_only) if c.name not in extract.natural_key]
    return sql.SQL(
        "SELECT key AS name, o.value AS before, n.value AS after FROM jsonb_each_text(to_jsonb(m)) n"
        " FULL JOIN jsonb_each_text(to_jsonb(s)) o USING (key)"
        " WHERE n.value IS DISTINCT FROM o.value AND key = ANY({})"
    ).format(sql.Literal(shown))
