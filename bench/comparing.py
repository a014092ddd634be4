"""Diff: 10 changed rows found among all, against a full join that compares whole rows."""

from collections.abc import Iterator

from psycopg import sql

from bench import rival
from bench.figures import Figure, alternate, at_least, at_most
from bench.ground import SPACE, Ground
from bench.publishing import loaded, ready
from warehouse import build, diff, names
from warehouse.change import Change

CHANGED = 10
FEW = 1_000  # keys of a small file


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
    yield _few_keys(ground)


def _few_keys(ground: Ground) -> Figure:
    """A small file against all of staging. Its keys are looked up."""
    extract, connection = ground.typed, ground.connection
    file = loaded(ground, "few.csv", changed=2, every=FEW // CHANGED, rows=FEW)
    change = Change(extract, arrive=(file,))
    build.build(connection, change, SPACE)
    by_reading = sql.SQL(
        "SELECT count(*) FROM {} k LEFT JOIN {} s ON s.row_hash = k.row_hash WHERE s.row_hash IS NULL"
    ).format(SPACE.table(extract, "keys"), names.staging(extract))
    pair = alternate(
        connection, lambda: diff.compute(connection, change, SPACE), lambda: connection.execute(by_reading)
    )
    return at_most("diff_few_keys_ratio", pair.time_ratio, 0.25, baseline="reading the hashes of all of staging")
