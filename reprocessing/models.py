"""Circuit breakers, and rollouts with their waves; what asks for jobs by itself stands in asking_models.py."""

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


class Rollout(models.Model):
    """How a job that publishes in waves stands; its own state is the job's.

    `why`: why it is paused, in words. `resume_at`: when it goes on by itself (None: when a person says so).
    `promoted_all`: goes on past checks that cannot tell, and without pauses. `abort_by`: somebody has asked to stop it.
    """

    job = models.OneToOneField(Job, on_delete=models.PROTECT, related_name="rollout")
    why = models.TextField(blank=True)
    resume_at = models.DateTimeField(null=True)
    promoted_all = models.BooleanField(default=False)
    pause_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    abort_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    abort_reason = models.CharField(max_length=500, blank=True)
    roll_back = models.BooleanField(default=False)

    def __str__(self) -> str:
        return f"rollout {self.job_id}"


class Wave(models.Model):
    """One wave: made once, carried out by a job of its own. A stopped wave published nothing and can be tried again."""

    class State(models.TextChoices):
        WAITING = "waiting", "Waiting"
        RUNNING = "running", "Running"
        PASSED = "passed", "Checks passed"
        FAILED = "failed", "Checks failed"
        INCONCLUSIVE = "inconclusive", "Checks inconclusive"
        STOPPED = "stopped", "Stopped"
        ROLLED_BACK = "rolled back", "Rolled back"

    PUBLISHED = (State.PASSED, State.FAILED, State.INCONCLUSIVE)
    TO_DO = (State.WAITING, State.RUNNING, State.STOPPED)

    rollout = models.ForeignKey(Rollout, on_delete=models.PROTECT, related_name="waves")
    number = models.PositiveSmallIntegerField()
    state = models.CharField(max_length=12, choices=State, default=State.WAITING)
    job = models.OneToOneField(Job, null=True, on_delete=models.PROTECT, related_name="wave")
    checks = models.JSONField(default=list)

    class Meta:
        ordering = ["number"]
        constraints = [models.UniqueConstraint(fields=["rollout", "number"], name="a_wave_is_made_once")]

    def __str__(self) -> str:
        return f"wave {self.number} of {self.rollout_id}: {self.state}"
