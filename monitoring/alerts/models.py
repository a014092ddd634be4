"""Rules, the alerts that they make, and what was found out for them."""

from django.conf import settings
from django.db import models
from django.urls import reverse

from monitoring.alerts.judging import Limit


class Rule(models.Model):
    """When to alert. `active_from`: what was over before is not told. `every`: also each further case of a living alert
    is told. `extract` "": any. The fields of a Limit are those of judging.py."""

    class State(models.TextChoices):
        ACTIVE = "active", "Active"
        PAUSED = "paused", "Paused"
        RETIRED = "retired", "Retired"

    class Severity(models.TextChoices):
        WARNING = "warning", "Warning"
        CRITICAL = "critical", "Critical"

    name = models.CharField(max_length=80, unique=True)
    metric = models.CharField(max_length=40)
    extract = models.CharField(max_length=64, blank=True)
    above = models.BooleanField(default=True)
    threshold = models.FloatField()
    relative = models.BooleanField(default=False)
    x = models.PositiveSmallIntegerField(default=1)
    y = models.PositiveSmallIntegerField(default=1)
    recover = models.PositiveSmallIntegerField(default=1)
    severity = models.CharField(max_length=10, choices=Severity, default=Severity.WARNING)
    every = models.BooleanField(default=False)
    todo = models.CharField(max_length=300, blank=True)
    state = models.CharField(max_length=10, choices=State, default=State.ACTIVE)
    active_from = models.DateTimeField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = "alert rule"
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(condition=models.Q(x__gte=1, x__lte=models.F("y")), name="x_of_y"),
            models.CheckConstraint(condition=models.Q(recover__gte=1), name="recovers_some_time"),
        ]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("edit_alert_rule", args=[self.pk])

    @property
    def limit(self) -> Limit:
        return Limit(self.threshold, self.above, self.relative, self.x, self.y, self.recover)


class Alert(models.Model):
    """One problem from its beginning to its end. `series`: of what the rule alerts (an extract, a kind of job); `cause`
    groups alerts of several rules; `count` cases so far, the last few in `cases`; `changes`: when it came and went."""

    class State(models.TextChoices):
        OPEN = "open", "Open"
        ACKNOWLEDGED = "acknowledged", "Acknowledged"
        SNOOZED = "snoozed", "Snoozed"
        REOPENED = "reopened", "Reopened"
        RESOLVED = "resolved", "Resolved"

    LIVING = (State.OPEN, State.ACKNOWLEDGED, State.SNOOZED, State.REOPENED)
    TELLING = (State.OPEN, State.REOPENED)

    rule = models.ForeignKey(Rule, on_delete=models.PROTECT, related_name="alerts")
    series = models.CharField(max_length=200)
    cause = models.CharField(max_length=200, db_index=True)
    state = models.CharField(max_length=15, choices=State, default=State.OPEN)
    severity = models.CharField(max_length=10, choices=Rule.Severity)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    told = models.CharField(max_length=300)
    count = models.PositiveIntegerField(default=0)
    cases = models.JSONField(default=list)
    changes = models.JSONField(default=list)
    opened_at = models.DateTimeField()
    last_at = models.DateTimeField()
    resolved_at = models.DateTimeField(null=True)
    snoozed_until = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-last_at", "-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["rule", "series"], condition=~models.Q(state="resolved"), name="one_living_alert"
            )
        ]

    def __str__(self) -> str:
        return f"{self.rule}: {self.series}"

    def get_absolute_url(self) -> str:
        return reverse("alert", args=[self.pk])

    @property
    def colour(self) -> str:
        """Which of the states of a page it is shown as."""
        if self.state in self.TELLING:
            return "bad" if self.severity == Rule.Severity.CRITICAL else "attention"
        return {self.State.ACKNOWLEDGED: "progress", self.State.RESOLVED: "ok"}.get(self.State(self.state), "neutral")


class Note(models.Model):
    """What somebody wrote about an alert."""

    alert = models.ForeignKey(Alert, on_delete=models.CASCADE, related_name="notes")
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField(auto_now_add=True)
    text = models.CharField(max_length=1000)

    class Meta:
        ordering = ["at", "pk"]

    def __str__(self) -> str:
        return f"note of {self.author}"


class Finding(models.Model):
    """A case that a rule has found: each is found once, so that it is told once. `alert` None: in a downtime."""

    rule = models.ForeignKey(Rule, on_delete=models.CASCADE, related_name="findings")
    subject = models.CharField(max_length=100)
    series = models.CharField(max_length=200)
    at = models.DateTimeField()
    value = models.FloatField()
    alert = models.ForeignKey(Alert, null=True, on_delete=models.CASCADE, related_name="findings")

    class Meta:
        ordering = ["-at", "-pk"]
        constraints = [models.UniqueConstraint(fields=["rule", "subject"], name="a_finding_once")]

    def __str__(self) -> str:
        return f"{self.rule} on {self.subject}"


class Level(models.Model):
    """How a value that is there all the time stood at the last looks: `recent`, the newest last. `muted`: a person has
    said that it is dealt with; it must be good once before it alerts again."""

    rule = models.ForeignKey(Rule, on_delete=models.CASCADE, related_name="levels")
    series = models.CharField(max_length=200)
    recent = models.JSONField(default=list)
    muted = models.BooleanField(default=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["rule", "series"], name="a_level_once")]

    def __str__(self) -> str:
        return f"{self.rule} of {self.series}"


class Downtime(models.Model):
    """A time in which nothing is told about an extract ("": about anything): what is found then stays silent."""

    extract = models.CharField(max_length=64, blank=True)
    begins = models.DateTimeField()
    ends = models.DateTimeField()
    reason = models.CharField(max_length=300)

    class Meta:
        ordering = ["-begins"]
        constraints = [models.CheckConstraint(condition=models.Q(ends__gt=models.F("begins")), name="ends_after")]

    def __str__(self) -> str:
        return f"downtime of {self.extract or 'everything'}"


class Heartbeat(models.Model):
    """When the rules were last looked at: alerts that are not looked for are none. One row, locked by who looks."""

    at = models.DateTimeField(null=True)
    problem = models.CharField(max_length=300, blank=True)

    def __str__(self) -> str:
        return f"looked at {self.at}"
