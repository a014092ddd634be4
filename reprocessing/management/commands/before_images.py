"""`manage.py before_images`: what is kept of replaced rows, how large it is and until when; `--purge` what expired."""

from typing import Any

from django.conf import settings
from django.core.management.base import CommandParser
from django.utils import timezone

from jobs import actors, answers
from reprocessing import image_retention
from warehouse import before_images
from warehouse.before_images import ImageSet
from warehouse.commands import AnsweringCommand, answer
from warehouse.connections import connect


class Command(AnsweringCommand):
    help = "Lists the before-images by expiry, or purges the expired ones that no job needs."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--purge", action="store_true", help="remove what has expired")
        answers.offer_actor(parser)

    def handle(self, *, purge: bool, actor: str | None, **options: Any) -> None:
        with answer(self, as_json=options["json"]) as said:
            if purge:
                user = actors.of_shell(actor)
                found = image_retention.purge(settings.WAREHOUSE_URL, now=timezone.now(), actor=user)
            else:
                with connect(settings.WAREHOUSE_URL, purpose="before-images") as connection:
                    found = before_images.everything(connection)
            size = sum(image.bytes for image in found)
            said.result = {"purged": purge, "bytes": size, "sets": [_as_json(image) for image in found]}
            said.line(f"{len(found):,} before-images{' purged' if purge else ''}, {size / 1e6:,.1f} MB")
            for image in found:
                said.line(
                    f"  {image.expires_at:%Y-%m-%d} job {image.job_id} stg.{image.table_name}: {image.rows:,} rows"
                )


def _as_json(image: ImageSet) -> dict[str, Any]:
    return {
        "job": str(image.job_id),
        "table": image.table_name,
        "rows": image.rows,
        "bytes": image.bytes,
        "expires_at": image.expires_at.isoformat(),
    }
