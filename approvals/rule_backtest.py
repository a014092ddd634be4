"""What a draft would have done with the jobs of the last months, beside what the rules in force do with them.

Both sets judge the same facts, in the order in which the jobs were asked for; a sum then counts what that set itself
would have let through. Roles, kinds and the environment are today's, and a window looks at when a job was asked for.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.contrib.auth.models import User
from django.db.models import F, QuerySet

from access import rights
from approvals import rule_facts, rule_words, rules
from approvals.policy import Policy
from approvals.rule_answers import Facts
from approvals.rule_terms import NO_APPROVAL
from approvals.rule_versions import InForce
from jobs import kinds
from jobs.models import Job

LOOKED_BACK = timedelta(days=90)
MOST_JOBS = 20_000
MOST_SHOWN = 50
READ = {
    "records": "plan__preview__records",
    "seconds": "plan__preview__estimate_seconds",
    "tables": "plan__preview__tables",
    "found": "plan__preview__asks",
    "asks": "plan__options__asks",
    "past_breaker": "plan__options__past_breaker",
}


@dataclass(frozen=True)
class Past:
    """A job of the past, as far as rules can ask about it."""

    id: UUID
    asked_by: int
    asked_at: datetime
    had_effect: bool
    facts: Facts


@dataclass(frozen=True)
class Judgement:
    """`told`: what was needed, in words; `rule`: which said so ("": it was let go)."""

    told: str = "goes ahead"
    rule: str = ""
    refused: bool = False


@dataclass(frozen=True)
class Differs:
    """A job with which the draft does something else."""

    job: UUID
    title: str
    asked_at: datetime
    asked_by: str
    records: int | None
    before: Judgement
    after: Judgement


@dataclass(frozen=True)
class Caught:
    """How many jobs a rule catches, and of how many the draft makes something else than the rules in force."""

    rule: str
    jobs: int
    differing: int


@dataclass
class BackTest:
    """`left_out`: jobs whose preview was never made. `more`: older jobs that were not looked at."""

    since: datetime
    jobs: int = 0
    left_out: int = 0
    more: int = 0
    unknown: int = 0
    asks_before: int = 0
    asks_after: int = 0
    refused_before: int = 0
    refused_after: int = 0
    differing: int = 0
    newly_asked: int = 0
    newly_free: int = 0
    shown: list[Differs] = field(default_factory=list)
    rules: list[Caught] = field(default_factory=list)


def back_test(current: InForce, draft: InForce, now: datetime) -> BackTest:
    """Judge the jobs that came to the rules in the last 90 days by both sets."""
    jobs = Job.objects.filter(created_at__gt=now - LOOKED_BACK, created_at__lte=now, dry_run=False, parent=None)
    judged = jobs.filter(plan__preview__isnull=False)
    found = BackTest(now - LOOKED_BACK, left_out=jobs.filter(plan__preview__isnull=True).count())
    past = list(_past(judged.order_by("-created_at")[:MOST_JOBS]))
    past.sort(key=lambda job: job.asked_at)
    found.jobs, found.more = len(past), max(0, judged.count() - MOST_JOBS)
    found.unknown = sum(job.facts.records is None or job.facts.seconds is None for job in past)
    before, after = judgements(current, past), judgements(draft, past)
    names = dict(User.objects.filter(pk__in={job.asked_by for job in past}).values_list("pk", "username"))
    for job, was, will in zip(past, before, after, strict=True):
        _count(found, was, will)
        if was.told != will.told:
            found.shown.append(
                Differs(job.id, job.facts.title, job.asked_at, names[job.asked_by], job.facts.records, was, will)
            )
    found.shown = found.shown[: -MOST_SHOWN - 1 : -1]
    found.rules = _by_rule(draft, before, after)
    return found


def _count(found: BackTest, was: Judgement, will: Judgement) -> None:
    found.asks_before += bool(was.rule) and not was.refused
    found.asks_after += bool(will.rule) and not will.refused
    found.refused_before += was.refused
    found.refused_after += will.refused
    found.differing += was.told != will.told
    found.newly_asked += bool(will.rule) and not was.rule
    found.newly_free += bool(was.rule) and not will.rule


def _by_rule(draft: InForce, before: list[Judgement], after: list[Judgement]) -> list[Caught]:
    """Of every rule of the draft that asks or refuses, and of what asks without a rule, where that does."""
    jobs = Counter(will.rule for will in after)
    differing = Counter(will.rule for was, will in zip(before, after, strict=True) if was.told != will.told)
    named = [rule.name for rule in draft.rules if rule.outcome.act != NO_APPROVAL]
    beside = [name for name in (rules.OF_THE_PLAN, rules.NO_RULE, rules.BROKEN) if jobs[name]]
    return [Caught(name, jobs[name], differing[name]) for name in dict.fromkeys([*named, *beside])]


def judgements(by: InForce, past: Iterable[Past]) -> list[Judgement]:
    """What a set of rules does with each of them, in their order."""
    hours, let_through, found = rules.hours_of(by.rules), _LetThrough(), []
    for job in past:
        sums = {each: let_through.with_own(job, each) for each in hours}
        policy = rules.judged(by, _with_sums(job.facts, sums))
        if policy is None and job.had_effect and job.facts.measured:
            let_through.add(job)
        found.append(_judgement(policy))
    return found


def _judgement(policy: Policy | None) -> Judgement:
    if policy is None:
        return Judgement()
    if not policy.stages:
        return Judgement("refused", policy.rule, refused=True)
    link = ", then " if policy.in_sequence else ", and at the same time "
    return Judgement(link.join(rule_words.stage(stage) for stage in policy.stages), policy.rule)


class _LetThrough:
    """What a set of rules would have let through, of each person, in order of time."""

    def __init__(self) -> None:
        self._jobs: dict[int, list[Past]] = defaultdict(list)

    def add(self, job: Past) -> None:
        self._jobs[job.asked_by].append(job)

    def with_own(self, job: Past, hours: int) -> int | None:
        """The records of the job and of those of its person in the hours before it; None: unknown."""
        since, total = job.asked_at - timedelta(hours=hours), job.facts.records
        for other in reversed(self._jobs[job.asked_by]):
            if other.asked_at <= since:
                break
            if total is None or other.facts.records is None:
                return None
            total += other.facts.records
        return total


def _with_sums(facts: Facts, sums: Mapping[int, int | None]) -> Facts:
    return replace(facts, sums=sums)


def _past(jobs: QuerySet[Job]) -> Iterator[Past]:
    """One query for the jobs, one for the roles; of a kind that nothing knows any more: none."""
    known = {kind.name: kind for kind in kinds.known()}
    named = jobs.annotate(**{f"its_{name}": F(path) for name, path in READ.items()})
    rows = named.values(
        "pk", "kind", "state", "created_at", "started_at", "requested_by_id", *(f"its_{n}" for n in READ)
    )
    found = [row for row in rows if row["kind"] in known]
    roles = _roles({row["requested_by_id"] for row in found})
    for row in found:
        kind = known[row["kind"]]
        asks = [*(row["its_asks"] or ()), *(row["its_found"] or ())]
        tables = None if row["its_tables"] is None else frozenset(row["its_tables"])
        facts = Facts(
            kind=kind.name,
            title=kind.title,
            measured=kind.asks_by_size,
            records=row["its_records"],
            seconds=row["its_seconds"],
            tables=tables,
            extracts=None if tables is None else rule_facts.extracts_of(tables),
            roles=roles.get(row["requested_by_id"], frozenset()),
            environment=settings.ENVIRONMENT,
            destructive=rule_facts.is_destructive(kind, asks),
            reasons=rule_facts.reasons(kind, asks, past_breaker=bool(row["its_past_breaker"])),
            at=row["created_at"],
            sums={},
        )
        gone = row["state"] in rule_facts.WITHOUT_EFFECT and not (kind.steps and row["started_at"])
        yield Past(row["pk"], row["requested_by_id"], row["created_at"], not gone, facts)


def _roles(people: set[int]) -> dict[int, frozenset[str]]:
    """The roles of active people, as they are now."""
    found: dict[int, set[str]] = defaultdict(set)
    active = rights.people_of(rights.ROLES).filter(pk__in=people)
    for person, role in active.values_list("pk", "groups__name"):
        found[person].add(role)
    return {person: frozenset(theirs) for person, theirs in found.items()}
