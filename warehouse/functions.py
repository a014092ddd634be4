"""The SQL functions of schema restage: safe casts. Each gives NULL where the text is not a value of its type.

They are plain SQL, so that they are inlined and run in parallel workers: an exception handler may not, and costs more
than the cast. From PostgreSQL 16 pg_input_is_valid tells whether the cast will do; before that the calendar and the
clock are written out here. The shapes are checked first, so that PostgreSQL's own generosity ('today', '0x1F', '1_000',
'infinity', 'Aug 18') never decides what a value means.

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

_DATE_TIME = (
    f"CASE {_LEFT} WHEN '--' THEN v LIKE '____-__-__' WHEN '-- ::' THEN v LIKE '____-__-__ __:__:__'"
    f" WHEN '-- ::.' THEN v LIKE '____-__-__ __:__:__._%' ELSE v ~ '{DATE_TIME}' END"
)
# Of text of the shape: is there such a day, such a time of day, such an offset? Longer text than 60 is no time.
_DAY = """left(v, 4) <> '0000' AND CASE
    WHEN substr(v, 9, 2) COLLATE "C" BETWEEN '01' AND '28' THEN substr(v, 6, 2) COLLATE "C" BETWEEN '01' AND '12'
    WHEN substr(v, 6, 5) = '02-29' THEN left(v, 4)::integer % 4 = 0
        AND (left(v, 4)::integer % 100 <> 0 OR left(v, 4)::integer % 400 = 0)
    WHEN substr(v, 6, 2) = '02' THEN false
    WHEN substr(v, 9, 2) IN ('29', '30') THEN substr(v, 6, 2) COLLATE "C" BETWEEN '01' AND '12'
    ELSE substr(v, 9, 2) = '31' AND substr(v, 6, 2) IN ('01', '03', '05', '07', '08', '10', '12') END"""
_TIME = """length(v) = 10 OR length(v) <= 60 AND substr(v, 15, 2) COLLATE "C" <= '59'
    AND (substr(v, 17, 1) <> ':' OR substr(v, 18, 2) COLLATE "C" <= '60')
    AND (substr(v, 12, 2) COLLATE "C" <= '23'
        OR substr(v, 12, 2) = '24' AND translate(substr(v, 15), '0:.', '') = '')"""
_OFFSET = """v LIKE '%Z' OR substring(v FROM '[+-]([0-9]{2})(?::?[0-9]{2})?$') COLLATE "C" <= '15'
    AND coalesce(substring(v FROM '[+-][0-9]{2}:?([0-9]{2})$'), '00') COLLATE "C" <= '59'"""
_MOMENT = f"({_DAY}) AND ({_TIME})"

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

# name, what it returns, shape, the bare cast, and what tells that the cast will do: from 16 on, and before
_CASTS = (
    ("to_integer", "integer", _INTEGER, "v::integer", "integer", "v::numeric BETWEEN -2147483648 AND 2147483647"),
    (
        *("to_bigint", "bigint", _INTEGER, "v::bigint", "bigint"),
        "v::numeric BETWEEN -9223372036854775808 AND 9223372036854775807",
    ),
    ("to_date", "date", f"v ~ '{DATE_TIME}'", "v::timestamp::date", "timestamp", _MOMENT),
    ("to_timestamp", "timestamp", f"v ~ '{DATE_TIME}'", "v::timestamp", "timestamp", _MOMENT),
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
    for name, returns, shape, cast, type_name, valid in _CASTS:
        signature = f"{name}(v text) RETURNS {returns}"
        made[name] = (
            _modern(signature, returns, shape, cast, type_name) if modern else _old(signature, shape, cast, valid)
        )
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


def _modern(signature: str, returns: str, shape: str, cast: str, type_name: str) -> str:
    like, alike, quick = _SAME.get(returns, ("", "", ""))
    first = f" WHEN {_same(like, alike)} THEN {quick}" if like else ""
    return (
        f"{_sql(signature)} CASE{first} WHEN {shape} THEN"
        f" CASE WHEN pg_input_is_valid(v, '{type_name}') THEN {cast} END END $$"
    )


def _old(signature: str, shape: str, cast: str, valid: str) -> str:
    """Numbers and times of more than 1,000 characters are none."""
    shape = shape.replace(f"v ~ '{DATE_TIME}'", _DATE_TIME)
    return f"{_sql(signature)} CASE WHEN length(v) <= 1000 AND {shape} THEN CASE WHEN {valid} THEN {cast} END END $$"


def _sql(signature: str) -> str:
    return f"CREATE OR REPLACE FUNCTION restage.{signature} LANGUAGE sql STABLE PARALLEL SAFE AS $$ SELECT"


def _numeric(modern: bool) -> str:
    """`limits` is '' or '(p,s)': the declared precision. More decimals than declared are rounded, as a column does."""
    signature = "to_numeric(v text, limits text) RETURNS numeric"
    if modern:
        return (
            f"{_sql(signature)} CASE WHEN {_NUMERIC} THEN"
            " CASE WHEN pg_input_is_valid(v, 'numeric' || limits) THEN v::numeric END END $$"
        )
    digits, places = (f"nullif(split_part(btrim(limits, '()'), ',', {n}), '')::integer" for n in (1, 2))
    fits = f"limits = '' OR abs(round(v::numeric, {places})) < 10::numeric ^ ({digits} - {places})"
    return _old(signature, _NUMERIC, "v::numeric", fits)


def _zoned(modern: bool) -> str:
    """Text with an offset means that instant; text without one is wall-clock time in `zone`."""
    without, with_offset = "(v::timestamp AT TIME ZONE zone)", "v::timestamptz"
    head = _sql("to_timestamptz(v text, zone text) RETURNS timestamptz")
    if modern:
        return f"""{head} CASE
    WHEN {_same("____-__-__ __:__:__%", "timestamp")} THEN {without}
    WHEN v ~ '{DATE_TIME}' THEN CASE WHEN pg_input_is_valid(v, 'timestamp') THEN {without} END
    WHEN v ~ '{ZONED}' THEN CASE WHEN pg_input_is_valid(v, 'timestamptz') THEN {with_offset} END END $$"""
    return f"""{head} CASE
    WHEN {_DATE_TIME} THEN CASE WHEN {_MOMENT} THEN {without} END
    WHEN v ~ '{ZONED}' THEN CASE WHEN {_MOMENT} AND ({_OFFSET}) THEN {with_offset} END END $$"""
