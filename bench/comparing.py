"""Diff: 10 changed rows found among all, against a full join that compares whole rows."""

from collections.abc import Iterator

from psycopg import sql

from bench import rival
from bench.figures import Figure, alternate, at_least, at_most
from bench.ground import SPACE, Ground
from bench.publishing import ready
from warehouse import diff, names

CHANGED = 10


def measure(ground: Ground) -> Iterator[Figure]:
    extract, connection = ground.typed, ground.connection
    change = ready(ground, every=max(1, ground.rows // CHANGED))
    columns = [column.name for column in extract.staged if column.name not in extract.natural_key]
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
    tool, url = rival.install(ground.home), ground.url

    def by_tool() -> None:
        told = rival.differing(
            tool, url, f"stg.{extract.table}", "restage_build.bench_after", key=extract.natural_key, columns=columns
        )
        assert told == found, f"reladiff finds {told} differing rows where there are {found}"

    pair = alternate(connection, by_tool, lambda: diff.compute(connection, change, SPACE))
    yield at_least(
        "diff_against_reladiff_ratio", pair.time_ratio, 6, baseline="reladiff 0.6, which finds the same rows"
    )
    pair = alternate(connection, lambda: connection.execute(by_text), lambda: diff.compute(connection, change, SPACE))
    yield at_least("diff_against_md5_ratio", pair.time_ratio, 10, baseline="full join comparing the md5 of row texts")
