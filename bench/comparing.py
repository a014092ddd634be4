"""Diff: 10 changed rows found among all, against a full join that compares whole rows."""

from collections.abc import Iterator

from psycopg import sql

from bench.figures import Figure, alternate, at_least, at_most
from bench.ground import SPACE, Ground
from bench.publishing import ready
from warehouse import diff, names

CHANGED = 10


def measure(ground: Ground) -> Iterator[Figure]:
    extract, connection = ground.typed, ground.connection
    change = ready(ground, every=max(1, ground.rows // CHANGED))
    parts = {
        "stg": names.staging(extract),
        "same": names.same_key(extract, "b", "s"),
        "before": names.staged(extract, of="s"),
        "after": names.staged(extract, of="b"),
    }
    whole = sql.SQL(
        "SELECT count(*) FROM restage_build.bench_after b FULL JOIN {stg} s ON {same}"
        " WHERE ({after}) IS DISTINCT FROM ({before})"
    ).format(**parts)
    by_text = sql.SQL(
        "SELECT count(*) FROM restage_build.bench_after b FULL JOIN {stg} s ON {same}"
        " WHERE md5(ROW({after})::text) IS DISTINCT FROM md5(ROW({before})::text)"
    ).format(**parts)
    found = diff.compute(connection, change, SPACE).counts.written
    assert connection.execute(whole).fetchone() == connection.execute(by_text).fetchone() == (found,)
    pair = alternate(connection, lambda: diff.compute(connection, change, SPACE), lambda: connection.execute(whole))
    yield at_most("diff_time_ratio", pair.time_ratio, 0.35, baseline="full join comparing whole rows")
    pair = alternate(connection, lambda: connection.execute(by_text), lambda: diff.compute(connection, change, SPACE))
    yield at_least("diff_against_md5_ratio", pair.time_ratio, 10, baseline="full join comparing the md5 of row texts")
