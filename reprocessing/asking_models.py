"""What asks for jobs by itself: schedules with their slots, triggers with their sightings; and when nothing may ask."""

from datetime import timedelta

from django.conf import settings
from django.contrib.auth.models import User
from django.db import models
from django.urls import reverse

from jobs.models import Job


class Asker(models.Model):
    """Asks on behalf of its owner, whose right is checked each time. `authors`: ids of all who made or changed it.

    Active: it asks. Paused: a person has stopped it. Stopped: it cannot go on; `why` says why.
    """

    class State(models.TextChoices):
        ACTIVE = "active", "Active"
        PAUSED = "paused", "Paused"
        STOPPED = "stopped", "Stopped"

    name = models.CharField(max_length=80, unique=True)
    state = models.CharField(max_length=10, choices=State, default=State.ACTIVE)
    why = models.CharField(max_length=500, blank=True)
    dry_run = models.BooleanField(default=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    authors = models.JSONField(default=list)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return self.name

    def written_by(self, author: User) -> None:
        """Count one more among the authors."""
        self.authors = sorted({*self.authors, author.pk})


class Schedule(Asker):
    """`wanted`: what is filled in of the discovery filter. `until`: its times up to this moment are slots already."""

    class Overlap(models.TextChoices):
        SKIP = "skip", "Skip the new time"
        QUEUE = "queue", "Let one wait until that job is over"
        CANCEL = "cancel", "Cancel that job and ask anew"

    class CatchUp(models.TextChoices):
        NONE = "none", "None: they are gone"
        ONE = "one", "One: the last of them"
        ALL = "all", "Each of them, one after the other"

    expression = models.CharField(max_length=100)
    zone = models.CharField(max_length=64)
    wanted = models.JSONField(default=dict)
    overlap = models.CharField(max_length=10, choices=Overlap, default=Overlap.SKIP)
    catch_up = models.CharField(max_length=10, choices=CatchUp, default=CatchUp.NONE)
    catch_up_most = models.PositiveSmallIntegerField(default=5)
    until = models.DateTimeField()

    class Meta:
        ordering = ["name"]

    def get_absolute_url(self) -> str:
        return reverse("schedule", args=[self.pk])


class Slot(models.Model):
    """One time of a schedule, or one time that somebody ran it by hand (`by`), and what came of it.

    `stands_for`: how many missed times the row is about. `late`: it was missed and is made up for.
    """

    class Came(models.TextChoices):
        WAITING = "waiting", "Waiting"
        FIRED = "fired", "Job asked for"
        NOTHING = "nothing found", "Nothing found"
        SKIPPED = "skipped", "Skipped"
        MISSED = "missed", "Missed"
        FAILED = "failed", "Failed"

    schedule = models.ForeignKey(Schedule, on_delete=models.CASCADE, related_name="slots")
    slot = models.DateTimeField()
    came = models.CharField(max_length=15, choices=Came, default=Came.WAITING)
    why = models.CharField(max_length=500, blank=True)
    late = models.BooleanField(default=False)
    stands_for = models.PositiveIntegerField(default=1)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    past_blackout = models.CharField(max_length=500, blank=True)
    job = models.ForeignKey(Job, null=True, on_delete=models.PROTECT, related_name="+")

    class Meta:
        ordering = ["-slot"]
        constraints = [models.UniqueConstraint(fields=["schedule", "slot"], name="a_slot_once_a_schedule")]
        indexes = [models.Index(fields=["schedule"], condition=models.Q(came="waiting"), name="slots_that_wait")]

    def __str__(self) -> str:
        return f"{self.schedule_id} at {self.slot.isoformat()}: {self.came}"


class Blackout(models.Model):
    """A time of the week in which nothing is reprocessed. `weekdays`: 0 is Monday; the days on which it begins.

    Until a time that is not after its beginning: it ends on the next day.
    """

    weekdays = models.JSONField(default=list)
    begins = models.TimeField()
    ends = models.TimeField()
    zone = models.CharField(max_length=64)
    reason = models.CharField(max_length=200)

    class Meta:
        ordering = ["begins", "pk"]

    def __str__(self) -> str:
        return f"{self.begins:%H:%M} to {self.ends:%H:%M} {self.zone}: {self.reason}"


class Trigger(Asker):
    """A rule: what is seen in the warehouse (`kind`, a name of rule_kinds) becomes a job. Times in seconds.

    `quiet`: how long nothing more of that extract must have been seen. `cooldown`: between two jobs of one extract.
    `budget`: jobs an hour.
    """

    kind = models.CharField(max_length=30)
    extract = models.CharField(max_length=64, blank=True)
    threshold = models.FloatField(null=True)
    quiet = models.PositiveIntegerField(default=30)
    cooldown = models.PositiveIntegerField(default=900)
    budget = models.PositiveSmallIntegerField(default=10)

    class Meta:
        ordering = ["name"]

    def get_absolute_url(self) -> str:
        return reverse("trigger", args=[self.pk])

    @property
    def quiet_time(self) -> timedelta:
        return timedelta(seconds=self.quiet)

    @property
    def cooldown_time(self) -> timedelta:
        return timedelta(seconds=self.cooldown)


class Sighting(models.Model):
    """Something that a rule has seen, and what came of it. `mark` tells two sightings of one run apart.

    `depth`: of the job that it asks for; 1 where no trigger had a hand in the run.
    """

    class Came(models.TextChoices):
        WAITING = "waiting", "Waiting for quiet"
        FIRED = "fired", "Job asked for"
        DEBOUNCED = "debounced", "Debounced"
        COOLING = "cooling down", "Cooling down"
        SPENT = "budget spent", "Budget spent"
        DEEP = "too deep", "Too deep"
        NO_RIGHT = "no right", "No right"
        ACTIVE = "already active", "Already active"
        BLACKOUT = "blackout", "Blackout"
        PAUSED = "paused", "Trigger paused"
        NOTHING = "nothing to do", "Nothing to do"
        FAILED = "failed", "Failed"

    trigger = models.ForeignKey(Trigger, on_delete=models.CASCADE, related_name="sightings")
    extract = models.CharField(max_length=64)
    load_run_id = models.UUIDField(null=True)
    mark = models.CharField(max_length=64)
    told = models.CharField(max_length=300)
    seen_at = models.DateTimeField(db_index=True)
    depth = models.PositiveSmallIntegerField(default=1)
    came = models.CharField(max_length=15, choices=Came, default=Came.WAITING)
    why = models.CharField(max_length=500, blank=True)
    decided_at = models.DateTimeField(null=True)
    job = models.ForeignKey(Job, null=True, on_delete=models.PROTECT, related_name="+")

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["trigger", "extract", "load_run_id", "mark"], name="a_sighting_once", nulls_distinct=False
            )
        ]
        indexes = [
            models.Index(fields=["trigger", "extract"], condition=models.Q(came="waiting"), name="sightings_wait")
        ]

    def __str__(self) -> str:
        return f"{self.told}: {self.came}"


class Bookmark(models.Model):
    """What is remembered between two looks at the warehouse: a position, a version, a fingerprint, a sign of life."""

    name = models.CharField(max_length=150, unique=True)
    value = models.TextField(blank=True)
    at = models.DateTimeField()

    def __str__(self) -> str:
        return self.name
