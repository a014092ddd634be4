"""How every command answers: words or one JSON object, and an exit code: 0 done, 1 refused or failed, 2 wrong usage."""

import json
import sys
from argparse import ArgumentTypeError
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from typing import Any, NoReturn
from uuid import UUID

import psycopg
from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import InterfaceError, OperationalError, ProgrammingError

from warehouse import registry
from warehouse.declarations import DeclarationError
from warehouse.errors import TellableError, reason_of

JSON = "--json"
# What a command checks before it begins: the settings of Restage. The pages are checked where they are served.
CHECKS = ("restage",)


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


def an_id(text: str) -> UUID:
    """Of an argument: what a run, a job or a set is named by."""
    try:
        return UUID(text)
    except ValueError as error:
        told = "copy the whole of one, as 6c8c4be4-1128-4355-9aaf-2d27db09a030"
        raise ArgumentTypeError(f"{text!r} is no id: {told}") from error


def a_day(text: str) -> date:
    """Of an argument."""
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise ArgumentTypeError(f"a day is needed, as 2026-11-30, not {text!r}") from error


_on_refusal: list[Callable[[PermissionDenied], object]] = []


def on_refusal(hear: Callable[[PermissionDenied], object]) -> None:
    """Have `hear` called where a command is refused because its actor lacks a right."""
    _on_refusal.append(hear)


def offer_json(parser: CommandParser) -> None:
    parser.add_argument(JSON, action="store_true", help="print one JSON object and nothing else")


class AnsweringCommand(BaseCommand):
    """A command with --json: what cannot be read of its command line is then one JSON object too."""

    requires_system_checks = CHECKS

    def run_from_argv(self, argv: list[str]) -> None:
        if JSON in argv:
            try:  # a parser that was not called from the command line raises what it would print
                self.create_parser(argv[0], argv[1]).parse_args(argv[2:])
            except CommandError as error:
                stop(str(error).removeprefix("Error: "), 2, as_json=True)
        super().run_from_argv(argv)


def stop(told: str, code: int, *, as_json: bool) -> NoReturn:
    """End a command that could not begin, with the reason."""
    print(told, file=sys.stderr)
    if as_json:
        print(json.dumps({"error": told}))
    sys.exit(code)


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


def demand_extracts(*names: str) -> None:
    """Raises Refusal, as for wrong usage, where one of these is not declared ("": none is meant)."""
    known = registry.current()
    if unknown := [name for name in names if name and name not in known]:
        raise Refusal(f"There is no extract {', '.join(unknown)}. Known: {', '.join(known.names)}.", code=2)


def demand_tables(*names: str) -> list[str]:
    """The tables of staging named `patients` or `stg.patients`, bare. Raises Refusal, as for wrong usage."""
    bare = [name.removeprefix("stg.") for name in names]
    known = sorted(extract.table for extract in registry.current().extracts)
    if unknown := [name for name in bare if name not in known]:
        raise Refusal(f"There is no table {', '.join(unknown)} in staging. Known: {', '.join(known)}.", code=2)
    return bare


def warehouse_url() -> str:
    return str(settings.WAREHOUSE_URL)
