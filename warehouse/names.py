"""SQL names, made from the registry's declarations only."""

from collections.abc import Iterable

from psycopg import sql

from warehouse.registry import Extract


def raw(extract: Extract) -> sql.Identifier:
    return sql.Identifier("raw", extract.table)


def staging(extract: Extract) -> sql.Identifier:
    return sql.Identifier("stg", extract.table)


def columns(names: list[str] | tuple[str, ...], *, of: str | None = None) -> sql.Composed:
    """`a, b, c`, or `of.a, of.b, of.c`."""
    return sql.SQL(", ").join(sql.Identifier(of, name) if of else sql.Identifier(name) for name in names)


def staged(extract: Extract, *, of: str | None = None) -> sql.Composed:
    """The business columns of the staging table that a file feeds."""
    return columns([column.name for column in extract.staged], of=of)


def key(extract: Extract, *, of: str | None = None) -> sql.Composed:
    return columns(extract.natural_key, of=of)


def key_json(extract: Extract, alias: str) -> sql.Composed:
    """A natural key as one value, jsonb: how the tables of `restage` hold it."""
    pairs = sql.SQL(", ").join(
        sql.SQL("{}, {}").format(sql.Literal(name), sql.Identifier(alias, name)) for name in extract.natural_key
    )
    return sql.SQL("jsonb_build_object({})").format(pairs)


def same_key(extract: Extract, left: str, right: str) -> sql.Composed:
    """`left.k1 = right.k1 AND …`; key parts are never null where this is used."""
    pairs = (
        sql.SQL("{} = {}").format(sql.Identifier(left, name), sql.Identifier(right, name))
        for name in extract.natural_key
    )
    return sql.SQL(" AND ").join(pairs)


def cleaned_key(extract: Extract, *, of: str) -> sql.Composed:
    """The natural key of raw rows as staging holds it: trimmed, empty is null."""
    parts = (sql.SQL("restage.clean({})").format(sql.Identifier(of, name)) for name in extract.natural_key)
    return sql.SQL(", ").join(parts)


def integers(numbers: Iterable[int]) -> sql.Composed:
    """An integer[] literal, also when there is none."""
    return sql.SQL("{}::integer[]").format(sql.Literal("{" + ",".join(str(int(number)) for number in numbers) + "}"))
