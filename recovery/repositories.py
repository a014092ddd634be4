"""Where a recovery takes its copy and its WAL from: a folder of our own, or somebody else's backup program."""

import shlex
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from recovery import processes
from recovery.errors import CannotRecoverError
from recovery.processes import Alive


@dataclass(frozen=True)
class Target:
    """The moment to recover. `before_lsn`: stop just before this position, which lies near `at` ("": at `at`)."""

    at: datetime
    before_lsn: str = ""

    @property
    def settings(self) -> dict[str, str]:
        """As PostgreSQL is told it. What was committed at the very moment of `at` is in; of `before_lsn` nothing."""
        if self.before_lsn:
            return {"recovery_target_lsn": self.before_lsn, "recovery_target_inclusive": "off"}
        return {"recovery_target_time": f"{self.at.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f}+00"}

    def __str__(self) -> str:
        at = f"{self.at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
        return f"just before {self.before_lsn} ({at})" if self.before_lsn else at


class Repository(Protocol):
    """What a recovery can be made from."""

    @property
    def binaries(self) -> Path:
        """The folder of the server's programs, of the version that made the copies."""

    def put(self, target: Target, into: Path, alive: Alive) -> str:
        """Lay a copy from before the target into the empty folder `into`; the restore_command for its WAL.

        Raises CannotRecoverError, and what `alive` raises.
        """

    def why_not_reached(self, target: Target) -> str:
        """Why its WAL ended before the target, as far as it knows ("": it does not)."""


@dataclass(frozen=True)
class External:
    """A repository of pgBackRest, Barman or another program. `command` lays a copy down: %d is the empty folder, %t
    the target as "YYYY-MM-DD HH:MM:SS.ffffff+00". `restore_command` fetches WAL, as PostgreSQL defines it (%f, %p).
    """

    command: str
    restore_command: str
    binaries: Path

    def put(self, target: Target, into: Path, alive: Alive) -> str:
        words = {"%t": f"{target.at.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f}+00", "%d": str(into)}
        try:
            code, _printed = processes.run([_filled(part, words) for part in shlex.split(self.command)], alive=alive)
        except OSError as error:
            raise CannotRecoverError(
                f"The restore command could not be started: {error.strerror}. Nothing was changed; see"
                " RESTAGE_RECOVERY_COMMAND."
            ) from error
        if code:
            raise CannotRecoverError(
                f"The restore command ended with code {code} and laid down no copy for {target}. Nothing was changed;"
                " its own log says why."
            )
        if not (into / "PG_VERSION").exists():
            raise CannotRecoverError(
                "The restore command ended well and laid down no copy of a server. Nothing was changed; it must write"
                " into the folder that %d names."
            )
        return self.restore_command

    def why_not_reached(self, target: Target) -> str:
        return ""


def _filled(part: str, words: dict[str, str]) -> str:
    for name, value in words.items():
        part = part.replace(name, value)
    return part
