"""A request for a decision about one digest, and the decisions on it."""

from django.conf import settings
from django.db import models

from jobs.models import Job


class Request(models.Model):
    """`why`: the rules that ask for the decision, in words."""

    class State(models.TextChoices):
        PENDING = "pending", "Pending"
        APPROVED = "approved", "Approved"
        REJECTED = "rejected", "Rejected"
        VOID = "void", "Void"

    job = models.OneToOneField(Job, on_delete=models.PROTECT, related_name="approval")
    digest = models.CharField(max_length=64)
    why = models.JSONField(default=list)
    state = models.CharField(max_length=10, choices=State, default=State.PENDING)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()

    class Meta:
        ordering = ["created_at"]

    def __str__(self) -> str:
        return f"request for {self.job}"


class Decision(models.Model):
    request = models.ForeignKey(Request, on_delete=models.PROTECT, related_name="decisions")
    reviewer = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    approved = models.BooleanField()
    digest = models.CharField(max_length=64)
    reason = models.CharField(max_length=500, blank=True)
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["at"]

    def __str__(self) -> str:
        return f"{'approved' if self.approved else 'rejected'} by {self.reviewer}"
