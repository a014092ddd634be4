"""A rule of retention for the sets that are there: what moves, what keeps its time, and who must approve a cut."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.core.exceptions import PermissionDenied
from django.utils import timezone

from approvals import gate
from approvals.models import Request
from approvals.policy import Stage
from approvals.rule_terms import ASK, Outcome
from archives import acts, retaining
from audit.models import Event
from jobs.models import Job
from jobs.report import as_json, lines
from notifications import job_news
from reprocessing.effects import changes
from tests import ruling
from tests.house import House, row
from tests.ruling import NONE, rule
from tests.warehouse.shelf import Shelf
from tests.workers import finished, worked
from warehouse import archive_retention, archive_sets
from warehouse.archive_retention import TooShortError

pytestmark = pytest.mark.django_db(databases="__all__")


@pytest.fixture
def sets(console: House, people, settings) -> dict[str, UUID]:
    """One kept by the rules (90 days), one with a time of its own, one extended by hand, one that is gone."""
    shelf, run, at = Shelf(console), console.deliver("20260105", row("1"), row("2")), timezone.now() - timedelta(days=5)
    made = {"ruled": shelf.keep(run, at), "own": shelf.keep(run, at, days=60), "extended": shelf.keep(run, at)}
    made["gone"] = shelf.keep(run, at)
    console.connection.execute("UPDATE restage.archive_sets SET removed_at = now() WHERE set_id = %s", [made["gone"]])
    until = at + timedelta(days=90, hours=1)
    actor = people["archive admin"]
    acts.extend(settings.WAREHOUSE_URL, made["extended"], expires_at=until, why="a case", actor=actor)
    return made


@pytest.fixture
def ask(people) -> Any:
    def asked(days: int, *, actor: str = "archive admin") -> Job:
        return retaining.ask(
            table="visits", words="", days=days, why="the law", actor=people[actor], now=timezone.now()
        )

    return asked


def kept_days(console: House, set_id: UUID) -> int:
    found = archive_sets.of_id(console.connection, set_id)
    return (found.expires_at - found.archived_at).days


def test_a_cut_asks_and_moves_only_what_the_rules_keep(console: House, sets, ask, people):
    job = worked(ask(40))
    assert job.state == "awaiting approval"
    assert job.approval.why == ["It cuts the retention of 1 archive set with 2 rows."]
    assert [item["set"] for item in job.plan.included] == [str(sets["ruled"])]
    assert {name: kept_days(console, set_id) for name, set_id in sets.items()}["ruled"] == 90
    assert not archive_retention.rules(console.connection), "nor does the rule count yet"
    gate.decide(Request.objects.get(job=job), people["reviewer"], approve=True, digest=job.plan.digest, reason="")
    done = worked(job)
    assert (done.state, done.outcome["sets"], done.outcome["cut"]) == ("succeeded", 1, 1)
    assert {name: kept_days(console, set_id) for name, set_id in sets.items()} == {
        "ruled": 40,
        "own": 60,
        "extended": 90,
        "gone": 90,
    }
    assert archive_retention.rules(console.connection)[0].days == 40
    assert Event.objects.get(action="retention set").detail["cut"] == 1


def test_a_rule_that_names_the_table_catches_a_cut(console: House, sets, ask, people, as_):
    """And whatever reads the tables of a job can read those of one that changes no row of them."""
    two = Outcome(ASK, (Stage(("reviewer",), 2),))
    rules = [rule("Visits", two, tables=("visits",)), rule("Calls", two, extracts=("Calls",)), rule("Else", NONE)]
    ruling.put([each.as_json() for each in rules])
    job = worked(ask(40))
    assert job.plan.tables == {"visits": {"sets": 1}}
    assert job.approval.policy["rule"] == "Visits" and "It is about the table visits." in job.approval.why
    reader = as_("reviewer")
    for path in (job.get_absolute_url(), "/jobs/?table=visits", "/approvals/", "/"):
        assert reader.get(path).status_code == 200
    assert str(job.pk) in reader.get("/jobs/?table=visits").content.decode()
    refused = as_("administrator").get(f"{job.get_absolute_url()}rollback/")
    assert refused.status_code == 200
    assert as_json(job)["tables"] == {"visits": {"sets": 1}} and "1 archive set expires sooner" in lines(job)[1]
    assert changes(job.plan.tables["visits"]) == 0
    assert "stg.visits" not in "".join(job_news._effects(job))
    for name in ("reviewer", "reviewer2"):
        gate.decide(Request.objects.get(job=job), people[name], approve=True, digest=job.plan.digest, reason="")
    done = worked(job)
    assert (done.state, done.tables) == ("succeeded", {"visits": {"sets": 1}})
    assert str(job.pk) in reader.get("/jobs/?table=visits").content.decode()
    assert worked(ask(300)).plan.tables == {}, "what makes sets stay longer takes nothing from any table"


def test_what_makes_sets_stay_longer_asks_nobody(console: House, sets, ask):
    job = finished(ask(200))
    assert (job.state, job.outcome["sets"], job.outcome["cut"]) == ("succeeded", 1, 0)
    assert kept_days(console, sets["ruled"]) == 200
    again = finished(ask(300))
    assert again.outcome["sets"] == 1 and kept_days(console, sets["ruled"]) == 300, "it follows the rules still"


def test_a_set_that_was_changed_meanwhile_stays_and_a_death_is_made_good(console: House, sets, ask, people, settings):
    job = worked(ask(200))
    found = archive_sets.of_id(console.connection, sets["ruled"])
    until = found.expires_at + timedelta(days=1)
    acts.extend(settings.WAREHOUSE_URL, sets["ruled"], expires_at=until, why="x", actor=people["archive admin"])
    done = worked(job)
    assert done.outcome["sets"] == 0 and kept_days(console, sets["ruled"]) == 91
    assert retaining.KIND.published(console.connection, job.pk) == done.outcome


def test_the_minimum_and_the_right_hold(sets, ask):
    with pytest.raises(TooShortError):
        ask(29)
    with pytest.raises(PermissionDenied):
        ask(40, actor="operator")
    assert not Job.objects.exists()


def test_the_form_asks_for_the_job(console: House, sets, as_):
    wanted = {"table": "visits", "words": "", "days": "40", "reason": "the law", "existing": "on"}
    job = Job.objects.get(pk=as_("archive admin").post("/archives/retention/", wanted).url.split("/")[2])
    assert job.kind == retaining.NAME
    page = as_("viewer").get(worked(job).get_absolute_url()).content.decode()
    assert "1 archive set expires sooner" in page and str(sets["ruled"]) in page
    assert as_("archive admin").post("/archives/retention/", {**wanted, "days": "29"}).status_code == 422


def test_by_command(sets, told):
    by = ("--as", "archive admin")
    told("retention", "set", "120", "--table", "stg.visits", "--why", "the law", *by)
    (rule_,) = told("retention", "list", *by)["rules"]
    assert (rule_["table"], rule_["words"], rule_["days"], rule_["why"]) == ("visits", "", 120, "the law")
    assert "too short" in told("retention", "set", "3", "--why", "r", *by, code=1)["error"]
    assert (
        "no table nothing" in told("retention", "set", "90", "--why", "r", "--table", "nothing", *by, code=2)["error"]
    )
    assert "say why" in told("retention", "set", "90", "--why", " ", *by, code=2)["error"]
    assert "Your roles do not let" in told("retention", "list", "--as", "viewer", code=1)["error"]
    job = told("retention", "set", "60", "--table", "visits", "--why", "the law", "--existing", *by)
    assert Job.objects.get(pk=job["job"]).plan.kind == retaining.NAME
    told("retention", "drop", "--table", "visits", *by)
    assert "no such rule" in told("retention", "drop", "--table", "visits", *by, code=1)["error"]
