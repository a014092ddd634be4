"""A request for decisions about one digest, the decisions on it, and what people say to it.

Triggers of the database hold what these rows mean (migrations/0003): decisions and comments are only added to, a
request keeps its policy and its digest, and becomes approved by as many distinct people as its policy says.
"""

from django.conf import settings
from django.db import models

from approvals.rule_models import RuleVersion as RuleVersion
from jobs.models import Job

ROLE_LETTERS = 150


class Request(models.Model):
    """`why`: the rules that ask for the decision, in words. `policy`: what the decision needs, as it was when it was
    asked. `follows`: the request about the plan that this one is made in place of. From `escalates_at` on the role
    `escalates_to` may approve too. `window`: the change window in which the job may begin (null: at once);
    `valid_until`: the end of the time in which it may begin. `reminded`: how many reminders there were.
    """

    class State(models.TextChoices):
        PENDING = "pending", "Pending"
        APPROVED = "approved", "Approved"
        REJECTED = "rejected", "Rejected"
        CHANGES = "changes asked", "Changes asked for"
        WITHDRAWN = "withdrawn", "Withdrawn"
        EMERGENCY = "emergency", "Let through in an emergency"
        VOID = "void", "Void"

    PERMITTING = (State.APPROVED, State.EMERGENCY)

    job = models.OneToOneField(Job, on_delete=models.PROTECT, related_name="approval")
    digest = models.CharField(max_length=64)
    why = models.JSONField(default=list)
    policy = models.JSONField(default=dict)
    follows = models.ForeignKey("self", null=True, on_delete=models.PROTECT, related_name="+")
    state = models.CharField(max_length=20, choices=State, default=State.PENDING)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()
    escalates_to = models.CharField(max_length=ROLE_LETTERS, blank=True)
    escalates_at = models.DateTimeField(null=True)
    escalated = models.BooleanField(default=False)
    reminded = models.PositiveSmallIntegerField(default=0)
    window = models.JSONField(null=True)
    valid_until = models.DateTimeField(null=True)

    class Meta:
        ordering = ["created_at"]

    def __str__(self) -> str:
        return f"request for {self.job}"


class Decision(models.Model):
    """One person's verdict. It counts for a stage of the policy, as of a holder of `role`; `person` is set by the
    database."""

    class Verdict(models.TextChoices):
        APPROVE = "approve", "Approved"
        REJECT = "reject", "Rejected"
        CHANGES = "changes", "Asked for changes"

    request = models.ForeignKey(Request, on_delete=models.PROTECT, related_name="decisions")
    reviewer = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    person = models.IntegerField()
    verdict = models.CharField(max_length=10, choices=Verdict)
    stage = models.PositiveSmallIntegerField(default=0)
    role = models.CharField(max_length=ROLE_LETTERS)
    digest = models.CharField(max_length=64)
    reason = models.CharField(max_length=500, blank=True)
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["at", "pk"]
        constraints = [models.UniqueConstraint(fields=["request", "person"], name="a_person_decides_once")]

    def __str__(self) -> str:
        return f"{self.get_verdict_display().lower()} by {self.reviewer}"

    @property
    def approved(self) -> bool:
        return self.verdict == self.Verdict.APPROVE


class Comment(models.Model):
    """What somebody says about a request, for all who follow it."""

    request = models.ForeignKey(Request, on_delete=models.PROTECT, related_name="comments")
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    text = models.CharField(max_length=2000)
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["at", "pk"]

    def __str__(self) -> str:
        return f"comment by {self.author}"


class Window(models.Model):
    """A change window: a time of the week in which approved jobs may begin. `weekdays`: 0 is Monday; the days on which
    it opens. Until a time that is not after its beginning: it closes on the next day."""

    name = models.CharField(max_length=60, unique=True)
    weekdays = models.JSONField(default=list)
    begins = models.TimeField()
    ends = models.TimeField()
    zone = models.CharField(max_length=64)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Emergency(models.Model):
    """A request that somebody let through on their own. Somebody else reviews it afterwards, until `due`."""

    class State(models.TextChoices):
        OPEN = "to review", "To review"
        JUSTIFIED = "justified", "Justified"
        NOT_JUSTIFIED = "not justified", "Not justified"

    request = models.OneToOneField(Request, on_delete=models.PROTECT, related_name="emergency")
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    person = models.IntegerField()
    reason = models.CharField(max_length=500)
    digest = models.CharField(max_length=64)
    at = models.DateTimeField(auto_now_add=True)
    due = models.DateTimeField()
    state = models.CharField(max_length=20, choices=State, default=State.OPEN)
    reviewed_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    reviewed_at = models.DateTimeField(null=True)
    note = models.CharField(max_length=500, blank=True)
    overdue_told = models.BooleanField(default=False)

    class Meta:
        ordering = ["-at"]

    def __str__(self) -> str:
        return f"emergency of {self.request}"
