"""The page of a before-image: what a job keeps of the rows that it replaced, until when, and who holds it."""

from uuid import UUID

from django.conf import settings
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from access import rights
from access.rights import Asked
from archives.forms import ReasonForm
from jobs.models import Job
from warehouse import before_images, image_holds, image_removal
from warehouse.connections import connect


@require_safe
@rights.requires(rights.SEE)
def before_image(request: Asked, job_id: UUID) -> HttpResponse:
    """What is kept by table, its sizes and its end; once purged, when and why."""
    with connect(settings.WAREHOUSE_URL, purpose="archives") as connection:
        images = [image for image in before_images.of_jobs(connection, [job_id]) if image.rows]
        holds, why = image_holds.HOLDS.of(connection, job_id), image_removal.why(connection, job_id)
    if not images:
        raise Http404("This job keeps no before-image.")
    there = [image for image in images if image.purged_at is None]
    context = {
        "job_id": job_id,
        "job": Job.objects.filter(pk=job_id).first(),
        "images": images,
        "there": there,
        "keys": sum(image.rows for image in there),
        "size": sum(image.bytes for image in there),
        "holds": holds,
        "standing": [hold for hold in holds if hold.released_at is None],
        "why": why,
        "may_hold": bool(there) and rights.may(request.user, rights.HOLD),
        "hold_form": ReasonForm(),
    }
    return render(request, "archives/image.html", context)
