"""The SQL functions of schema restage: safe casts. Each gives NULL where the text is not a value of its type.

They are plain SQL, so that they are inlined and run in parallel workers: an exception handler may not, and costs more
than the cast. From PostgreSQL 16 pg_input_is_valid tells whether the cast will do; before that the calendar and the
clock are written out here. The shapes are checked first, so that PostgreSQL's own generosity ('today', '0x1F', '1_000',
'infinity', 'Aug 18') never decides what a value means.

A cast has two steps, so that a value is made once and looked at often: `try_<type>` gives what PostgreSQL takes the
text for, `to_<type>` takes that only where the text has the shape. A shape is a regular expression; the frequent ones
are told without it, in a third of the time: what comes back as the same text has it, and before 16 a number is told by
what is left when its digits are taken out.
"""

from warehouse import figures_schema, happenings, suspensions

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

# Trimming walks the whole text: only where its first or last character may be one of those (a space is 32, and so is
# a no-break space without its eighth bit; the empty text has none).
_CLEAN = r"""CREATE OR REPLACE FUNCTION restage.clean(v text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT CASE WHEN (ascii(v) & 127) > 32 AND (ascii(right(v, 1)) & 127) > 32 THEN v
    ELSE nullif(btrim(v, E' \t\r\n\u00a0'), '') END $$"""

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

# type, shape, and what tells before PostgreSQL 16 that the cast will do
_CASTS = (
    ("integer", _INTEGER, "v::numeric BETWEEN -2147483648 AND 2147483647"),
    ("bigint", _INTEGER, "v::numeric BETWEEN -9223372036854775808 AND 9223372036854775807"),
    ("date", _DATE_TIME, _MOMENT),
    ("timestamp", _DATE_TIME, _MOMENT),
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
        "note_stale_figures": figures_schema.FUNCTION,
        "suspended": suspensions.FUNCTION,
    }
    for type_name, shape, valid in _CASTS:
        made |= _modern(type_name) if modern else _old(type_name, shape, valid)
    return made | (_modern_numeric() if modern else _old_numeric()) | {"to_timestamptz": _zoned(modern)}


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


# How the text of a date or time that is not far off looks where DateStyle is ISO.
_LOOK = {"date": "____-__-__", "timestamp": "____-__-__ __:__:__%"}
_BACK = "tried::text = v"
_BACK_TIME = f"{_BACK} AND v NOT LIKE '%BC'"


def _modern(type_name: str) -> dict[str, str]:
    """What comes back as the same text is what it looks like; of the rest the shape decides."""
    cast = f"CASE WHEN pg_input_is_valid(v, '{type_name}') THEN v::{type_name} END"
    if type_name not in _LOOK:
        return _pair(type_name, cast, f"CASE WHEN {_BACK} OR ({_INTEGER}) THEN tried END")
    back = _BACK_TIME if type_name == "timestamp" else _BACK
    moment = f"CASE WHEN pg_input_is_valid(v, 'timestamp') THEN v::timestamp::{type_name} END"
    return _pair(
        type_name,
        f"CASE WHEN v LIKE '{_LOOK[type_name]}' THEN {cast} END",
        f"CASE WHEN {back} THEN tried WHEN v ~ '{DATE_TIME}' THEN {moment} END",
    )


def _old(type_name: str, shape: str, valid: str) -> dict[str, str]:
    """Numbers and times of more than 1,000 characters are none."""
    cast = "v::timestamp::date" if type_name == "date" else f"v::{type_name}"
    return _pair(
        type_name, f"CASE WHEN length(v) <= 1000 AND {shape} THEN CASE WHEN {valid} THEN {cast} END END", "tried"
    )


def _modern_numeric() -> dict[str, str]:
    cast = "CASE WHEN pg_input_is_valid(v, 'numeric' || limits) THEN v::numeric END"
    return _pair(
        "numeric",
        f"CASE WHEN v COLLATE \"C\" < ':' THEN {cast} END",  # no name of a number ('NaN') comes before the colon
        f"CASE WHEN {_BACK} AND v <> '-Infinity' OR ({_NUMERIC}) THEN tried END",
    )


def _old_numeric() -> dict[str, str]:
    digits, places = (f"nullif(split_part(btrim(limits, '()'), ',', {n}), '')::integer" for n in (1, 2))
    fits = f"limits = '' OR abs(round(v::numeric, {places})) < 10::numeric ^ ({digits} - {places})"
    return _old("numeric", _NUMERIC, fits)


def _pair(type_name: str, tried: str, value: str) -> dict[str, str]:
    """`limits` is '' or '(p,s)': the declared precision. More decimals than declared are rounded, as a column does."""
    limits = ", limits text" if type_name == "numeric" else ""
    return {
        f"try_{type_name}": f"{_sql(f'try_{type_name}(v text{limits}) RETURNS {type_name}')} {tried} $$",
        f"to_{type_name}": f"{_sql(f'to_{type_name}(v text, tried {type_name}) RETURNS {type_name}')} {value} $$",
    }


def _sql(signature: str) -> str:
    return f"CREATE OR REPLACE FUNCTION restage.{signature} LANGUAGE sql STABLE PARALLEL SAFE AS $$ SELECT"


def _zoned(modern: bool) -> str:
    """`tried` is a timestamp. Text with an offset means that instant; text without is wall-clock time in `zone`."""
    head = _sql("to_timestamptz(v text, tried timestamp, zone text) RETURNS timestamptz")
    if modern:
        return f"""{head} CASE WHEN {_BACK_TIME} THEN tried AT TIME ZONE zone
    WHEN v ~ '{DATE_TIME}' THEN CASE WHEN pg_input_is_valid(v, 'timestamp') THEN v::timestamp AT TIME ZONE zone END
    WHEN v ~ '{ZONED}' THEN CASE WHEN pg_input_is_valid(v, 'timestamptz') THEN v::timestamptz END END $$"""
    return f"""{head} CASE WHEN tried IS NOT NULL THEN tried AT TIME ZONE zone
    WHEN v ~ '{ZONED}' THEN CASE WHEN {_MOMENT} AND ({_OFFSET}) THEN v::timestamptz END END $$"""
