"""What was found out about a delivered file, and what a person said to it. No value of a row is kept here."""

from django.conf import settings
from django.db import models
from django.urls import reverse


class Verdicts(models.QuerySet["QualityVerdict"]):
    def refused(self) -> "Verdicts":
        """Those whose file is no part of what later files are compared with."""
        return self.filter(
            models.Q(state=QualityVerdict.State.REAL)
            | models.Q(state=QualityVerdict.State.OPEN, level__in=QualityVerdict.ALARMS)
        )

    def waiting(self) -> "Verdicts":
        return self.filter(state=QualityVerdict.State.OPEN, level__in=QualityVerdict.ALARMS)


class QualityVerdict(models.Model):
    """One judged attempt. `score` against `limit`, which is that feed's own. `findings`: channel, column, told."""

    class State(models.TextChoices):
        OPEN = "open", "Not answered"
        REAL = "real", "Real"
        FALSE = "false alarm", "False alarm"
        EXPECTED = "expected change", "Expected change"

    class Level(models.TextChoices):
        PASS = "pass", "Pass"
        WARN = "warn", "Warn"
        BLOCK = "block", "Block"

    ALARMS = (Level.WARN, Level.BLOCK)

    load_run_file_id = models.IntegerField(unique=True)
    load_run_id = models.UUIDField(db_index=True)
    extract = models.CharField(max_length=64)
    feed = models.CharField(max_length=200)
    extracted_at = models.DateTimeField(null=True)
    judged_at = models.DateTimeField()
    level = models.CharField(max_length=5, choices=Level)
    score = models.FloatField()
    limit = models.FloatField()
    rows = models.BigIntegerField()
    compared_with = models.IntegerField()
    columns = models.JSONField(default=list)
    findings = models.JSONField(default=list)
    note = models.CharField(max_length=300, blank=True)
    state = models.CharField(max_length=15, choices=State, default=State.OPEN)
    answered_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    answered_at = models.DateTimeField(null=True)
    reason = models.CharField(max_length=500, blank=True)

    objects = Verdicts.as_manager()

    class Meta:
        verbose_name = "verdict"
        ordering = ["extracted_at", "load_run_file_id"]
        indexes = [models.Index(fields=["extract", "extracted_at"], name="quality_of_extract")]

    def __str__(self) -> str:
        return f"verdict on file {self.load_run_file_id}: {self.level}"

    def get_absolute_url(self) -> str:
        return reverse("quality_file", args=[self.load_run_file_id])

    @property
    def alarm(self) -> bool:
        return self.level in self.ALARMS

    @property
    def counts(self) -> bool:
        """Whether later files are compared with this one."""
        return self.state != self.State.REAL and not (self.alarm and self.state == self.State.OPEN)

    @property
    def sentence(self) -> str:
        told = " ".join(found["told"] for found in self.findings[:3]) if self.alarm else "Like the files before."
        return f"{told} {self.note}".strip()
