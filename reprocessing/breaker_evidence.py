"""What the circuit breakers say against a preview, and whether its job must stop there."""

from collections.abc import Mapping
from itertools import groupby

from jobs.kinds import Run
from jobs.models import Job, Plan
from reprocessing import breaker
from reprocessing.breaker import Evidence
from warehouse import history, registry
from warehouse.diff import Counts
from warehouse.reprocess import Prepared


def objections(run: Run, made: Prepared) -> dict[str, list[str]]:
    """Extract → what the circuit breaker says against the preview; only extracts against which something is said."""
    said = {}
    for name in sorted({item["extract"] for item in run.job.plan.included}):
        table = registry.current()[name].table
        staged = made.staged.get(table, [])
        before_read, before_rejected = history.judged_before(run.connection, [file.old for file in staged])
        evidence = Evidence(
            counts=made.diffs[table].counts if table in made.diffs else Counts(),
            malformed=sum(file.intake.rejected for file in staged),
            before_read=before_read,
            before_rejected=before_rejected,
            failures_in_a_row=_failures_in_a_row(run.job.plan, name, made.failed),
        )
        if found := breaker.judge(evidence):
            said[name] = found
    return said


def _failures_in_a_row(plan: Plan, extract: str, failed: Mapping[int, str]) -> int:
    of_extract = [item["file"] in failed for item in plan.included if item["extract"] == extract]
    return max((len(list(row)) for bad, row in groupby(of_extract) if bad), default=0)


def refused(job: Job, said: Mapping[str, list[str]]) -> str:
    """Trip or ask the breakers of the job's extracts; why it must stop ("": it need not)."""
    if job.dry_run or job.plan.options.get("past_breaker"):
        return ""
    if said:
        breaker.trip(job, said)
        told = " ".join(f"{extract}: {' '.join(found)}" for extract, found in said.items())
        return f"Stopped before publishing. Staging is unchanged. {told} Its circuit breaker is open now."
    told = " ".join(breaker.admit(job, sorted({item["extract"] for item in job.plan.included})))
    return f"Stopped before publishing. Staging is unchanged. {told}" if told else ""
