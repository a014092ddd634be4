"""`manage.py rules [list | test JOB]`."""

from argparse import SUPPRESS
from typing import Any
from uuid import UUID

from django.core.management.base import CommandParser
from django.utils import timezone

from approvals import rule_testing, rule_versions, rule_words
from approvals.models import RuleVersion
from jobs.models import Job
from warehouse.commands import Answer, AnsweringCommand, Refusal, answer, offer_json


class Command(AnsweringCommand):
    help = "Shows the approval rules in force, or which of them catches a job and why."

    def add_arguments(self, parser: CommandParser) -> None:
        offer_json(parser)
        actions = parser.add_subparsers(dest="action", metavar="ACTION")
        actions.add_parser("list", help="the rules in force, in their order (this is done where no action is named)")
        test = actions.add_parser("test", help="which rule catches a job, with every condition's answer")
        test.add_argument("job", metavar="JOB", help="the job's id")
        test.add_argument("--draft", action="store_true", help="by the draft or proposal instead of the rules in force")
        for action in actions.choices.values():
            action.add_argument(
                "--json", action="store_true", default=SUPPRESS, help="print one JSON object and nothing else"
            )

    def handle(self, *, action: str | None, **options: Any) -> None:
        with answer(self, as_json=options["json"]) as said:
            if action == "test":
                self._test(said, options["job"], draft=options["draft"])
            else:
                self._list(said)

    def _list(self, said: Answer) -> None:
        found = rule_versions.in_force()
        version = RuleVersion.objects.select_related("decided_by").filter(number=found.number or None).first()
        said.result = {
            "version": found.number,
            "accepted_by": version.decided_by.get_username() if version and version.decided_by else None,
            "since": version.decided_at if version else None,
            "rules": [
                {**rule.as_json(), "conditions_told": rule_words.sentence(rule), "outcome_told": _outcome(rule)}
                for rule in found.rules
            ],
        }
        for number, rule in enumerate(found.rules, start=1):
            said.line(f"{number}. {rule.name}: {rule_words.told(rule)}")
        if found.problem:
            raise Refusal(found.problem)
        said.line("First match wins; where none matches, an approval is needed. What a plan itself asks for stays.")

    def _test(self, said: Answer, job_id: str, *, draft: bool) -> None:
        job = Job.objects.select_related("plan", "requested_by").filter(pk=_id(job_id)).first()
        if job is None:
            raise Refusal(f"There is no job {job_id[:64]}.")
        tested = rule_testing.test(
            job, timezone.now(), rule_testing.open_rules() if draft else rule_versions.in_force()
        )
        said.result = {"job": str(job.pk), **tested.as_json()}
        for rule in tested.rules:
            said.line(f"{'→' if rule.catches else ' '} {rule.name}: {rule.outcome}")
            for each in rule.answers:
                said.line(f"    {'yes' if each.holds else 'no '}  {each.condition}: {each.told}")
        said.line(tested.told)


def _outcome(rule: Any) -> str:
    return rule_words.outcome(rule.outcome)


def _id(text: str) -> UUID:
    """Raises Refusal, as for wrong usage."""
    try:
        return UUID(text)
    except ValueError:
        raise Refusal(f"{text[:64]} is not the id of a job.", code=2) from None
