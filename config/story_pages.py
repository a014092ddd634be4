"""The trail of one load run or one job, as a story that reads from its beginning."""

from uuid import UUID

from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from access import rights
from access.rights import Asked
from approvals import stories
from audit import trail
from jobs.models import Job


@require_safe
@rights.requires(rights.SEE)
def of_job(request: Asked, job_id: UUID) -> HttpResponse:
    job = get_object_or_404(Job.objects.select_related("plan"), pk=job_id)
    return _story(request, f"Story of job {str(job.pk)[:8]}", job.plan.reason, stories.of_job(job))


@require_safe
@rights.requires(rights.SEE)
def of_run(request: Asked, load_run_id: UUID) -> HttpResponse:
    subjects = stories.of_run(load_run_id)
    if not subjects:
        raise Http404("No job was ever about this load run.")
    return _story(request, f"Story of load run {str(load_run_id)[:8]}", "Every job that was about it", subjects)


def _story(request: Asked, title: str, context: str, subjects: list[str]) -> HttpResponse:
    return render(
        request,
        "audit/story.html",
        {
            "title": title,
            "context": context,
            "events": trail.story(subjects),
            "several": sum(one.startswith("job:") for one in subjects) > 1,
        },
    )
