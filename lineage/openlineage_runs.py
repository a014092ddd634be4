"""A job's change of state as OpenLineage events: the job is a run, each load run that it made a run below it.

A job that ended before it began to change anything is no run. Ids and times are those of the trail, so an event that is
sent twice is the same event.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from openlineage.client.event_v2 import InputDataset, OutputDataset, Run, RunEvent, RunState
from openlineage.client.event_v2 import Job as OpenJob
from openlineage.client.facet_v2 import (
    JobFacet,
    RunFacet,
    error_message_run,
    job_type_job,
    ownership_job,
    parent_run,
    processing_engine_run,
    tags_run,
)

from audit.models import Event
from jobs.models import Job
from lineage import openlineage_datasets as datasets
from lineage.openlineage_datasets import Warehouse
from warehouse.chains import Link
from warehouse.registry import Extract, Registry

PRODUCER = "urn:restage"
LOAD = "restage.load_run"
READS_RAW = ("reprocess", "rollout", "rollback", "quarantine")
ENDS = {
    "job succeeded": RunState.COMPLETE,
    "job partial": RunState.COMPLETE,
    "job failed": RunState.FAIL,
    "job quarantined": RunState.FAIL,
    "job cancelled": RunState.ABORT,
    "job rejected": RunState.ABORT,
}
ACTIONS = ("job running", *ENDS)


@dataclass(frozen=True)
class Told:
    """What events are made with: `namespace` of our jobs, `version` of Restage."""

    namespace: str
    version: str
    house: Warehouse
    known: Registry


def events(told: Told, event: Event, job: Job, links: Sequence[Link]) -> list[RunEvent]:
    """The events of one act of the trail; none where it is not about a run. `links`: the files that the job read, and
    those of the load runs that it made."""
    if event.action == "job running":
        if event.detail.get("from") != Job.State.QUEUED:
            return []
        return [
            _event(told, RunState.START, event, _run(told, job), _job(told, job), *_data(told, job, links, done=False))
        ]
    state = ENDS.get(event.action)
    if state is None or job.started_at is None:
        return []
    facets = _run_facets(told, job)
    if state == RunState.FAIL and job.error:
        facets["errorMessage"] = error_message_run.ErrorMessageRunFacet(job.error, "Python")
    done = state == RunState.COMPLETE
    run = Run(str(job.pk), facets)
    below = _load_runs(told, event, job, links) if done else []
    return [*below, _event(told, state, event, run, _job(told, job), *_data(told, job, links, done=done))]


def made_by(job: Job) -> list[UUID]:
    """The load runs that a job has made."""
    return [UUID(run) for run in (job.outcome or {}).get("load_runs", {}).values()]


def _event(
    told: Told,
    state: RunState,
    event: Event,
    run: Run,
    job: OpenJob,
    inputs: list[InputDataset],
    outputs: list[OutputDataset],
) -> RunEvent:
    return RunEvent(
        eventType=state,
        eventTime=event.at.isoformat(),
        run=run,
        job=job,
        producer=PRODUCER,
        inputs=inputs,
        outputs=outputs,
    )


def _job(told: Told, job: Job) -> OpenJob:
    owner = ownership_job.Owner(f"user:{job.requested_by.get_username()}", "REQUESTER")
    facets: dict[str, JobFacet] = {
        "jobType": job_type_job.JobTypeJobFacet("BATCH", "RESTAGE", "JOB"),
        "ownership": ownership_job.OwnershipJobFacet([owner]),
    }
    return OpenJob(told.namespace, _name(job), facets)


def _name(job: Job) -> str:
    return f"restage.{job.kind.replace(' ', '_')}"


def _run(told: Told, job: Job) -> Run:
    return Run(str(job.pk), _run_facets(told, job))


def _run_facets(told: Told, job: Job) -> dict[str, RunFacet]:
    tags = {"restage_plan_digest": job.plan.digest, "restage_kind": job.kind}
    facets: dict[str, RunFacet] = {
        "processing_engine": processing_engine_run.ProcessingEngineRunFacet(told.version, "Restage"),
        "tags": tags_run.TagsRunFacet(
            [tags_run.TagsRunFacetFields(key, value, "RESTAGE") for key, value in tags.items() if value]
        ),
    }
    if job.parent:
        facets["parent"] = _below(told, job.parent, job.parent)
    return facets


def _below(told: Told, job: Job, root: Job) -> parent_run.ParentRunFacet:
    return parent_run.ParentRunFacet(
        run=parent_run.Run(str(job.pk)),
        job=parent_run.Job(told.namespace, _name(job)),
        root=parent_run.Root(parent_run.RootRun(str(root.pk)), parent_run.RootJob(told.namespace, _name(root))),
    )


def _load_runs(told: Told, event: Event, job: Job, links: Sequence[Link]) -> list[RunEvent]:
    """Of each load run that the job made, its beginning and its end."""
    found, below = [], _below(told, job, job.parent or job)
    for made in made_by(job):
        of_run = [link for link in links if link.load_run_id == made and link.extract_type in told.known]
        engine = _run_facets(told, job)["processing_engine"]
        run = Run(str(made), {"parent": below, "processing_engine": engine})
        where = OpenJob(told.namespace, LOAD, {"jobType": job_type_job.JobTypeJobFacet("BATCH", "RESTAGE", "LOAD")})
        inputs = [datasets.file(link.address, link.rows_read, link.bytes) for link in of_run]
        extracts = list(dict.fromkeys(told.known[link.extract_type] for link in of_run))
        outputs = [
            datasets.raw_output(
                told.house,
                extract,
                sum(link.rows_ingested or 0 for link in of_run if link.extract_type == extract.name),
            )
            for extract in extracts
        ]
        found += [
            _event(told, state, event, run, where, inputs, outputs if state == RunState.COMPLETE else [])
            for state in (RunState.START, RunState.COMPLETE)
        ]
    return found


def _data(told: Told, job: Job, links: Sequence[Link], *, done: bool) -> tuple[list[InputDataset], list[OutputDataset]]:
    """What a job reads and writes; counts only of what is done."""
    tables = {table: job.tables[table] for table in sorted(job.tables)}
    known = {extract.table: extract for extract in told.known.extracts}
    chosen = [(known[table], counts) for table, counts in tables.items() if table in known]
    extracts = [extract for extract, _counts in chosen]
    if job.kind in READS_RAW:
        read = {item.get("file") for item in job.plan.included}
        files = [
            datasets.file(link.address, link.rows_read, link.bytes) for link in links if link.load_run_file_id in read
        ]
        inputs = files if job.plan.options.get("source") == "files" else []
        inputs += [datasets.raw_input(told.house, extract) for extract in extracts]
        return inputs, [
            datasets.staged_output(told.house, extract, _changed(counts) if done else None, from_raw=True)
            for extract, counts in chosen
        ]
    if job.kind in ("archive", "archive cold"):
        return [datasets.staged_input(told.house, extract) for extract in extracts], [
            datasets.table(told.house, f"stg.{extract.table}_archive", extract, counts.get("rows") if done else None)
            for extract, counts in chosen
        ]
    if job.kind == "restore":
        return _restored(told, job, chosen, done=done)
    return [], []


def _restored(
    told: Told, job: Job, chosen: Sequence[tuple[Extract, dict[str, int]]], *, done: bool
) -> tuple[list[InputDataset], list[OutputDataset]]:
    """From the archive tables into staging, or into tables beside it."""
    side = (job.outcome or {}).get("side", {})
    inputs = [
        InputDataset(told.house.namespace, told.house.name(f"stg.{extract.table}_archive")) for extract, _ in chosen
    ]
    if side:
        return inputs, [
            datasets.table(told.house, side[extract.table]["name"], extract, side[extract.table]["rows"], made=True)
            for extract, _counts in chosen
            if extract.table in side
        ]
    return inputs, [
        datasets.staged_output(told.house, extract, _changed(counts) if done else None, from_raw=False)
        for extract, counts in chosen
    ]


def _changed(counts: dict[str, int]) -> int:
    """Rows that were written: a removed one is none."""
    return sum(counts.get(name, 0) for name in ("inserted", "updated", "rewritten"))
