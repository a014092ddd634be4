"""Ways around an approval, each by its name. All are refused, and each leaves everything as it was.

An attempt gets a Case: a job that waits (`case.request`), or one that is approved (`case.approved()`), and who is at
hand. It must be refused by an exception of REFUSALS (raw SQL: by the database) or give an answer that is no success;
afterwards nothing of the request, the job, its plan and the decisions may have changed.
"""

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db import DatabaseError

from approvals.gate import RefusedError
from jobs import submission
from jobs.models import Job
from jobs.submission import NotPermittedError
from tests.approvals import ways_by_sql, ways_in_the_console
from tests.approvals.bypassing import Case
from tests.approvals.conftest import Asks, state

pytestmark = pytest.mark.django_db

REFUSALS = (RefusedError, NotPermittedError, PermissionDenied)
ATTEMPTS = {**ways_in_the_console.ATTEMPTS, **ways_by_sql.ATTEMPTS}


@pytest.fixture
def case(asked: Asks, people: dict[str, User]) -> Case:
    return Case(asked(), people, asked)


@pytest.mark.parametrize("name", list(ATTEMPTS))
def test_refused(case: Case, name: str) -> None:
    case.mark()
    try:
        answer = ATTEMPTS[name](case)
    except REFUSALS as refusal:
        assert str(refusal)
    except DatabaseError:
        assert name.startswith("sql_"), "The console refuses by itself, in words."
    else:
        assert answer in (400, 403, 404, 405, 409, 422), answer
    assert state(case.request) == case.before


def test_there_are_forty() -> None:
    assert len(ATTEMPTS) >= 40


def test_the_same_without_the_trick_is_approved(case: Case) -> None:
    """Else a refusal would say nothing."""
    assert case.post(case.reviewer) == 302
    assert case.job.state == Job.State.QUEUED
    submission.check_permit(case.job)


def test_the_same_by_the_api_is_approved(case: Case) -> None:
    assert case.api(case.logged_in(case.reviewer)) == 200
    assert case.job.state == Job.State.QUEUED
