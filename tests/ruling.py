"""Approval rules for a test: put straight in force, as if somebody had accepted them."""

from typing import Any

from django.db import connection
from django.utils import timezone

from approvals import rule_digest, rule_shipped
from approvals.models import RuleVersion
from approvals.policy import Stage
from approvals.rule_terms import ASK, NO_APPROVAL, REFUSE, Conditions, Outcome, Rule


def put(rules: list[Any]) -> RuleVersion:
    """Make these the only version there ever was."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE; TRUNCATE approvals_ruleversion; SET CONSTRAINTS ALL DEFERRED")
    made = RuleVersion(number=1, state="in force", rules=rules, begun_at=timezone.now(), decided_at=timezone.now())
    made.digest = rule_digest.of(made)
    made.save()
    return made


def limit(most_records: int) -> None:
    """The shipped rules, with another limit of the records of one job."""
    rules = rule_shipped.shipped()
    for rule in rules:
        if rule["key"] == "many-records":
            rule["conditions"]["records"]["over"] = most_records
    put(rules)


ONE = Outcome(ASK, (Stage(("reviewer",)),))
NONE = Outcome(NO_APPROVAL)
REFUSED = Outcome(REFUSE, words="Not on a weekday.")


def rule(name: str, outcome: Outcome = ONE, **conditions: Any) -> Rule:
    return Rule(name.lower(), name, outcome, Conditions(**conditions))
