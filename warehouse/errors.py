"""What may be told to people: errors whose text we wrote, and a safe reason for any other."""

import traceback
from pathlib import PurePath

import psycopg

MOST_PLACES = 8
# SQLSTATEs after which the same work may well succeed: classes of lost connections and servers that start or stop,
# serialization failure, deadlock, too many connections.
_PASSING = ("08", "57P01", "57P02", "57P03", "40001", "40P01", "53300")


class TellableError(Exception):
    """Its message says what happened and what it means for the data, and holds no value of a row."""


class PassingError(TellableError):
    """What stood in the way is expected to pass: the same work may be tried again as a whole."""


def passing(error: BaseException) -> bool:
    """Whether trying the same work again, as a whole, may succeed: no other error is ever tried again."""
    if isinstance(error, psycopg.OperationalError) and error.sqlstate is None:
        return True
    state = error.sqlstate if isinstance(error, psycopg.Error) else None
    return isinstance(error, PassingError) or (state is not None and state.startswith(_PASSING))


def reason_of(error: BaseException) -> str:
    """Why something failed, without any value of a row: the text of a database error may quote one."""
    if isinstance(error, TellableError):
        return str(error)
    if isinstance(error, psycopg.OperationalError) and error.sqlstate is None:
        return "The connection to the warehouse was lost."
    if isinstance(error, psycopg.errors.DiskFull):
        return "The disk of the warehouse's server is full; make room and ask again."
    if isinstance(error, psycopg.Error):
        constraint = f", constraint {error.diag.constraint_name}" if error.diag.constraint_name else ""
        return f"The database refused it (SQLSTATE {error.sqlstate}{constraint})."
    if isinstance(error, OSError):
        return f"It could not be read: {error.strerror or type(error).__name__}."
    return f"It stopped at an unforeseen {type(error).__name__}."


def defect_of(error: BaseException) -> str:
    """The type of an unforeseen error and where it came from, innermost place first: never its message, which may quote
    a value of a row."""
    places = [
        f"{'/'.join(PurePath(frame.filename).parts[-2:])}:{frame.lineno} {frame.name}"
        for frame in reversed(traceback.extract_tb(error.__traceback__))
    ]
    return f"{type(error).__name__} at {' < '.join(places[:MOST_PLACES]) or 'an unknown place'}"
