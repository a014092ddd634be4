"""A plan is data; a job is the carrying out of one plan. Truth lies in these rows, the queue is only a doorbell."""

import hashlib
import json
import uuid
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import models
from django.urls import reverse

# Left out though they were asked for: what such a plan publishes is a part.
NOT_READ = ("missing", "unreadable")
DIGEST_OF = ("kind", "reason", "options", "included", "excluded", "preview")


class Plan(models.Model):
    """What is to be done, and why: `included` and `excluded` together are everything that was selected.

    Frozen once `digest` is set: it covers all that a reviewer reads, so a decision about a digest is about exactly
    that. `preview` holds the diff of each table, samples (masked), rejection causes, records and seconds it took.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    kind = models.CharField(max_length=30)
    reason = models.CharField(max_length=500)
    options = models.JSONField(default=dict)
    included = models.JSONField(default=list)
    excluded = models.JSONField(default=list)
    preview = models.JSONField(null=True)
    digest = models.CharField(max_length=64, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"{self.kind}: {self.reason}"

    @property
    def load_runs(self) -> list[uuid.UUID]:
        """The load runs of the included files, in their order; none where it includes no files."""
        return [uuid.UUID(run) for run in dict.fromkeys(item["run"] for item in self.included if "run" in item)]

    @property
    def tables(self) -> dict[str, dict[str, Any]]:
        """Table → counts, as previewed."""
        return self.preview["tables"] if self.preview else {}

    @property
    def not_read(self) -> list[dict[str, Any]]:
        """The files that were asked for and could not be read."""
        return [item for item in self.excluded if item["code"] in NOT_READ]

    @property
    def records(self) -> int | None:
        """How many records it reads: exact after the preview, from the first load before; None if unknown."""
        if self.preview:
            known = self.preview.get("records")
            return None if known is None else int(known)
        each = [item.get("records") for item in self.included]
        return None if None in each else sum(each)

    @property
    def seconds(self) -> float | None:
        """The estimate of its duration; None until a preview has measured one."""
        known = (self.preview or {}).get("estimate_seconds")
        return None if known is None else float(known)

    def freeze(self, *, included: list[Any], excluded: list[Any], preview: dict[str, Any]) -> None:
        """Set what the preview found, and the digest. Raises ValueError when it is frozen already."""
        self.included, self.excluded, self.preview = included, excluded, preview
        self.digest = self.computed_digest()
        changed = Plan.objects.filter(pk=self.pk, digest="").update(
            included=included, excluded=excluded, preview=preview, digest=self.digest
        )
        if not changed:
            raise ValueError("The plan is frozen already.")

    def computed_digest(self) -> str:
        """SHA-256 over what the plan says."""
        said = {name: getattr(self, name) for name in DIGEST_OF}
        return hashlib.sha256(json.dumps(said, sort_keys=True, default=str).encode()).hexdigest()


class Job(models.Model):
    """The carrying out of a plan. Every claim raises `epoch` and counts in `attempts` before any work."""

    class State(models.TextChoices):
        PREVIEWING = "previewing", "Preview being made"
        PREVIEWED = "previewed", "Dry run done"
        AWAITING = "awaiting approval", "Awaiting approval"
        QUEUED = "queued", "Queued"
        RUNNING = "running", "Running"
        PAUSED = "paused", "Paused"
        SUCCEEDED = "succeeded", "Succeeded"
        PARTIAL = "partial", "Succeeded in part"
        FAILED = "failed", "Failed"
        QUARANTINED = "quarantined", "Quarantined"
        CANCELLED = "cancelled", "Cancelled"
        REJECTED = "rejected", "Rejected"
        ROLLED_BACK = "rolled back", "Rolled back"

    WORKABLE = (State.PREVIEWING, State.QUEUED, State.RUNNING)
    ACTIVE = (*WORKABLE, State.AWAITING, State.PAUSED)
    PUBLISHED = (State.SUCCEEDED, State.PARTIAL)
    RETRIABLE = (State.FAILED, State.CANCELLED, State.QUARANTINED, State.PARTIAL)

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    plan = models.OneToOneField(Plan, on_delete=models.PROTECT)
    kind = models.CharField(max_length=30)
    state = models.CharField(max_length=20, choices=State, default=State.PREVIEWING)
    dry_run = models.BooleanField(default=False)
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="jobs")
    undoes = models.ForeignKey("self", null=True, on_delete=models.PROTECT, related_name="rollbacks")
    # the job that made this one as a part of itself: it holds the load runs, and its approval covers this one too
    parent = models.ForeignKey("self", null=True, on_delete=models.PROTECT, related_name="children")
    epoch = models.PositiveIntegerField(default=0)
    attempts = models.PositiveSmallIntegerField(default=0)
    worker = models.CharField(max_length=100, blank=True)
    lease_until = models.DateTimeField(null=True)
    not_before = models.DateTimeField(null=True)  # a queued job waits for this moment
    cancel_asked = models.BooleanField(default=False)
    progress = models.JSONField(default=dict)
    outcome = models.JSONField(null=True)
    error = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"{self.kind} {self.id}"

    def get_absolute_url(self) -> str:
        return reverse("job", args=[self.pk])

    @property
    def active(self) -> bool:
        return self.state in self.ACTIVE

    @property
    def asked_by(self) -> set[int]:
        """Ids of everybody who had a hand in asking for it: none of them decides on it."""
        options = self.plan.options
        return {
            self.requested_by_id,
            *options.get("origin", {}).get("authors", []),
            *options.get("asked_before_by", []),
        }

    @property
    def about(self) -> list[uuid.UUID]:
        """The load runs that it is about, whether or not it holds them."""
        run = self.plan.options.get("load_run")
        return [uuid.UUID(run)] if run else self.plan.load_runs

    @property
    def tables(self) -> dict[str, dict[str, Any]]:
        """Table → counts: what was done, else what was previewed."""
        return self.outcome["tables"] if self.outcome else self.plan.tables

    @property
    def to_retry(self) -> list[dict[str, Any]]:
        """The files that a retry takes: those that did not succeed; none where there is nothing to retry."""
        if self.state not in self.RETRIABLE:
            return []
        return self.plan.not_read if self.state == self.State.PARTIAL else self.plan.included + self.plan.not_read

    @property
    def took(self) -> timedelta | None:
        return self.finished_at - self.started_at if self.finished_at and self.started_at else None


class JobRun(models.Model):
    """A load run that a job is about. While the job is active it is `held`: no other job can be about it."""

    job = models.ForeignKey(Job, on_delete=models.PROTECT, related_name="runs")
    load_run_id = models.UUIDField(db_index=True)
    held = models.BooleanField(default=True)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["job", "load_run_id"], name="a_run_once_a_job"),
            models.UniqueConstraint(fields=["load_run_id"], condition=models.Q(held=True), name="one_job_holds_a_run"),
        ]

    def __str__(self) -> str:
        return f"{self.load_run_id} in {self.job_id}"
