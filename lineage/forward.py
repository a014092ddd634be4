"""Forward: what of a load run or of one file stands in staging today, and which runs replaced the rest."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

import psycopg
from django.contrib.auth.models import User

from access import rights
from lineage import people
from lineage.people import Behind
from lineage.tracing import NotFoundError
from warehouse import chains, fates, history, lineage, registry
from warehouse.chains import Link
from warehouse.connections import connect
from warehouse.fates import Fate


@dataclass(frozen=True)
class Forward:
    """`links`: the attempts that are looked at; `around`: every attempt at their files, and those that replaced their
    rows. `fates` by extract; None where counting took too long. `parent`, `children`: the runs before and after."""

    links: Sequence[Link]
    around: Mapping[int, Link]
    fates: Mapping[str, Fate | None]
    jobs: Mapping[UUID, Behind]
    parent: UUID | None = None
    children: Sequence[UUID] = field(default_factory=list)

    @property
    def in_staging(self) -> int:
        return sum(fate.in_staging for fate in self.fates.values() if fate)


def of_run(url: str, load_run_id: UUID, *, actor: User) -> Forward:
    """Raises PermissionDenied, NotFoundError."""
    rights.demand(actor, rights.SEE)
    with connect(url, purpose="lineage") as connection:
        links = chains.of_run(connection, load_run_id)
        if not links:
            raise NotFoundError(f"There is no load run {load_run_id} with files.")
        parent, children = history.family(connection, load_run_id)
        return _forward(connection, links, parent, children)


def of_file(url: str, file: int, *, actor: User) -> Forward:
    """Raises PermissionDenied, NotFoundError."""
    rights.demand(actor, rights.SEE)
    with connect(url, purpose="lineage") as connection:
        links = chains.of_files(connection, [file])
        if file not in links:
            raise NotFoundError(f"There is no file {file} in etl.load_run_files.")
        return _forward(connection, [links[file]], None, [])


def _forward(
    connection: psycopg.Connection, links: Sequence[Link], parent: UUID | None, children: Sequence[UUID]
) -> Forward:
    counted = _fates(connection, links)
    owners = {file for fate in counted.values() if fate for file in (*fate.replaced, *fate.kept)}
    around = chains.of_files(connection, {*(link.load_run_file_id for link in links), *owners})
    own = {link.original for link in links}
    ours = [link for link in around.values() if link.original in own]
    jobs = list(dict.fromkeys(job for link in ours for job in (link.job, link.taken_back_by) if job))
    return Forward(links, around, counted, people.of_jobs(jobs, lineage.acts(connection, jobs)), parent, children)


def _fates(connection: psycopg.Connection, links: Sequence[Link]) -> dict[str, Fate | None]:
    found: dict[str, Fate | None] = {}
    for extract in registry.current().extracts:
        if of_extract := [link for link in links if link.extract_type == extract.name]:
            try:
                found[extract.name] = fates.of_files(connection, extract, of_extract)
            except psycopg.errors.QueryCanceled:
                found[extract.name] = None
    return found
