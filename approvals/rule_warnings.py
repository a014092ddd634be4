"""What looks wrong in a set of rules, though it can be put in force."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

from access import persons, rights
from approvals import rule_shadows, rule_words
from approvals.policy import Stage
from approvals.rule_terms import ASK, NO_APPROVAL, Conditions, Rule
from jobs import kinds
from warehouse import registry
from warehouse.amounts import things


@dataclass(frozen=True)
class Known:
    """What there is for rules to name; `people`: role → the active people who have it and may decide, each once
    however many accounts they have."""

    kinds: frozenset[str]
    tables: frozenset[str]
    extracts: frozenset[str]
    people: dict[str, frozenset[int]]


def known() -> Known:
    """As it is now."""
    extracts = registry.current().extracts
    deciding = rights.having(rights.DECIDE)
    held = list(rights.people_of(deciding).values_list("groups__name", "pk"))
    person = persons.of(account for _role, account in held)
    return Known(
        frozenset(kind.name for kind in kinds.known()),
        frozenset(extract.table for extract in extracts),
        frozenset(extract.name for extract in extracts),
        {role: frozenset(person[account] for name, account in held if name == role) for role in deciding},
    )


def warnings(rules: Sequence[Rule], there: Known) -> list[str]:
    """In words, one for each thing; none: nothing looks wrong."""
    found = []
    catching_all = next((n for n, rule in enumerate(rules) if rule.conditions == Conditions()), None)
    if catching_all is None:
        found.append("No rule catches every job: a job that none catches needs one approval.")
    elif never := [rule.name for rule in rules[catching_all + 1 :]]:
        all_jobs = rules[catching_all].name
        found.append(f"“{all_jobs}” catches every job, so what follows it is never asked: {', '.join(never)}.")
    if all(rule.outcome.act == NO_APPROVAL for rule in rules) and rules:
        found.append("No rule asks for an approval: only what plans themselves ask for still does.")
    found += [
        f"“{rule.name}” is never asked: “{above.name}”, which stands above it, catches every job that it would catch."
        for rule, above in rule_shadows.shadowed(rules)
        if not above.conditions.any_job
    ]
    names = Counter(rule.name.strip().casefold() for rule in rules)
    if alike := [rule.name for rule in rules if names.pop(rule.name.strip().casefold(), 1) > 1]:
        found.append(
            f"More than one rule is called {', '.join(f'“{name}”' for name in alike)}: requests name their rule."
        )
    for rule in rules:
        found += [*_unknown(rule, there), *_too_few(rule, there)]
    return found


def _unknown(rule: Rule, there: Known) -> list[str]:
    named = rule.conditions
    gone = [
        *(set(named.kinds) - there.kinds),
        *(set(named.tables) - there.tables),
        *(set(named.extracts) - there.extracts),
        *(set(named.roles) - set(rights.ROLES)),
    ]
    return [f"“{rule.name}” names what is not there (any more): {', '.join(sorted(gone))}."] if gone else []


def _too_few(rule: Rule, there: Known) -> list[str]:
    """Who asks cannot approve, but who asks is not known here: those who could are the most there can be.

    Every person approves once, so any stages together need as many people as they have approvals.
    """
    if rule.outcome.act != ASK:
        return []
    stages = rule.outcome.stages
    together = [some for size in range(1, len(stages) + 1) for some in combinations(stages, size)]
    for some in together:
        needed, people = sum(stage.approvals for stage in some), _people(some, there)
        if len(people) < needed:
            have = things(len(people), "person", "people")
            wanted = " and ".join(rule_words.stage(stage) for stage in some)
            return [f"“{rule.name}” needs {wanted}, and {have} could give them: its jobs could never begin."]
    return []


def _people(stages: Iterable[Stage], there: Known) -> frozenset[int]:
    groups = {group for stage in stages for group in stage.groups}
    return frozenset[int]().union(*(there.people.get(group, frozenset()) for group in groups))
