"""A job that is a part of another needs no decision of its own where the other's covers exactly what it does."""

from jobs.models import Job


def why_not(job: Job, parent: Job) -> str:
    """Why what was decided about `parent` does not cover this part of it ("": it does).

    It covers the same options, and of each wave only the files that the frozen plan names for it, with the same
    content; a file that could not be read any more makes it another wave. Nor does it cover a wave that would remove or
    change more rows of a table than the whole plan.
    """
    if not parent.active:
        return f"The job that it is a part of is {parent.state}."
    if parent.plan.digest != parent.plan.computed_digest():
        return "The plan that it is a part of is not the one that was frozen."
    wave = job.plan.options.get("wave")
    waves = {found["number"]: found for found in (parent.plan.preview or {}).get("waves", [])}
    if wave not in waves or job.plan.options != {**parent.plan.options, "wave": wave}:
        return "It is not a wave of the approved plan."
    approved = {_content(item) for item in parent.plan.included if item["file"] in waves[wave]["files"]}
    if not {_content(item) for item in job.plan.included} <= approved:
        return "It is about other files or contents than the approved plan."
    if job.plan.excluded:
        return f"{len(job.plan.excluded):,} of its files cannot be read as they were approved."
    return _more(job, parent)


def _more(job: Job, parent: Job) -> str:
    for table, counts in job.plan.tables.items():
        whole = parent.plan.tables.get(table, {})
        for act, classes in (("remove", ("deleted",)), ("change", ("inserted", "updated", "deleted"))):
            here, approved = (sum(found.get(name, 0) for name in classes) for found in (counts, whole))
            if here > approved:
                return f"It would {act} more rows of stg.{table} than the approved plan: {here:,}, not {approved:,}."
    return ""


def _content(item: dict[str, object]) -> tuple[object, ...]:
    return tuple(item.get(name) for name in ("file", "run", "extract", "sha256", "bytes"))
