"""How rules judge one job, with every answer: for a person who wants to know why."""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from approvals import rule_answers, rule_facts, rule_versions, rule_words, rules
from approvals.policy import Policy
from approvals.rule_answers import Answer
from approvals.rule_terms import NoRuleError
from approvals.rule_versions import CannotChangeRulesError, InForce
from jobs.models import Job


@dataclass(frozen=True)
class Tested:
    """One rule. `catches`: it is the first of which every answer is yes."""

    name: str
    outcome: str
    catches: bool
    answers: tuple[Answer, ...]


@dataclass(frozen=True)
class Verdict:
    version: int
    policy: Policy | None
    rules: tuple[Tested, ...]

    @property
    def told(self) -> str:
        """What becomes of the job, in a sentence or two."""
        if self.policy is None:
            return "It goes ahead without an approval."
        why = " ".join(self.policy.why)
        if not self.policy.stages:
            return f"It is refused. {why}"
        link = ", then " if self.policy.in_sequence else ", and at the same time "
        return f"It needs {link.join(rule_words.stage(stage) for stage in self.policy.stages)}. {why}"

    def as_json(self) -> dict[str, Any]:
        return {
            "version": self.version,
            "policy": self.policy.as_json() if self.policy else None,
            "told": self.told,
            "rules": [asdict(rule) for rule in self.rules],
        }


def test(job: Job, now: datetime, by: InForce) -> Verdict:
    """Raises CannotChangeRulesError where the job's preview is not made, so that its facts are not known yet."""
    if job.plan.preview is None:
        raise CannotChangeRulesError("The job's preview is not made yet; the rules judge it when it is.")
    facts = rule_facts.of(job, now, rules.hours_of(by.rules))
    caught = rule_answers.first(by.rules, facts)
    tested = tuple(
        Tested(
            rule.name,
            rule_words.outcome(rule.outcome),
            caught is not None and caught[0].key == rule.key,
            tuple(rule_answers.answers_of(rule, facts)),
        )
        for rule in by.rules
    )
    return Verdict(by.number, rules.judged(by, facts), tested)


def open_rules() -> InForce:
    """The rules of the draft or proposal. Raises CannotChangeRulesError."""
    found = rule_versions.open_one()
    if found is None:
        raise CannotChangeRulesError("There is no draft of the rules.")
    try:
        return InForce(0, found.parsed)
    except NoRuleError as error:
        raise CannotChangeRulesError(f"The draft is damaged. {error}") from error
