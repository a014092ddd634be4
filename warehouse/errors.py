"""What may be told to people: errors whose text we wrote, and a safe reason for any other."""

import psycopg


class TellableError(Exception):
    """Its message says what happened and what it means for the data, and holds no value of a row."""


def reason_of(error: BaseException) -> str:
    """Why something failed, without any value of a row: the text of a database error may quote one."""
    if isinstance(error, TellableError):
        return str(error)
    if isinstance(error, psycopg.OperationalError) and error.sqlstate is None:
        return "The connection to the warehouse was lost."
    if isinstance(error, psycopg.Error):
        constraint = f", constraint {error.diag.constraint_name}" if error.diag.constraint_name else ""
        return f"The database refused it (SQLSTATE {error.sqlstate}{constraint})."
    if isinstance(error, OSError):
        return f"It could not be read: {error.strerror or type(error).__name__}."
    return f"It stopped at an unforeseen {type(error).__name__}."
