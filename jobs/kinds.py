"""What kinds of job there are. A room registers its kinds when its app is ready."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

import psycopg
from django.contrib.auth.models import User

from jobs.models import Job
from warehouse.journal import Writer
from warehouse.progress import Progress


class Run(Protocol):
    """One claim of a job, as its kind sees it."""

    job: Job
    epoch: int

    @property
    def connection(self) -> psycopg.Connection:
        """The warehouse. After a lost connection the kind is called again, with another one."""

    def progress(self, said: Progress) -> None:
        """Say how far it is. Raises Cancelled when somebody has asked for that."""


def writer_of(run: Run) -> Writer:
    """On whose behalf a claim writes the warehouse."""
    return Writer(run.job.pk, run.epoch, run.job.requested_by.get_username())


@dataclass(frozen=True)
class Preview:
    """What a plan is frozen with. `refused`: why the job ends here though its effect is known ("": it may go on)."""

    included: list[dict[str, Any]]
    excluded: list[dict[str, Any]]
    preview: dict[str, Any]
    refused: str = ""


@dataclass(frozen=True)
class Steps:
    """For a kind whose jobs go on for days: `execute` then does one step and gives None until the last is done.

    Such a job asks for its permit itself. What would fail it only stops it: `pause` (job, why) leaves it to a person.
    `cancel` (job, actor) ends it where it stands.
    """

    pause: Callable[[Job, str], None]
    cancel: Callable[[Job, User], None]


@dataclass(frozen=True)
class Described:
    """A job in words and counts, for a kind that is no reprocessing: what its page shows between the reason and the
    decision.

    `number` of what `counted` names is what it acts on; `columns` head the counts of each table in `rows`. `notes`:
    what a reader must know; `kept`: what stays, each with its reason; `ended`: what is true once it has succeeded;
    `links`: (words, URL) of what it made.
    """

    what: str
    number: int
    counted: str
    columns: tuple[str, ...]
    rows: list[tuple[str, tuple[str, ...]]]
    way_back: str
    ended: str = ""
    verb: str = "Approve"
    dangerous: bool = False
    notes: tuple[str, ...] = ()
    kept: tuple[tuple[str, str], ...] = ()
    links: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Kind:
    """`preview` writes nothing that counts; `execute` gives the outcome and may be called again after any death;
    `published` tells whether a job has had its effect, asked after an error whose commit may have come through;
    `ended` is called in the transaction in which a job ends, however it ends; `given_up` hears of a job that has lost
    its last worker, and may raise what a lost warehouse raises. `asks_by_size`: much to read or a long time asks for
    approval; of another kind only the plan's own `asks` do. `describe`: how its jobs are told, where not as a
    reprocessing."""

    name: str
    title: str
    destructive: bool
    preview: Callable[[Run], Preview]
    execute: Callable[[Run], dict[str, Any] | None]
    published: Callable[[psycopg.Connection, UUID], dict[str, Any] | None]
    given_up: Callable[[psycopg.Connection, Job], None] = lambda connection, job: None
    ended: Callable[[Job], None] = lambda job: None
    steps: Steps | None = None
    asks_by_size: bool = True
    describe: Callable[[Job], Described] | None = None


_known: dict[str, Kind] = {}


def register(kind: Kind) -> None:
    _known[kind.name] = kind


def known() -> list[Kind]:
    """Every kind, by title."""
    return sorted(_known.values(), key=lambda kind: kind.title)


def of(job: Job) -> Kind:
    """The kind of a job. Raises KeyError."""
    return _known[job.kind]


def titles() -> list[tuple[str, str]]:
    """Every kind that is registered, with what people call it."""
    return sorted(((kind.name, kind.title) for kind in _known.values()), key=lambda kind: kind[1])


def described(job: Job) -> Described | None:
    """A job as its kind tells it; None: as a reprocessing, and before its preview is made."""
    describe = of(job).describe
    return describe(job) if describe and job.plan.preview else None
