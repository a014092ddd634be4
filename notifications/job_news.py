"""What jobs and requests for decisions have to tell."""

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.conf import settings
from django.urls import reverse
from django.utils import timezone

from access import rights
from approvals import gate, rule_words
from approvals.models import Emergency, Request
from audit.models import Event
from audit.transitions import SYSTEM
from jobs import kinds
from jobs.models import Job
from notifications.models import Topic
from notifications.news import News, Source
from warehouse.amounts import things

EMERGENCIES = ("request emergency", "emergency review overdue")
FAILURES = ("job failed", "job quarantined", "job paused")


@dataclass(frozen=True)
class Act:
    """How an action is told: "{kind} {said}" and, of several, "{count} {kind} jobs {said_of_many}"."""

    topic: str
    state: str
    said: str
    said_of_many: str = ""

    @property
    def of_many(self) -> str:
        return self.said_of_many or self.said


ACTS = {
    "job awaiting approval": Act(Topic.REQUESTED, "attention", "waits for a decision", "wait for a decision"),
    "request approved": Act(Topic.DECIDED, "ok", "was approved", "were approved"),
    "request rejected": Act(Topic.DECIDED, "bad", "was rejected", "were rejected"),
    "request void": Act(Topic.DECIDED, "attention", "lapsed: nobody decided in time", "lapsed"),
    "request changes asked": Act(Topic.DECIDED, "attention", "came back: changes are asked for", "came back"),
    "approval given": Act(Topic.REQUESTED, "attention", "waits for one more approval", "wait for more approvals"),
    "request escalated": Act(Topic.REQUESTED, "attention", "waits for long: more people may decide", "wait for long"),
    "request reminded": Act(Topic.EXPIRING, "attention", "still waits for a decision", "still wait for a decision"),
    "request emergency": Act(
        Topic.REQUESTED, "bad", "was let through in an emergency: review it", "were let through in emergencies"
    ),
    "emergency review overdue": Act(
        Topic.EXPIRING, "bad", "was let through in an emergency; its review is overdue", "wait for overdue reviews"
    ),
    "job running": Act(Topic.STARTED, "progress", "has begun", "have begun"),
    "job succeeded": Act(Topic.FINISHED, "ok", "succeeded"),
    "job partial": Act(Topic.FINISHED, "attention", "succeeded in part"),
    "job previewed": Act(Topic.FINISHED, "ok", "dry run is done", "dry runs are done"),
    "job cancelled": Act(Topic.FINISHED, "attention", "was cancelled", "were cancelled"),
    "job failed": Act(Topic.FAILED, "bad", "failed"),
    "job quarantined": Act(Topic.FAILED, "bad", "was given up: three workers died with it", "were given up"),
    "job paused": Act(Topic.FAILED, "attention", "is paused and waits for a person", "are paused"),
    "job rolled back": Act(Topic.ROLLED_BACK, "attention", "was taken back", "were taken back"),
    "job partly rolled back": Act(Topic.ROLLED_BACK, "attention", "was taken back in part", "were taken back in part"),
    "rollback failed": Act(
        Topic.ROLLED_BACK, "bad", "could not be taken back: the rollback failed", "stay as they are"
    ),
}


def tell(events: Sequence[Event]) -> list[News]:
    """News of events about a job, a request or an emergency; of a job that is a part of another only its failures."""
    jobs = _jobs_of(events)
    deciders = _deciders() if any(ACTS[event.action].topic in DECIDING for event in events) else {}
    found = []
    for event in events:
        job = jobs.get(event.subject)
        if job is not None and (job.parent_id is None or event.action in FAILURES):
            found.append(_news(event, job, deciders.get(job.pk, frozenset())))
    return found


DECIDING = (Topic.REQUESTED, Topic.EXPIRING)


def _wanted(event: Event) -> bool:
    """A job begins once: a rollout that goes on after a pause has not begun anew."""
    return event.action != "job running" or event.detail.get("from") == Job.State.QUEUED


SOURCE = Source(frozenset(ACTS), tell, _wanted)


def _jobs_of(events: Iterable[Event]) -> dict[str, Job]:
    """Subject of an event → its job."""
    subjects = {event.subject for event in events}
    requests = [int(s.partition(":")[2]) for s in subjects if s.startswith("request:")]
    of_requests = dict(Request.objects.filter(pk__in=requests).values_list("pk", "job_id"))
    ids = {f"request:{pk}": job for pk, job in of_requests.items()}
    ids |= {s: UUID(s.partition(":")[2]) for s in subjects if s.startswith("job:")}
    emergencies = [int(s.partition(":")[2]) for s in subjects if s.startswith("emergency:")]
    of_emergencies = Emergency.objects.filter(pk__in=emergencies).values_list("pk", "request__job_id")
    ids |= {f"emergency:{pk}": job for pk, job in of_emergencies}
    jobs = Job.objects.select_related("plan", "requested_by").in_bulk([*set(ids.values())])
    return {subject: jobs[pk] for subject, pk in ids.items() if pk in jobs}


def _deciders() -> dict[UUID, frozenset[int]]:
    """Job → ids of those who may decide on it now, and had no hand in asking for it."""
    found: dict[UUID, set[int]] = {}
    for person in rights.people_of({*rights.having(rights.DECIDE), settings.ESCALATE_TO}):
        for request in gate.pending(person):
            found.setdefault(request.job_id, set()).add(person.pk)
    return {job: frozenset(people) for job, people in found.items()}


def _news(event: Event, job: Job, deciders: frozenset[int]) -> News:
    act, kind = ACTS[event.action], kinds.of(job).title
    deciding = act.topic in DECIDING
    return News(
        topic=act.topic,
        key=_key(event, job),
        title=f"{kind} {str(job.pk)[:8]} {act.said}",
        many=f"{kind}: {{count}} jobs {act.of_many}",
        path=reverse("job", args=[job.pk]),
        all_path=reverse("approvals" if deciding else "jobs"),
        state=act.state,
        lines=(*_facts(job, event),),
        letter=(*_letter(job),) if deciding else (),
        concerned=_concerned(event, job, deciders),
        barred=frozenset(job.asked_by) if deciding else frozenset(),
        deciders_only=deciding,
    )


def _concerned(event: Event, job: Job, deciders: frozenset[int]) -> frozenset[int]:
    if event.action in EMERGENCIES:
        return rights.holder_ids(rights.DECIDE) - {event.actor_id}
    return deciders if ACTS[event.action].topic in DECIDING else _askers(job)


def _askers(job: Job) -> frozenset[int]:
    """Who had a hand in asking for it; of what Restage asks for by the clock, those who keep its schedules."""
    if job.requested_by.get_username() == SYSTEM:
        return rights.holder_ids(rights.MANAGE_SCHEDULES)
    return frozenset(job.asked_by)


def _key(event: Event, job: Job) -> str:
    """Failures belong together by their cause, requests by who asked, all else by what happened."""
    if event.action in FAILURES:
        return f"{event.action}:{job.kind}:{_cause(job.error)}"
    if ACTS[event.action].topic in DECIDING:
        return f"{event.action}:{job.kind}:{job.requested_by_id}"
    return f"{event.action}:{job.kind}"


def _cause(error: str) -> str:
    """The same for errors that differ in ids, numbers and quoted names only."""
    bare = re.sub(r"'[^']*'|\"[^\"]*\"|[0-9a-f]{8}-[0-9a-f-]{27}|\d+", "", error.lower())
    return hashlib.sha256(" ".join(bare.split()).encode()).hexdigest()[:12]


def _facts(job: Job, event: Event) -> Iterable[str]:
    """Ids and counts, which anybody may read."""
    asker = job.requested_by.get_username()
    yield f"Job {job.pk}, asked for by {asker}" + (f", done by {event.actor_name}" if event.actor_id else "") + "."
    if job.plan.load_runs:
        runs, files = things(len(job.plan.load_runs), "load run"), things(len(job.plan.included), "file")
        yield f"It is about {runs}, {files}."
    if job.plan.records is not None and (job.plan.records or job.plan.load_runs):
        yield f"It reads {things(job.plan.records, 'record')}."
    yield from _effects(job)


SIGNS = (("inserted", "added"), ("updated", "changed"), ("deleted", "removed"), ("unchanged", "unchanged"),
         ("kept_newer", "newer kept"), ("rejected", "rejected"))  # fmt: skip


def _effects(job: Job) -> Iterable[str]:
    for table, counts in sorted(job.tables.items()):
        told = [
            f"{counts[name]:,} {word}" for name, word in SIGNS if isinstance(counts.get(name), int) and counts[name]
        ]
        if told:
            yield f"stg.{table}: {', '.join(told)}."


def _letter(job: Job) -> Iterable[str]:
    """A plan as a letter: why, what, effect, how sure, way back, decision."""
    plan, described = job.plan, kinds.described(job)
    yield f"Why: {plan.reason} ({job.requested_by.get_username()})"
    asked = getattr(job, "approval", None)
    if asked is not None:
        yield f"Needs a decision because: {' '.join(asked.why)}"
    if described:
        yield f"What: {described.what}"
    elif plan.load_runs:
        left_out = f"; {things(len(plan.excluded), 'file')} left out" if plan.excluded else ""
        yield f"What: {things(len(plan.included), 'file')} of {things(len(plan.load_runs), 'load run')}{left_out}"
    for line in _effects(job):
        yield f"Effect: {line}"
    if plan.seconds is not None:
        yield f"How sure: from a preview of exactly this; it may take {rule_words.length(plan.seconds)}"
    yield f"Way back: {described.way_back if described else 'a rollback from the before-image, see its page'}"
    if asked is not None:
        yield f"Decide until {timezone.localtime(asked.expires_at):%Y-%m-%d %H:%M %Z}; who asked cannot decide."
