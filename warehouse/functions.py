"""The SQL functions of schema restage: safe casts. Each gives NULL where the text is not a value of its type.

From PostgreSQL 16 they are plain SQL over pg_input_is_valid (inlined: 1.5 × the cost of a bare cast); before that a
PL/pgSQL block with an exception handler (3.7 ×), which no parallel plan may hold. The shapes are checked first, so
that PostgreSQL's own generosity ('today', '0x1F', '1_000', 'infinity', 'Aug 18') never decides what a value means.

A shape is a regular expression. The frequent ones are told without it, in a third of the time: a number by what is
left when its digits are taken out, a date or time by its coming back as the same text once it has been cast.
"""

from warehouse import happenings

INTEGER = r"^[+-]?[0-9]+$"
NUMERIC = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)$"
DATE_TIME = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}([ T][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]+)?)?)?$"
ZONED = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]+)?)? ?(Z|[+-][0-9]{2}(:?[0-9]{2})?)$"

_LEFT = "translate(v, '0123456789', '')"
_INTEGER = f"CASE {_LEFT} WHEN '' THEN v <> '' ELSE v ~ '{INTEGER}' END"
_NUMERIC = f"CASE {_LEFT} WHEN '' THEN v <> '' WHEN '.' THEN v <> '.' ELSE v ~ '{NUMERIC}' END"

_CLEAN = r"""CREATE OR REPLACE FUNCTION restage.clean(v text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT nullif(btrim(v, E' \t\r\n\u00a0'), '') $$"""

_BOOLEAN = """CREATE OR REPLACE FUNCTION restage.to_boolean(v text) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT CASE WHEN lower(v) IN ('1', 'true', 't', 'yes', 'y', 'on') THEN true
                  WHEN lower(v) IN ('0', 'false', 'f', 'no', 'n', 'off') THEN false END $$"""

_VALUE_CLASS = rf"""CREATE OR REPLACE FUNCTION restage.value_class(v text) RETURNS text LANGUAGE sql IMMUTABLE
PARALLEL SAFE
AS $$ SELECT CASE WHEN v IS NULL THEN 'empty'
    WHEN v ~ '{INTEGER}' THEN 'integer of ' || length(v) || ' digits'
    WHEN v ~ '{NUMERIC}' THEN 'decimal number'
    WHEN v ~ '^[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}' THEN 'date in ISO form'
    WHEN v ~ '^[0-9]{{1,2}}[./-][0-9]{{1,2}}[./-][0-9]{{2,4}}' THEN 'date in another form'
    ELSE 'text of ' || length(v) || ' characters' END $$"""

_MASK = r"""CREATE OR REPLACE FUNCTION restage.mask(v text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT left(regexp_replace(regexp_replace(v, '[0-9]', '9', 'g'), '[^0-9 .:/@+-]', 'x', 'g'), 24) $$"""

# What errors of the same cause have in common: neither the file's name nor any number, path, id or quoted text.
_TOLD_OF = r"""CREATE OR REPLACE FUNCTION restage.told_of(message text, key text) RETURNS text LANGUAGE sql IMMUTABLE
PARALLEL SAFE
AS $$ SELECT regexp_replace(regexp_replace(regexp_replace(regexp_replace(replace(message, key, 'The file'),
    '[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}', '…', 'g'), '(/[^ /:]+){2,}/?', '…', 'g'),
    '"[^"]*"|''[^'']*''', '…', 'g'), '[0-9]+([,.][0-9]+)*', '#', 'g') $$"""

# Ten digits are year, month, day, hour, minute, as the first warehouse writes them.
_ISO = r"""regexp_replace(v, '^([0-9]{2})([0-9]{2})([0-9]{2})([0-9]{2})([0-9]{2})$', '20\1-\2-\3 \4:\5')"""

# name, arguments, shape, the bare cast, the type that must accept the text
_CASTS = (
    ("to_integer", "integer", _INTEGER, "v::integer", "integer"),
    ("to_bigint", "bigint", _INTEGER, "v::bigint", "bigint"),
    ("to_date", "date", f"v ~ '{DATE_TIME}'", "v::timestamp::date", "timestamp"),
    ("to_timestamp", "timestamp", f"v ~ '{DATE_TIME}'", "v::timestamp", "timestamp"),
)


def definitions(server_version: int) -> dict[str, str]:
    """Name → CREATE OR REPLACE statement, in the order in which they must be made."""
    modern = server_version >= 160000
    made = {
        "clean": _CLEAN,
        "to_boolean": _BOOLEAN,
        "value_class": _VALUE_CLASS,
        "mask": _MASK,
        "told_of": _TOLD_OF,
        "extracted_at": _extracted_at(modern),
        "note_happening": happenings.FUNCTION,
    }
    for name, returns, shape, cast, type_name in _CASTS:
        made[name] = _cast(modern, f"{name}(v text)", returns, shape, cast, f"'{type_name}'")
    made["to_numeric"] = _numeric(modern)
    made["to_timestamptz"] = _zoned(modern)
    return made


def _extracted_at(modern: bool) -> str:
    """A time of extraction that cannot be read counts as older than any."""
    head = "CREATE OR REPLACE FUNCTION restage.extracted_at(v text) RETURNS timestamptz LANGUAGE"
    if modern:
        return (
            f"{head} sql STABLE PARALLEL SAFE AS $$ SELECT CASE WHEN pg_input_is_valid({_ISO}, 'timestamptz')"
            f" THEN {_ISO}::timestamptz ELSE '-infinity' END $$"
        )
    return (
        f"{head} plpgsql STABLE PARALLEL UNSAFE AS $$ BEGIN RETURN {_ISO}::timestamptz;"
        " EXCEPTION WHEN data_exception THEN RETURN '-infinity'; END $$"
    )


def _same(like: str, type_name: str) -> str:
    """Whether text of this look is what a value of the type is written as (in DateStyle ISO), and no year before 1."""
    return (
        f"CASE WHEN v LIKE '{like}' AND v NOT LIKE '%BC' THEN CASE WHEN pg_input_is_valid(v, '{type_name}')"
        f" THEN v::{type_name}::text = v END END"
    )


_SAME = {
    "date": ("____-__-__", "date", "v::date"),
    "timestamp": ("____-__-__ __:__:__%", "timestamp", "v::timestamp"),
}


def _cast(modern: bool, signature: str, returns: str, shape: str, cast: str, type_name: str) -> str:
    head = f"CREATE OR REPLACE FUNCTION restage.{signature} RETURNS {returns} LANGUAGE"
    if modern:
        like, alike, quick = _SAME.get(returns, ("", "", ""))
        first = f" WHEN {_same(like, alike)} THEN {quick}" if like else ""
        return (
            f"{head} sql STABLE PARALLEL SAFE AS $$ SELECT CASE{first} WHEN {shape} THEN"
            f" CASE WHEN pg_input_is_valid(v, {type_name}) THEN {cast} END END $$"
        )
    return (
        f"{head} plpgsql STABLE PARALLEL UNSAFE AS $$ BEGIN RETURN CASE WHEN {shape} THEN {cast} END;"
        " EXCEPTION WHEN data_exception THEN RETURN NULL; END $$"
    )


def _numeric(modern: bool) -> str:
    """`limits` is '' or '(p,s)': the declared precision. More decimals than declared are rounded, as a column does."""
    if modern:
        return _cast(True, "to_numeric(v text, limits text)", "numeric", _NUMERIC, "v::numeric", "'numeric' || limits")
    return f"""CREATE OR REPLACE FUNCTION restage.to_numeric(v text, limits text) RETURNS numeric LANGUAGE plpgsql
STABLE PARALLEL UNSAFE AS $$ DECLARE checked numeric; BEGIN
    IF NOT ({_NUMERIC}) THEN RETURN NULL; END IF;
    EXECUTE 'SELECT $1::numeric' || limits INTO checked USING v;
    RETURN checked;
EXCEPTION WHEN data_exception THEN RETURN NULL; END $$"""


def _zoned(modern: bool) -> str:
    """Text with an offset means that instant; text without one is wall-clock time in `zone`."""
    without, with_offset = "(v::timestamp AT TIME ZONE zone)", "v::timestamptz"
    if modern:
        return f"""CREATE OR REPLACE FUNCTION restage.to_timestamptz(v text, zone text) RETURNS timestamptz LANGUAGE sql
STABLE PARALLEL SAFE AS $$ SELECT CASE
    WHEN {_same("____-__-__ __:__:__%", "timestamp")} THEN {without}
    WHEN v ~ '{DATE_TIME}' THEN CASE WHEN pg_input_is_valid(v, 'timestamp') THEN {without} END
    WHEN v ~ '{ZONED}' THEN CASE WHEN pg_input_is_valid(v, 'timestamptz') THEN {with_offset} END END $$"""
    return f"""CREATE OR REPLACE FUNCTION restage.to_timestamptz(v text, zone text) RETURNS timestamptz LANGUAGE plpgsql
STABLE PARALLEL UNSAFE AS $$ BEGIN RETURN CASE
    WHEN v ~ '{DATE_TIME}' THEN {without}
    WHEN v ~ '{ZONED}' THEN {with_offset} END;
EXCEPTION WHEN data_exception THEN RETURN NULL; END $$"""
