"""Where point-in-time copies come from, as this console is set up, and a recovered server as its jobs use it."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import unquote, urlsplit

import psycopg
from django.conf import settings

from recovery import backups, throwaway
from recovery.backups import Folder
from recovery.errors import CannotRecoverError, ThrowawayLostError
from recovery.processes import Alive
from recovery.repositories import External, Repository, Target
from warehouse import marks
from warehouse.errors import PassingError, TellableError


class NotRecoverableError(TellableError):
    """The moment cannot be recovered; the message says why. Nothing was changed."""


class ServerLostError(PassingError):
    """The throw-away server ended under our hands."""


def own() -> Folder | None:
    """Our own backups: those of the embedded server."""
    return Folder(Path(settings.BACKUPS), Path(settings.BINARIES)) if settings.BACKUPS else None


def current() -> Repository | None:
    """The repository that recoveries use: another program's where its command is set, else our own."""
    if settings.RECOVERY_COMMAND:
        return External(settings.RECOVERY_COMMAND, settings.RECOVERY_WAL, Path(settings.BINARIES))
    return own()


def demand() -> Repository:
    """Raises NotRecoverableError where there is none."""
    found = current()
    if found is None:
        raise NotRecoverableError(
            "No base backups are registered for this warehouse, so no moment of it can be recovered. Set"
            " RESTAGE_RECOVERY_COMMAND and RESTAGE_RECOVERY_WAL to those of its backup program."
        )
    return found


def check(target: Target) -> None:
    """Refuse at once a target from before every copy that is known. Raises NotRecoverableError."""
    found = demand()
    if isinstance(found, Folder):
        try:
            found.choose(target)
        except CannotRecoverError as error:
            raise NotRecoverableError(str(error)) from error


@contextmanager
def recovered(live: psycopg.Connection, target: Target, *, name: str, alive: Alive) -> Iterator[psycopg.Connection]:
    """A connection, that can only read, to the warehouse as it was at the target; the server behind it is gone after.

    First the WAL up to now is kept, where the role may ask for that. Raises NotRecoverableError, ServerLostError.
    """
    repository, parts = demand(), urlsplit(settings.WAREHOUSE_URL)
    database, user = unquote(parts.path.lstrip("/")), unquote(parts.username or "")
    backups.archive_now(live, alive=alive)
    try:
        with (
            throwaway.recovered(repository, target, folder=folder(), name=name, user=user, alive=alive) as server,
            server.connect(database, user) as then,
        ):
            then.execute("SET timezone = 'UTC'")
            yield then
    except CannotRecoverError as error:
        raise NotRecoverableError(str(error)) from error
    except ThrowawayLostError as error:
        raise ServerLostError(str(error)) from error


def folder() -> Path:
    """Where throw-away servers lie while they live."""
    return Path(settings.RECOVERED)


def reap() -> list[str]:
    """Remove the throw-away servers that nobody uses any more."""
    return throwaway.reap(folder()) if folder().exists() else []


def newest_point(connection: psycopg.Connection) -> datetime | None:
    """Up to when WAL is kept, as the server tells it: what is lost with its disk comes after. None: not known."""
    return marks.last_archived(connection)


def window(connection: psycopg.Connection, now: datetime) -> tuple[datetime | None, datetime | None, timedelta | None]:
    """The oldest moment that can be recovered, the newest that is kept, and what would be lost with the disk now."""
    folder, newest = own(), newest_point(connection)
    known = folder.listed() if folder and not settings.RECOVERY_COMMAND else []
    oldest = known[0].ended_at if known else None
    if newest and oldest and newest < oldest:
        newest = oldest
    return oldest, newest, now - newest if newest else None
