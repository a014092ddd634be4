"""`manage.py before_images`: what is kept of replaced rows, how large it is and until when; `--purge` what expired."""

from typing import Any

from django.conf import settings
from django.core.management.base import CommandParser
from django.utils import timezone

from jobs import actors, answers
from jobs.models import Job
from reprocessing import image_retention
from warehouse import before_images, image_removal
from warehouse.amounts import megabytes
from warehouse.before_images import ImageSet
from warehouse.commands import AnsweringCommand, answer
from warehouse.connections import connect


class Command(AnsweringCommand):
    help = "Lists the before-images by expiry, or purges those that have expired or are beyond the budget."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--purge", action="store_true", help="remove what has expired, and the oldest beyond the budget"
        )
        answers.offer_actor(parser)

    def handle(self, *, purge: bool, actor: str | None, **options: Any) -> None:
        with answer(self, as_json=options["json"]) as said:
            if purge:
                user = actors.of_shell(actor)
                gone = image_retention.purge(settings.WAREHOUSE_URL, now=timezone.now(), actor=user)
                found = [removed.image for removed in gone]
            else:
                with connect(settings.WAREHOUSE_URL, purpose="before-images") as connection:
                    found = before_images.everything(connection)
            size, known = sum(image.bytes for image in found), Job.objects.in_bulk({image.job_id for image in found})
            said.result = {
                "purged": purge,
                "bytes": size,
                "budget": image_removal.BUDGET,
                "sets": [_as_json(image, known=image.job_id in known) for image in found],
            }
            said.line(f"{len(found):,} before-images{' purged' if purge else ''}, {megabytes(size)}")
            for image in found:
                whose = "" if image.job_id in known else " (no job of this console: of the sample, or of another one)"
                said.line(
                    f"  {image.expires_at:%Y-%m-%d} job {image.job_id} stg.{image.table_name}:"
                    f" {image.rows:,} rows{whose}"
                )


def _as_json(image: ImageSet, *, known: bool) -> dict[str, Any]:
    """`known`: whether this console has the job; what the sample's loading has replaced belongs to none."""
    return {
        "job": str(image.job_id),
        "known": known,
        "table": image.table_name,
        "rows": image.rows,
        "bytes": image.bytes,
        "expires_at": image.expires_at.isoformat(),
    }
