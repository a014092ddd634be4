"""Drills: what they try, what they find, and how a failed one is told."""

import psycopg
import pytest
from django.core.exceptions import PermissionDenied

from archives import drills
from audit.models import Event
from tests.house import row
from tests.workers import finished
from warehouse import proofs, witnesses

pytestmark = pytest.mark.django_db(databases="__all__")


def witnessed(house):
    with psycopg.connect(house.connection.info.dsn, password=house.connection.info.password, autocommit=True) as other:
        return witnesses.take(house.connection, other, house.visits)


def test_a_moment_of_the_past_is_recovered_compared_and_timed(recoverable, people):
    recoverable.deliver("20260105", row("1"), row("2"))
    witness = witnessed(recoverable)
    recoverable.connection.execute("DELETE FROM stg.visits")
    job = finished(drills.ask(people["archive admin"], reason="quarterly", seed=7))
    assert job.state == "succeeded", job.error
    (proof,) = proofs.of_job(recoverable.connection, job.pk)
    assert (proof.rung, proof.drill, proof.holds, proof.rows) == (proofs.POINT_IN_TIME, True, True, 2)
    assert proof.compared["expected"] == proof.compared["found"] == witness.seen.as_json()
    with pytest.raises(PermissionDenied):
        drills.ask(people["operator"], reason="no right", seed=7)


def test_a_drill_that_finds_other_rows_fails_and_is_an_event(recoverable, people):
    recoverable.deliver("20260105", row("1"), row("2"))
    witnessed(recoverable)
    recoverable.connection.execute("UPDATE restage.witnesses SET checksum = checksum + 1")
    job = finished(drills.ask(people["archive admin"], reason="quarterly", seed=7))
    assert job.state == "failed" and "did not come back as it was" in job.error
    (proof,) = proofs.of_job(recoverable.connection, job.pk)
    assert not proof.holds
    assert Event.objects.filter(subject=f"job:{job.pk}", action="drill failed").count() == 1
