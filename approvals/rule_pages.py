"""The rules in force in words, and the versions before them."""

from typing import Any

from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from access import rights
from access.rights import Asked
from approvals import rule_versions, rule_words
from approvals.rule_models import RuleVersion
from approvals.rule_terms import NoRuleError, Rule
from approvals.rule_words import Difference

PAGE_ROWS = 20


@require_safe
@rights.requires(rights.SEE)
def rules_page(request: Asked) -> HttpResponse:
    """What is in force, what is being changed, and every version there was."""
    current, versions = rule_versions.in_force(), numbered()
    page = Paginator(versions, PAGE_ROWS).get_page(request.GET.get("page"))
    return render(
        request,
        "approvals/rules.html",
        {
            "current": current,
            "version": versions.filter(number=current.number).first(),
            "rules": [worded(rule) for rule in current.rules],
            "open": rule_versions.open_one(),
            "page": page,
            "history": [(each, changes(each)) for each in page],
            "may_manage": rights.may(request.user, rights.MANAGE_RULES),
        },
    )


@require_safe
@rights.requires(rights.SEE)
def version(request: Asked, number: int) -> HttpResponse:
    """One version: its rules, what it changed, who wrote it and who accepted it."""
    found = get_object_or_404(numbered(), number=number)
    rules = readable(found)
    return render(
        request,
        "approvals/rule_version.html",
        {
            "version": found,
            "rules": None if rules is None else [worded(rule) for rule in rules],
            "differences": changes(found),
            "writers": found.writers(),
        },
    )


def numbered() -> "Any":
    """The versions that are or were in force, the newest first."""
    found = RuleVersion.objects.exclude(number=None).select_related("decided_by", "proposed_by")
    return found.order_by("-number")


def worded(rule: Rule) -> dict[str, Any]:
    """A rule as pages show it."""
    return {
        "key": rule.key,
        "name": rule.name,
        "conditions": rule_words.conditions_of(rule),
        "act": rule.outcome.act,
        "outcome": rule_words.outcome(rule.outcome),
    }


def readable(found: RuleVersion) -> tuple[Rule, ...] | None:
    """Its rules; None where they cannot be read."""
    try:
        return found.parsed
    except NoRuleError:
        return None


def changes(found: RuleVersion) -> list[Difference] | None:
    """What it made other than the version before it; None where one of them cannot be read, or it is the first."""
    before = RuleVersion.objects.filter(number__lt=found.number).order_by("-number").first() if found.number else None
    former, rules = readable(before) if before else None, readable(found)
    return None if former is None or rules is None else rule_words.differences(former, rules)
