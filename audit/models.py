"""The trail: who did what to which object, in the transaction that did it. Rows are added and never touched again."""

from datetime import datetime
from typing import Any, NoReturn

from django.conf import settings
from django.db import models


class AppendOnly(models.Model):
    """Rows that are never changed or deleted; triggers of the database say the same."""

    class Meta:
        abstract = True

    def save(self, *args: Any, **kwargs: Any) -> None:
        if self.pk is not None:
            raise TypeError(f"A {self._meta.verbose_name} of the trail is never changed.")
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise TypeError(f"A {self._meta.verbose_name} of the trail is never deleted.")


class Event(AppendOnly):
    """One act, done or refused. `subject` is "kind:id" of what it was done to; `detail` holds no values of warehouse
    rows. `tx` is the transaction that wrote it, set by the database. `effect`: of an act told by the warehouse, its
    number in restage.effects."""

    class Result(models.TextChoices):
        DONE = "done", "Done"
        REFUSED = "refused", "Refused"
        FAILED = "failed", "Failed"

    at = models.DateTimeField(auto_now_add=True, db_index=True)
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    actor_name = models.CharField(max_length=150)
    on_behalf_of = models.CharField(max_length=150, blank=True)
    how = models.CharField(max_length=20, blank=True)
    action = models.CharField(max_length=60, db_index=True)
    subject = models.CharField(max_length=100, db_index=True)
    result = models.CharField(max_length=10, choices=Result, default=Result.DONE)
    detail = models.JSONField(default=dict)
    address = models.CharField(max_length=64, blank=True)
    request_id = models.CharField(max_length=64, blank=True, db_index=True)
    effect = models.BigIntegerField(null=True, unique=True)
    tx = models.DecimalField(max_digits=20, decimal_places=0, null=True, db_index=True)

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.actor_name} {self.action} {self.subject}"

    @property
    def happened(self) -> datetime:
        """When it was done; what the warehouse tells of itself comes into the trail a little later."""
        return datetime.fromisoformat(self.detail["at"]) if self.effect is not None else self.at

    @property
    def reason(self) -> str:
        """Why it was done, where somebody had to say."""
        return str(self.detail.get("reason", ""))


class Seal(AppendOnly):
    """A batch of events, sealed: from now on a change of any of them shows.

    `ranges` are the ids of its events, [[first, last], …]; `leaves` one digest an event, in the order of the ids;
    `head` covers the ranges, the leaves and the head of the seal before. `below` is the transaction below which
    everything had been committed and was sealed.
    """

    number = models.BigIntegerField(unique=True)
    at = models.DateTimeField(auto_now_add=True)
    ranges = models.JSONField()
    events = models.PositiveIntegerField()
    below = models.DecimalField(max_digits=20, decimal_places=0)
    leaves = models.BinaryField()
    former = models.CharField(max_length=64)
    head = models.CharField(max_length=64)

    class Meta:
        ordering = ["number"]

    def __str__(self) -> str:
        return f"Seal {self.number}"


class View(models.Model):
    """A set of filters of the trail's page that a person has kept."""

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    name = models.CharField(max_length=60)
    query = models.CharField(max_length=1000)

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["owner", "name"], name="a_view_once_a_person")]

    def __str__(self) -> str:
        return self.name
