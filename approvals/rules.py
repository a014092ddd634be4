"""When a plan needs somebody else: the rules in force, and what no rule waives."""

from collections.abc import Iterable
from datetime import datetime

from django.utils import timezone

from access import persons, rights
from approvals import rule_answers, rule_facts, rule_versions
from approvals.policy import Policy, Stage
from approvals.rule_answers import Facts
from approvals.rule_terms import ASK, NO_APPROVAL, Rule
from approvals.rule_versions import InForce
from audit import database
from jobs.models import Job

OF_THE_PLAN = "What the plan itself asks for"
NO_RULE = "No rule catches it"
BROKEN = "No rules in force"


def judge(job: Job, now: datetime) -> Policy | None:
    """What the decision about a previewed job needs; None: none is needed. Without stages: it is refused.

    In a transaction, the jobs of one person are judged one after the other where the rules sum them up.
    """
    found = rule_versions.in_force()
    hours = hours_of(found.rules)
    if hours:
        database.in_turn(f"rules sum up what person {persons.person_of(job.requested_by)} asks for")
    return judged(found, rule_facts.of(job, now, hours))


def hours_of(rules: Iterable[Rule]) -> set[int]:
    """Over which times the rules sum up."""
    return {rule.conditions.summed.hours for rule in rules if rule.conditions.summed}


def judged(found: InForce, facts: Facts) -> Policy | None:
    """As judge(), of facts. First match wins; where nothing matches, or there are no rules to trust, it asks."""
    if found.problem:
        return _asking(BROKEN, found.number, [*facts.reasons, found.problem])
    caught = rule_answers.first(found.rules, facts)
    if caught is None:
        return _asking(NO_RULE, found.number, [*facts.reasons, "No rule says that it may go ahead."])
    rule, answers = caught
    if rule.outcome.act == NO_APPROVAL:
        return _asking(OF_THE_PLAN, found.number, list(facts.reasons)) if facts.reasons else None
    told = [answer.told for answer in answers if answer.told]
    why = (*facts.reasons, *_without_repeating(facts, rule, told))
    if rule.outcome.act == ASK:
        return Policy(rule.name, found.number, why, rule.outcome.stages, rule.outcome.in_sequence)
    return Policy(rule.name, found.number, (rule.outcome.words, *why), ())


def _without_repeating(facts: Facts, rule: Rule, told: list[str]) -> list[str]:
    """What the rule found; that it is destructive is said by the plan's own reasons, where it has any."""
    if rule.conditions.destructive and facts.reasons:
        told = told[1:]
    return told if told or facts.reasons else [f"The rule “{rule.name}” asks about every job."]


def _asking(rule: str, version: int, why: list[str]) -> Policy:
    return Policy(rule, version, tuple(why), (one_of_those_who_decide(),))


def one_of_those_who_decide() -> Stage:
    """One approval by anybody who may give one."""
    return Stage(rights.having(rights.DECIDE))


def why(job: Job) -> list[str]:
    """The reasons to ask, in words; none where the job may go ahead."""
    found = judge(job, timezone.now())
    return list(found.why) if found else []
