"""Channels, who wants to hear what by which way, and what is on its way.

An occurrence is written in the transaction of the act that it is about, nothing else; letters and inbox entries are
made of it by the clock. So no notification is lost, none tells of what was rolled back, and none can fail an act.
"""

import uuid

from django.conf import settings
from django.db import models
from django.urls import reverse

from audit.models import Event


class Topic(models.TextChoices):
    REQUESTED = "requested", "A decision is asked for"
    DECIDED = "decided", "A request is decided"
    EXPIRING = "expiring", "A request still waits"
    STARTED = "started", "A job begins"
    FINISHED = "finished", "A job is over"
    FAILED = "failed", "A job failed, stopped or waits for a person"
    ROLLED_BACK = "rolled back", "A job is rolled back"
    ALERT = "alert", "An alert"


class Channel(models.Model):
    """A way out of the console. `address` is encrypted and never shown again; `shown` is what people see of it."""

    class Form(models.TextChoices):
        EMAIL = "email", "Email, to each person's own address"
        SLACK = "slack", "Slack"
        TEAMS = "teams", "Microsoft Teams"
        WEBHOOK = "webhook", "Signed webhook"

    class State(models.TextChoices):
        ACTIVE = "active", "Active"
        PAUSED = "paused", "Paused"
        RETIRED = "retired", "Retired"

    name = models.CharField(max_length=60, unique=True)
    form = models.CharField(max_length=10, choices=Form)
    state = models.CharField(max_length=10, choices=State, default=State.ACTIVE)
    address = models.TextField()
    shown = models.CharField(max_length=200)
    secret = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("channel", args=[self.pk])

    @property
    def personal(self) -> bool:
        """Whether it reaches one person and not a place that many read."""
        return self.form == self.Form.EMAIL


class Route(models.Model):
    """What a group hears of, whoever it is about: by a shared channel (no role), or each member of a role by a
    personal one or (no channel) in the inbox."""

    topic = models.CharField(max_length=12, choices=Topic)
    role = models.CharField(max_length=30, blank=True)  # of rights.ROLES
    channel = models.ForeignKey(Channel, null=True, on_delete=models.CASCADE, related_name="routes")

    class Meta:
        ordering = ["topic", "role"]
        constraints = [
            models.UniqueConstraint(fields=["topic", "role", "channel"], name="a_route_once", nulls_distinct=False)
        ]

    def __str__(self) -> str:
        return f"{self.topic} to {self.role or self.channel} by {self.channel or 'inbox'}"


class Choice(models.Model):
    """What one person has chosen: topic → ids of channels, 0 for the inbox. `of_others`: also what others asked for."""

    person = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    wanted = models.JSONField(default=dict)
    of_others = models.BooleanField(default=False)

    def __str__(self) -> str:
        return f"choice of {self.person}"


class Occurrence(models.Model):
    """An event of the trail that somebody may want to hear of; gone once letters and entries are made of it.
    `stuck`: that failed, and why can be read in the worker's log."""

    event = models.ForeignKey(Event, on_delete=models.DO_NOTHING, db_constraint=False, related_name="+")
    stuck = models.BooleanField(default=False)

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"occurrence of event {self.event_id}"


class Told(models.Model):
    """What letters and entries say: of one happening, or of `count` with the same key. `content` is a News as JSON,
    `items` name a few of them."""

    topic = models.CharField(max_length=12, choices=Topic)
    key = models.CharField(max_length=200)
    count = models.PositiveIntegerField(default=1)
    content = models.JSONField(default=dict)
    items = models.JSONField(default=list)

    class Meta:
        abstract = True

    @property
    def title(self) -> str:
        if self.count == 1:
            return str(self.content["title"])
        return str(self.content["many"]).replace("{count}", f"{self.count:,}")

    @property
    def path(self) -> str:
        return str(self.content["path"] if self.count == 1 else self.content["all_path"])


class Message(Told):
    """A letter to a channel; its id is the same however often it is tried. `sealed`: it was tried once, and takes in
    nothing more. `window_from`: one of the same key to the same reader is due a window later at the earliest."""

    class State(models.TextChoices):
        WAITING = "waiting", "Waiting"
        SENT = "sent", "Sent"
        DEAD = "dead", "Not delivered"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    channel = models.ForeignKey(Channel, on_delete=models.PROTECT, related_name="messages")
    person = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.CASCADE, related_name="+")
    state = models.CharField(max_length=10, choices=State, default=State.WAITING)
    sealed = models.BooleanField(default=False)
    attempts = models.PositiveSmallIntegerField(default=0)
    created_at = models.DateTimeField()
    window_from = models.DateTimeField()
    due_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True)
    error = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering = ["-created_at"]
        indexes = [
            models.Index(fields=["due_at"], condition=models.Q(state="waiting"), name="letters_to_send"),
            models.Index(fields=["channel", "person", "key", "-window_from"], name="letters_of_a_key"),
            models.Index(fields=["created_at"], name="letters_by_age"),
        ]

    def __str__(self) -> str:
        return f"letter {self.id}"


class Attempt(models.Model):
    """One try to deliver a letter. `milliseconds` it took; `told` holds no part of an address."""

    message = models.ForeignKey(Message, on_delete=models.CASCADE, related_name="tries")
    at = models.DateTimeField()
    delivered = models.BooleanField()
    milliseconds = models.PositiveIntegerField()
    told = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering = ["-at"]

    def __str__(self) -> str:
        return f"{'delivered' if self.delivered else 'failed'} at {self.at:%H:%M:%S}"


class Entry(Told):
    """A line in a person's inbox."""

    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    first_at = models.DateTimeField()
    at = models.DateTimeField()
    read_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-at", "-id"]
        indexes = [
            models.Index(fields=["person"], condition=models.Q(read_at=None), name="unread_entries"),
            models.Index(fields=["person", "-at"], name="entries_of_a_person"),
            models.Index(fields=["at"], name="entries_by_age"),
        ]

    def __str__(self) -> str:
        return self.title
