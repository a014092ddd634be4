"""Names that only one may bear: a form looks first, and of two at the same moment the database takes one."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import IntegrityError, transaction
from psycopg.errors import UniqueViolation

from warehouse.errors import TellableError


class NameTakenError(TellableError):
    """Another has the name already. Nothing was changed."""


@contextmanager
def naming(what: str) -> Iterator[None]:
    """A transaction that gives `what` ("a channel") its name. Raises NameTakenError."""
    try:
        with transaction.atomic():
            yield
    except IntegrityError as error:
        if not isinstance(error.__cause__, UniqueViolation):
            raise
        raise NameTakenError(f"There is {what} of this name already. Nothing was changed.") from error
