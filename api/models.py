"""Tokens of the API, and the requests that may be sent again."""

from datetime import datetime

from django.conf import settings
from django.db import models

from jobs.models import Job

NAME_LETTERS = 60


class Token(models.Model):
    """What a program shows in place of a login. Only a hash of it is kept, and the letters that it begins with. Its
    rights are those of its owner at that moment, as far as `scope` reaches."""

    class Scope(models.TextChoices):
        READ = "read", "Read"
        ASK = "ask", "Read, ask for jobs and cancel them"

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="tokens")
    name = models.CharField(max_length=NAME_LETTERS)
    scope = models.CharField(max_length=4, choices=Scope, default=Scope.READ)
    begins = models.CharField(max_length=20)
    digest = models.CharField(max_length=64, unique=True)
    made_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)
    revoked_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")

    class Meta:
        ordering = ["-made_at", "-pk"]

    def __str__(self) -> str:
        return f"token {self.name}"

    def why_dead(self, now: datetime) -> str:
        """Why it opens nothing ("": it does)."""
        if self.revoked_at is not None:
            return "it was revoked"
        if self.expires_at <= now:
            return "it has expired"
        return "" if self.owner.is_active else "the account of its owner is closed"


class Asked(models.Model):
    """The job that a request with an Idempotency-Key has made: the same request, sent again, gives that job."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    key = models.CharField(max_length=100)
    body = models.CharField(max_length=64)
    job = models.ForeignKey(Job, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "key"], name="a_key_asks_once")]

    def __str__(self) -> str:
        return f"{self.key} of {self.user}"
