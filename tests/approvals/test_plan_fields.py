"""No approval outlives a change of the plan: every field, and every value, name and place within it, one by one."""

import copy
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from django.db import DatabaseError

from jobs import submission
from jobs.models import DIGEST_OF, Job, Plan
from jobs.submission import NotPermittedError
from reprocessing.planning import Options
from reprocessing.waves import Rules
from tests.approvals.conftest import approve
from tests.tampering import sql

# what tells a plan from another of the same words, and the digest itself
NOT_SAID = {"id", "created_at", "digest"}
ITEM = {"file": 7, "run": str(uuid4()), "key": "a.csv", "extract": "Visits", "records": 40, "sha256": "ab", "bytes": 9}
COUNTS = {"inserted": 1, "updated": 2, "deleted": 0, "unchanged": 3, "rejected": 0, "checksum": "12:34"}
PLAN: dict[str, Any] = {
    "kind": "rollout",
    "reason": "The fee was wrong.",
    "options": {
        **Options(extracts=("Visits",), files=frozenset({7}), retry_of=uuid4()).as_json(),
        **Rules().as_json(),
        "in_force": {"Visits": "d1"},
        "origin": {
            "told": "schedule nightly",
            "path": "/schedules/1/",
            "owner": "olivia",
            "authors": [3, 4],
            "depth": 0,
        },
        "asked_before_by": [5],
        "follows": str(uuid4()),
        "past_blackout": {"window": "night", "reason": "now"},
        "asks": ["It is large."],
    },
    "included": [ITEM, {**ITEM, "file": 8}],
    "excluded": [{**ITEM, "file": 9, "code": "missing", "reason": "it is gone"}],
    "preview": {
        "tables": {"visits": COUNTS, "calls": COUNTS},
        "records": 80,
        "estimate_seconds": 3.5,
        "waves": [{"number": 1, "files": [7]}, {"number": 2, "files": [8]}],
        "samples": {"visits": [{"key": "x", "column": "fee"}]},
        "asks": ["It goes far."],
        "exact": {"visits": True},
        "refused": None,
    },
}


def mutants(value: Any) -> Iterator[Any]:
    """The value with one thing changed: itself, or one thing within it changed, gone, added or at another place."""
    if isinstance(value, dict):
        for name in value:
            yield {key: inner for key, inner in value.items() if key != name}
            yield {f"{name}_" if key == name else key: inner for key, inner in value.items()}
            yield from ({**value, name: inner} for inner in mutants(value[name]))
        yield {**value, "added": None}
    elif isinstance(value, list):
        for at, found in enumerate(value):
            yield value[:at] + value[at + 1 :]
            yield from ([*value[:at], inner, *value[at + 1 :]] for inner in mutants(found))
        yield [*value, "added"]
        if value[::-1] != value:
            yield value[::-1]
    else:
        yield from (other for other in (_other(value), None if value is not None else 0, [value], {"": value}))


def _other(value: Any) -> Any:
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value + 1
    return f"{value} " if isinstance(value, str) else "something"


def test_the_digest_covers_every_field_of_the_plan() -> None:
    assert {field.name for field in Plan._meta.concrete_fields} - NOT_SAID == set(DIGEST_OF) == set(PLAN)


@pytest.mark.parametrize("field", DIGEST_OF)
def test_a_change_of_any_thing_in_a_field_is_another_plan(field: str) -> None:
    plan = Plan(**copy.deepcopy(PLAN))
    plan.digest = plan.computed_digest()
    tried = 0
    for changed in mutants(PLAN[field]):
        setattr(plan, field, changed)
        with pytest.raises(NotPermittedError, match="not the one that was frozen"):
            submission.check_permit(Job(plan=plan, kind="rollout"))
        tried += 1
    assert tried >= 4


def test_there_are_hundreds_of_them() -> None:
    assert sum(1 for field in DIGEST_OF for _ in mutants(PLAN[field])) > 400


def test_a_job_of_another_kind_than_its_plan_is_not_permitted() -> None:
    plan = Plan(**copy.deepcopy(PLAN))
    plan.digest = plan.computed_digest()
    with pytest.raises(NotPermittedError):
        submission.check_permit(Job(plan=plan, kind="rollback"))


@pytest.mark.django_db
def test_the_database_lets_no_field_be_changed(asked, people) -> None:
    """Before the decision and after it."""
    request = asked()
    for decided in (False, True):
        if decided:
            approve(request, people["reviewer"])
        for field in Plan._meta.concrete_fields:
            value = "'x'" if field.get_internal_type() == "CharField" else "'[7]'::jsonb"
            if field.name == "id":
                value = "gen_random_uuid()"
            elif field.name == "created_at":
                value = "now() - interval '1 day'"
            with pytest.raises(DatabaseError, match="stays as it is"):
                sql(f"UPDATE jobs_plan SET {field.column} = {value} WHERE id = %s", request.job.plan_id)
