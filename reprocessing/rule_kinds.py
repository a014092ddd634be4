"""What a trigger can watch for, and what it then asks for.

A room registers its kinds when its app is ready. A kind with `sight` is shown every look at the warehouse; a kind
without it is reported by whoever finds it out (triggers.report), as a verdict on the quality of a run would be.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

import psycopg

from reprocessing.planning import Options
from warehouse import standing
from warehouse.amounts import things
from warehouse.happenings import Happening
from warehouse.standing import Silent, Standing


@dataclass(frozen=True)
class Seen:
    """Something that a rule may act on. `load_run_id` None: the whole extract. `made_by`: the job that made the run.

    `mark` tells two sightings of the same run apart: equal marks are one sighting.
    """

    extract: str
    load_run_id: UUID | None
    mark: str
    told: str
    made_by: UUID | None = None


@dataclass(frozen=True)
class Look:
    """One look at the warehouse. `standings` are of the runs that something has happened to; `changed`: extract →
    fingerprint, of those whose declaration is not the one that was seen last."""

    happened: Sequence[Happening] = ()
    standings: Sequence[Standing] = ()
    silent: Sequence[Silent] = ()
    changed: Mapping[str, str] = field(default_factory=dict)


Sight = Callable[[Look, float | None], Iterable[Seen]]
Wanted = Callable[[psycopg.Connection, str, list[UUID]], tuple[list[UUID], Options]]


@dataclass(frozen=True)
class Kind:
    """`told`: what it watches for and asks for, in words. `threshold`: the label of its limit in percent, if any.

    `wanted`: the load runs and options to ask for, of an extract and the runs that were seen. `once`: nothing shows it
    a second time, so that it waits where the rule is held back for now.
    """

    name: str
    title: str
    told: str
    wanted: Wanted
    sight: Sight | None = None
    threshold: str = ""
    once: bool = False


_known: dict[str, Kind] = {}


def register(kind: Kind) -> None:
    _known[kind.name] = kind


def of(name: str) -> Kind:
    """Raises KeyError."""
    return _known[name]


def find(name: str) -> Kind | None:
    """None where nothing knows the rule (any more)."""
    return _known.get(name)


def known() -> list[Kind]:
    return list(_known.values())


def _marks(look: Look, whats: Iterable[str]) -> dict[UUID, str]:
    """Run → the last of these happenings to it."""
    wanted = frozenset(whats)
    return {h.load_run_id: str(h.change_id) for h in look.happened if h.what in wanted}


def _failed(look: Look, _limit: float | None) -> Iterable[Seen]:
    marks = _marks(look, ("run", "file"))
    for found in look.standings:
        if found.over and found.failed and found.load_run_id in marks:
            told = f"{things(found.failed, 'file')} of {found.extract} failed"
            yield Seen(found.extract, found.load_run_id, marks[found.load_run_id], told, found.made_by)


def _rejects(look: Look, limit: float | None) -> Iterable[Seen]:
    marks = _marks(look, ("run", "file", "staging"))
    for found in look.standings:
        if found.over and found.load_run_id in marks and found.share_refused > (limit or 0.0):
            told = f"{100 * found.share_refused:.3g} % of {found.read:,} records of {found.extract} were refused"
            yield Seen(found.extract, found.load_run_id, marks[found.load_run_id], told, found.made_by)


def _stuck(look: Look, _limit: float | None) -> Iterable[Seen]:
    for found in look.silent:
        told = f"a run of {found.extract} has said nothing since {found.since:%Y-%m-%d %H:%M} UTC"
        yield Seen(found.extract, found.load_run_id, found.since.isoformat(), told)


def _declaration(look: Look, _limit: float | None) -> Iterable[Seen]:
    for extract, fingerprint in look.changed.items():
        yield Seen(extract, None, fingerprint[:64], f"the declaration of {extract} changed")


def _only_failed(_connection: psycopg.Connection, extract: str, runs: list[UUID]) -> tuple[list[UUID], Options]:
    return runs, Options(extracts=(extract,), which="failed")


def _all_files(_connection: psycopg.Connection, extract: str, runs: list[UUID]) -> tuple[list[UUID], Options]:
    return runs, Options(extracts=(extract,))


def _all_raw(connection: psycopg.Connection, extract: str, _runs: list[UUID]) -> tuple[list[UUID], Options]:
    return standing.runs_with_raw(connection, extract), Options(extracts=(extract,), source="raw")


RUN_FAILED = "run failed"
REJECT_RATE = "reject rate"
RUN_STUCK = "run stuck"
DECLARATION_CHANGED = "declaration changed"

KINDS = (
    Kind(
        RUN_FAILED,
        "Run failed",
        "A load run is over and files of it failed: those files are read again.",
        _only_failed,
        _failed,
    ),
    Kind(
        REJECT_RATE,
        "Reject rate above a limit",
        "A load run is over and more of its records were refused than the limit: its files are read again.",
        _all_files,
        _rejects,
        threshold="More than (% of the records read)",
    ),
    Kind(
        RUN_STUCK,
        "Run stuck",
        "A load run goes and has said nothing for 2 h: its files that are not done are read again.",
        _only_failed,
        _stuck,
    ),
    Kind(
        DECLARATION_CHANGED,
        "Declaration changed",
        "The declaration of an extract is not the one that was seen last: staging is made anew from all its raw"
        " records.",
        _all_raw,
        _declaration,
        once=True,
    ),
)
