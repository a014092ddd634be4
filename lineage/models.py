"""How far OpenLineage events have been sent: one cursor over the trail for each place that hears of them."""

from django.db import models


class Cursor(models.Model):
    """Everything up to the event (`tx`, `event`) was told to `place`, in the order of transactions that are over.

    `place` is a digest of the address, which may hold a password; `shown` is the address without it. Nobody sends
    before `not_before`: another worker is at it, or the place has failed and is left alone for a while.
    """

    place = models.CharField(max_length=64, unique=True)
    shown = models.CharField(max_length=200)
    tx = models.DecimalField(max_digits=20, decimal_places=0)
    event = models.BigIntegerField()
    sent = models.PositiveBigIntegerField(default=0)
    refused = models.PositiveBigIntegerField(default=0)
    not_before = models.DateTimeField(null=True)
    failures = models.PositiveIntegerField(default=0)
    failing_since = models.DateTimeField(null=True)
    error = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering = ["shown"]

    def __str__(self) -> str:
        return self.shown
