"""Which rules are never asked, as one above them catches whatever they would catch.

Only what is certain: where two conditions cannot be compared, a rule counts as one that can be reached.
"""

from collections.abc import Callable, Sequence

from approvals.rule_terms import NO_APPROVAL, Conditions, Range, Rule


def shadowed(rules: Sequence[Rule]) -> list[tuple[Rule, Rule]]:
    """Each such rule, with the first that catches its jobs."""
    found = []
    for place, rule in enumerate(rules):
        above = next((each for each in rules[:place] if _catches_all_of(each, rule)), None)
        if above is not None:
            found.append((rule, above))
    return found


def _catches_all_of(above: Rule, rule: Rule) -> bool:
    one, other = above.conditions, rule.conditions
    return (
        all(_ranges(getattr(one, name), getattr(other, name)) for name in ("records", "seconds"))
        and _sums(one, other)
        and _same_kinds_measured(one, other)
        and all(_equal(getattr(one, name), getattr(other, name)) for name in ("destructive", "window"))
        and all(_words(getattr(one, name), getattr(other, name)) for name in ("kinds", "roles", "environments"))
        and all(_parts(above, rule, named) for named in (_tables, _extracts))
    )


def _ranges(one: Range | None, other: Range | None) -> bool:
    if one is None or other is None:
        return one is None
    low = one.over is None or (other.over is not None and other.over >= one.over)
    return low and (one.up_to is None or (other.up_to is not None and other.up_to <= one.up_to))


def _sums(one: Conditions, other: Conditions) -> bool:
    if one.summed is None or other.summed is None:
        return one.summed is None
    return one.summed.over <= other.summed.over and one.summed.hours >= other.summed.hours


def _same_kinds_measured(one: Conditions, other: Conditions) -> bool:
    """Size says nothing of some kinds, but where a rule names them: then both must name some, or neither."""
    sized = any(part is not None for part in (one.records, one.seconds, one.summed))
    return not sized or bool(one.kinds) == bool(other.kinds)


def _equal(one: object, other: object) -> bool:
    return one is None or one == other


def _words(one: Sequence[str], other: Sequence[str]) -> bool:
    """Of several words in one condition, one is enough."""
    return not one or (bool(other) and set(other) <= set(one))


def _tables(found: Conditions) -> Sequence[str]:
    return found.tables


def _extracts(found: Conditions) -> Sequence[str]:
    return found.extracts


def _parts(above: Rule, rule: Rule, named: Callable[[Conditions], Sequence[str]]) -> bool:
    """A rule without approval needs all of a job's tables to be named, any other one of them."""
    one, other = named(above.conditions), named(rule.conditions)
    strict = above.outcome.act == NO_APPROVAL and rule.outcome.act != NO_APPROVAL
    return not one or (_words(one, other) and not strict)
