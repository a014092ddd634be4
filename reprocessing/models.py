"""The circuit breaker of each extract; the rest of this room's models stand in the modules that are named here."""

from django.conf import settings
from django.db import models

from jobs.models import Job
from reprocessing.asking_models import Blackout, Bookmark, Schedule, Sighting, Slot, Trigger

__all__ = ["Blackout", "Bookmark", "Breaker", "Schedule", "Sighting", "Slot", "Trigger"]


class Breaker(models.Model):
    """Closed: jobs go ahead. Open: none does. Half open: one job may try; how it ends decides.

    An extract without a row is closed. `why`: what tripped it, in words, as the job's page says it too.
    """

    class State(models.TextChoices):
        CLOSED = "closed", "Closed"
        OPEN = "open", "Open"
        HALF_OPEN = "half open", "Half open"

    extract = models.CharField(max_length=64, unique=True)
    state = models.CharField(max_length=10, choices=State, default=State.CLOSED)
    why = models.JSONField(default=list)
    tripped_by = models.ForeignKey(Job, null=True, on_delete=models.PROTECT, related_name="+")
    tripped_at = models.DateTimeField(null=True)
    reset_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    reset_reason = models.CharField(max_length=500, blank=True)
    probe = models.ForeignKey(Job, null=True, on_delete=models.PROTECT, related_name="+")

    class Meta:
        ordering = ["extract"]

    def __str__(self) -> str:
        return f"{self.extract}: {self.state}"
