"""The sets of approval rules: numbered versions that never change, and the draft of the next one."""

from collections.abc import Collection

from django.conf import settings
from django.contrib.auth.models import User
from django.db import models
from django.urls import reverse

from approvals.rule_terms import Rule, rules_of


class RuleVersion(models.Model):
    """`rules`: as Rule.as_json() writes them, in their order. `revision` counts what was done to a draft, so that
    nobody works on what they have not seen.

    Set when it is proposed, and never touched again (a trigger of the database says the same): the rules, `authors`
    (ids of everybody who had a hand in it: none of them accepts it), and `digest`, which only who has the trail's key
    can make. `number`: of those that were ever in force.
    """

    class State(models.TextChoices):
        DRAFT = "draft", "Draft"
        PROPOSED = "proposed", "Proposed"
        IN_FORCE = "in force", "In force"
        FORMER = "former", "Former"
        DROPPED = "dropped", "Dropped"

    OPEN = (State.DRAFT, State.PROPOSED)

    number = models.PositiveIntegerField(null=True, unique=True)
    state = models.CharField(max_length=10, choices=State, default=State.DRAFT)
    rules = models.JSONField(default=list)
    revision = models.PositiveIntegerField(default=1)
    authors = models.JSONField(default=list)
    reason = models.CharField(max_length=500, blank=True)
    digest = models.CharField(max_length=64, blank=True)
    begun_at = models.DateTimeField()
    proposed_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    proposed_at = models.DateTimeField(null=True)
    decided_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    decided_at = models.DateTimeField(null=True)
    note = models.CharField(max_length=500, blank=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["state"],
                condition=models.Q(state__in=("draft", "proposed", "in force")),
                name="one_draft_one_proposal_one_in_force",
            )
        ]

    def __str__(self) -> str:
        return f"version {self.number} of the approval rules" if self.number else "a draft of the approval rules"

    def get_absolute_url(self) -> str:
        return reverse("rule_version", args=[self.number]) if self.number else reverse("rule_draft")

    @property
    def parsed(self) -> tuple[Rule, ...]:
        """Its rules as values. Raises NoRuleError."""
        return rules_of(self.rules)

    def writers(self) -> Collection[User]:
        """Everybody who had a hand in it."""
        return User.objects.filter(pk__in=self.authors).order_by("username")
