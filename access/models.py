"""Which accounts are one person's, and in which zone each reads."""

from django.conf import settings
from django.db import models


class Account(models.Model):
    """An account of a person who has several: `person` is the one of them that stands for the person.

    An account without a row is a person of its own.
    """

    user = models.OneToOneField(settings.AUTH_USER_MODEL, primary_key=True, on_delete=models.CASCADE, related_name="+")
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")

    def __str__(self) -> str:
        return f"{self.user} is {self.person}"


class OwnZone(models.Model):
    """The time zone in which an account reads, once it has chosen; "": the console's, whichever that is."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, primary_key=True, on_delete=models.CASCADE, related_name="+")
    name = models.CharField(max_length=64, blank=True)

    def __str__(self) -> str:
        return f"{self.user} reads in {self.name or 'the zone of the console'}"
