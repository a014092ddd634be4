"""What can be alerted on: how it is measured now, and what is known of it from before."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise

import psycopg
from django.db.models import Q
from django.urls import reverse

from approvals import gate
from jobs import kinds
from jobs.models import Job
from monitoring import job_figures
from monitoring.alerts.judging import Sample
from notifications import undelivered
from reprocessing import rolling_back
from reprocessing.models import Breaker
from warehouse import registry, run_figures
from warehouse.run_figures import RunFigure

CONSOLE = "the console"


@dataclass(frozen=True)
class Look:
    """One look at everything: `now`, and from when on. `split`: a series for each extract, not for each set of them.
    `known`: what was asked already in this look, by `since`."""

    connection: psycopg.Connection
    now: datetime
    since: datetime
    extract: str = ""
    split: bool = False
    known: dict[datetime, list[RunFigure]] = field(default_factory=dict)

    def figures(self) -> list[RunFigure]:
        """What runs measured; asked once for all rules that look at the same moment."""
        if self.since not in self.known:
            self.known[self.since] = run_figures.since(self.connection, self.since)
        return self.known[self.since]


@dataclass(frozen=True)
class Metric:
    """`unit`: "seconds", "share", "flag" (1 where it is so) or "" (a count). `scope`: what a series of it is.

    `facts`: it is measured once on each of many subjects; else there is one value of each series all the time (a
    level). `past`: the samples of a level as far as they can be told from before; None: nothing is kept of it.
    """

    name: str
    title: str
    unit: str
    scope: str
    samples: Callable[[Look], list[Sample]]
    facts: bool = True
    past: Callable[[Look], list[Sample]] | None = None
    told: str = ""


def _of_runs(value: Callable[[list[RunFigure], datetime], float | None]) -> Callable[[Look], list[Sample]]:
    """Samples of load runs: of each run as a whole, or of each extract of it."""

    def samples(look: Look) -> list[Sample]:
        groups: dict[tuple[str, str], list[RunFigure]] = defaultdict(list)
        for figure in look.figures():
            if not look.extract or figure.extract == look.extract:
                groups[str(figure.load_run_id), figure.extract if look.split else ""].append(figure)
        found = (_sample(run, part, figures, value(figures, look.now), look) for (run, part), figures in groups.items())
        return [sample for sample in found if sample is not None]

    return samples


def _sample(run: str, part: str, figures: list[RunFigure], value: float | None, look: Look) -> Sample | None:
    first = figures[0]
    if value is None or first.status == "rolled_back":
        return None
    names = sorted({figure.extract for figure in figures if figure.extract})
    series = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "") or "no extract yet"
    subject = f"run:{run}" + (f":{part}" if look.split else "")
    return Sample(series[:200], subject[:100], first.ended or look.now, value, final=first.over)


def _run_seconds(figures: list[RunFigure], now: datetime) -> float:
    return ((figures[0].ended or now) - figures[0].started).total_seconds()


def _run_share(figures: list[RunFigure], now: datetime) -> float | None:
    return _share(sum(figure.refused for figure in figures), sum(figure.read for figure in figures))


def _share(refused: int, read: int) -> float | None:
    """None where nothing was read; of what was read, records that could not be read at all included."""
    if read:
        return refused / read
    return 1.0 if refused else None


def _run_records(figures: list[RunFigure], now: datetime) -> float:
    return float(sum(figure.read for figure in figures))


def _run_failed(figures: list[RunFigure], now: datetime) -> float:
    return float(sum(figure.failed for figure in figures))


def _of_jobs(value: Callable[[Job, datetime], float | None]) -> Callable[[Look], list[Sample]]:
    """Samples of jobs that were carried out, or are; those that go on for days by steps are told by their parts."""

    def samples(look: Look) -> list[Sample]:
        recent = Q(finished_at__gte=look.since) | Q(state=Job.State.RUNNING)
        begun = Q(started_at__isnull=False) | Q(state__in=(Job.State.FAILED, Job.State.QUARANTINED))
        jobs = Job.objects.filter(recent, begun, dry_run=False).select_related("plan")
        found = []
        for job in jobs.order_by("created_at"):
            measured = None if kinds.of(job).steps else value(job, look.now)
            if measured is not None and (not look.extract or look.extract in _extracts(job)):
                ended = job.finished_at
                found.append(Sample(job.kind, f"job:{job.pk}", ended or look.now, measured, final=ended is not None))
        return found

    return samples


def _extracts(job: Job) -> set[str]:
    return {str(item.get("extract")) for item in job.plan.included}


def _job_seconds(job: Job, now: datetime) -> float | None:
    return ((job.finished_at or now) - job.started_at).total_seconds() if job.started_at else None


def _job_share(job: Job, now: datetime) -> float | None:
    return _share(sum(int(c.get("rejected", 0)) for c in job.tables.values()), job.plan.records or 0)


def _job_records(job: Job, now: datetime) -> float | None:
    return None if job.plan.records is None else float(job.plan.records)


def _job_failed(job: Job, now: datetime) -> float | None:
    if job.finished_at is None:
        return None
    return float(job.state in (Job.State.FAILED, Job.State.QUARANTINED))


def _job_rollback(job: Job, now: datetime) -> float | None:
    """A rollback is told as soon as it is carried out, and however it ends."""
    return 1.0 if job.kind == rolling_back.NAME else None


def _freshness(look: Look) -> list[Sample]:
    names = [name for name in registry.current().names if not look.extract or name == look.extract]
    found = run_figures.last_success(look.connection, names)
    return [Sample(n, f"extract:{n}", look.now, (look.now - at).total_seconds()) for n, at in found.items()]


def _gaps(look: Look) -> list[Sample]:
    """How long nothing of an extract came, each time until the next came; and until now."""
    ended: dict[str, list[datetime]] = defaultdict(list)
    for figure in look.figures():
        if figure.ended and figure.files > figure.failed and (not look.extract or figure.extract == look.extract):
            ended[figure.extract].append(figure.ended)
    found = []
    for name, moments in ended.items():
        ordered = [*sorted(moments), look.now]
        for begin, end in pairwise(ordered):
            subject = f"extract:{name} after {begin:%Y-%m-%d %H:%M}"
            found.append(Sample(name, subject, end, (end - begin).total_seconds()))
    return sorted(found, key=lambda sample: sample.at)


def _one(value: Callable[[datetime], float]) -> Callable[[Look], list[Sample]]:
    return lambda look: [Sample(CONSOLE, "console:", look.now, value(look.now))]


def _queue_age(now: datetime) -> float:
    """How long the job has waited that has waited for a worker the longest."""
    oldest = job_figures.queue(now).oldest
    return oldest.total_seconds() if oldest else 0.0


def _decision_age(now: datetime) -> float:
    first = gate.waiting().order_by("created_at").values_list("created_at", flat=True).first()
    return (now - first).total_seconds() if first else 0.0


def _undelivered(now: datetime) -> float:
    return float(undelivered.dead().count() + undelivered.stuck())


def _breakers(look: Look) -> list[Sample]:
    found = Breaker.objects.all() if not look.extract else Breaker.objects.filter(extract=look.extract)
    return [Sample(b.extract, f"extract:{b.extract}", look.now, float(b.state == b.State.OPEN)) for b in found]


METRICS: tuple[Metric, ...] = (
    Metric("run duration", "Duration of a load run", "seconds", "extract", _of_runs(_run_seconds),
           told="Also while it runs."),
    Metric("run error rate", "Share of a load run's records that were refused", "share", "extract",
           _of_runs(_run_share), told="Refused on reading or by the transform, of the records read."),
    Metric("run records", "Records of a load run", "", "extract", _of_runs(_run_records)),
    Metric("run failed files", "Files of a load run that failed", "", "extract", _of_runs(_run_failed)),
    Metric("job duration", "Duration of a job", "seconds", "kind of job", _of_jobs(_job_seconds),
           told="Also while it runs."),
    Metric("job error rate", "Share of a job's records that were refused", "share", "kind of job",
           _of_jobs(_job_share)),
    Metric("job records", "Records of a job", "", "kind of job", _of_jobs(_job_records)),
    Metric("job failed", "A job failed or was given up", "flag", "kind of job", _of_jobs(_job_failed),
           told="1 where it did, else 0."),
    Metric("rollback", "A rollback is carried out", "flag", "kind of job", _of_jobs(_job_rollback),
           told="1 for every rollback, one that failed too."),
    Metric("freshness", "Time since an extract was last loaded", "seconds", "extract", _freshness, facts=False,
           past=_gaps, told="The dead-man's switch: it alerts when nothing comes."),
    Metric("queue age", "Time that the first job waits for a worker", "seconds", "console", _one(_queue_age),
           facts=False, told="Of jobs that no worker has taken up."),
    Metric("decision age", "Time that the first request waits for a decision", "seconds", "console",
           _one(_decision_age), facts=False),
    Metric("letters", "Letters that were not delivered", "", "console", _one(_undelivered), facts=False),
    Metric("breaker", "A circuit breaker is open", "flag", "extract", _breakers, facts=False,
           told="1 where it is, else 0."),
)  # fmt: skip
BY_NAME = {metric.name: metric for metric in METRICS}


def in_words(metric: Metric, value: float) -> str:
    """A value as people read it."""
    if metric.unit == "flag":
        return "yes" if value else "no"
    if metric.unit == "share":
        return f"{100 * value:.1f} %"
    if metric.unit == "seconds":
        hours, minutes = divmod(round(value / 60), 60)
        return (
            " ".join(part for part in (f"{hours} h" * bool(hours), f"{minutes} min" * bool(minutes)) if part) or "0 min"
        )
    return f"{value:,.0f}" if value == int(value) else f"{value:,.2f}"


def name_of(subject: str) -> str:
    """What a sample was measured on, for people."""
    kind, _, rest = subject.partition(":")
    number = rest.partition(":")[0]
    return {"run": f"Load run {number[:8]}", "job": f"Job {number[:8]}", "console": "The console"}.get(kind, rest)


def path_of(subject: str) -> str:
    """The page of what a sample was measured on; "" where it has none."""
    kind, _, rest = subject.partition(":")
    number = rest.partition(":")[0]
    if kind in ("run", "job") and number:
        return reverse(kind, args=[number])
    return {"extract": reverse("runs"), "console": reverse("jobs")}.get(kind, "")


def series_of(samples: Iterable[Sample]) -> dict[str, list[Sample]]:
    """Series → its samples in time order."""
    found: dict[str, list[Sample]] = defaultdict(list)
    for sample in sorted(samples, key=lambda one: one.at):
        found[sample.series].append(sample)
    return found


BACK = timedelta(days=90)
