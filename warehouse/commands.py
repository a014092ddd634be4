"""How every command answers: words or one JSON object, and an exit code: 0 done, 1 refused or failed, 2 wrong usage."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.core.management.base import BaseCommand, CommandParser
from django.db import InterfaceError, OperationalError, ProgrammingError

from warehouse.declarations import DeclarationError
from warehouse.errors import TellableError, reason_of


class Refusal(TellableError):
    """Ends a command with the reason and an exit code."""

    def __init__(self, reason: str, code: int = 1) -> None:
        super().__init__(reason)
        self.code = code


class Answer:
    """`result` is what --json prints; lines are printed at once, and only without it."""

    def __init__(self, command: BaseCommand, *, as_json: bool) -> None:
        self._command, self._as_json = command, as_json
        self.result: dict[str, Any] = {}

    def line(self, text: str) -> None:
        if not self._as_json:
            self._command.stdout.write(text)


_on_refusal: list[Callable[[PermissionDenied], object]] = []


def on_refusal(hear: Callable[[PermissionDenied], object]) -> None:
    """Have `hear` called where a command is refused because its actor lacks a right."""
    _on_refusal.append(hear)


def offer_json(parser: CommandParser) -> None:
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")


@contextmanager
def answer(command: BaseCommand, *, as_json: bool) -> Iterator[Answer]:
    """Run the block and print its answer; a failure is one sentence on standard error, never a traceback."""
    said, failure, code = Answer(command, as_json=as_json), None, 0
    try:
        yield said
    except Refusal as refusal:
        failure, code = str(refusal), refusal.code
    except PermissionDenied as error:
        failure, code = str(error), 1
        for hear in _on_refusal:
            hear(error)
    except (TellableError, DeclarationError) as error:
        failure, code = str(error), 1
    except (OperationalError, InterfaceError):
        failure, code = "The console's database does not answer. Nothing was changed; try again when it is up.", 1
    except ProgrammingError as error:
        failure, code = f"The console's database refuses a statement: {reason_of(error)} Nothing was changed.", 1
    except (psycopg.Error, OSError) as error:
        failure, code = reason_of(error), 1
    if failure:
        said.result["error"] = failure
        command.stderr.write(failure)
    if as_json:
        command.stdout.write(json.dumps(said.result, default=str))
    if code:
        sys.exit(code)


def warehouse_url() -> str:
    return str(settings.WAREHOUSE_URL)
