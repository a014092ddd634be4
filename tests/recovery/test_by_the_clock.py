"""Base backups and drills by the clock and by command, and what the pages of these jobs say."""

import json
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import call_command
from django.utils import timezone

from archives import backing_up, drills, recovering, recovery_upkeep
from archives.recovering import Asked
from audit.models import Event
from jobs.models import Job
from tests.house import House, row
from tests.workers import finished

pytestmark = pytest.mark.django_db(databases="__all__")


def kinds() -> list[str]:
    return list(Job.objects.order_by("created_at").values_list("kind", flat=True))


def test_what_is_due_is_asked_for_once(recoverable: House, settings):
    recoverable.deliver("20260105", row("1"))
    late = timezone.now() + timedelta(hours=settings.BACKUP_HOURS + 1)
    for _round in range(4):
        recovery_upkeep.ask(late, seed=1)
    assert kinds() == [backing_up.NAME, drills.NAME]
    for job in Job.objects.order_by("created_at"):
        assert job.requested_by.get_username() == "Restage"
        done = finished(job)
        assert done.state == "succeeded", done.error
    recovery_upkeep.ask(timezone.now(), seed=1)
    assert len(kinds()) == 2


def test_a_drill_that_is_overdue_is_told_once_a_day(recoverable: House, people, settings):
    recoverable.deliver("20260105", row("1"))
    drills.submit(people["archive admin"], reason="never carried out", seed=1)
    Job.objects.update(created_at=timezone.now() - timedelta(days=30))
    late = timezone.now()
    for _twice in range(2):
        recovery_upkeep.tell_overdue(recoverable.connection, late)
    assert Event.objects.filter(action=drills.OVERDUE).count() == 1


def test_without_days_between_them_no_drill_is_held(recoverable: House, settings):
    settings.DRILL_DAYS = 0
    assert not recovery_upkeep.is_drill_due(timezone.now())


def test_the_command_takes_a_backup_and_lists_it(recoverable: House, people):
    out = StringIO()
    call_command("backups", "take", "--as", "archive admin", "--wait", "--json", stdout=out)
    taken = json.loads(out.getvalue())
    assert taken["state"] == "succeeded" and taken["backup"]["verified"]
    out = StringIO()
    call_command("backups", "--json", stdout=out)
    listed = json.loads(out.getvalue())
    assert taken["backup"]["label"] in [backup["label"] for backup in listed["backups"]]
    assert listed["oldest_point"] and listed["missing_segment"] == ""
    with pytest.raises(SystemExit) as refused:
        call_command("backups", "take", "--as", "operator", "--json", stdout=StringIO())
    assert refused.value.code == 1


def test_where_restage_takes_no_backups_the_command_says_so(recoverable: House, people, settings):
    settings.BACKUPS = ""
    out = StringIO()
    with pytest.raises(SystemExit) as refused:
        call_command("backups", "--json", stdout=out)
    assert refused.value.code == 1 and "embedded server only" in json.loads(out.getvalue())["error"]


def test_the_pages_say_what_these_jobs_have_done(recoverable: House, people, as_):
    recoverable.deliver("20260105", row("1"), row("2"))
    now = timezone.now()
    asked = Asked("visits", now)
    recovered = recovering.ask(
        recoverable.connection, asked, reason="lost", actor=people["archive admin"], now=timezone.now()
    )
    taken = backing_up.ask(people["archive admin"], reason="by hand")
    drilled = drills.ask(people["archive admin"], reason="by hand", seed=1)
    said = [
        (recovered, "2</span> rows come back", "The rows lie in restage_side.visits_"),
        (taken, "base backup", "Taken and checked:"),
        (drilled, "tried", "came back as they were"),
    ]
    for job, effect, ended in said:
        assert finished(job).state == "succeeded"
        page = as_("viewer").get(job.get_absolute_url()).content.decode()
        assert effect in page and ended in page, job.kind
        assert "Staging holds the result" not in page and "files again" not in page
