"""Archives by request: asked for, made, found, held, cleaned up; who may, and what the trail says."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.utils import timezone

from access import rights
from archives import cleaning, keeping, upkeep
from audit.models import Event
from jobs.models import Job
from jobs.submission import CannotAskError
from tests.house import House, row
from tests.proofs import further
from tests.warehouse.shelf import Shelf
from tests.workers import finished, worked
from warehouse import archive_retention
from warehouse.archive_retention import Rule, TooShortError

pytestmark = pytest.mark.django_db(databases="__all__")


@pytest.fixture
def run(console: House) -> UUID:
    return console.deliver("20260105", row("1"), row("2"))


@pytest.fixture
def old(console: House, run: UUID) -> UUID:
    """A set that expired ten days ago."""
    return Shelf(console).keep(run, timezone.now() - timedelta(days=100))


@pytest.fixture
def made(run: UUID, people, settings) -> Any:
    job = keeping.ask(settings.WAREHOUSE_URL, run, reason="before", actor=people["operator"], now=timezone.now())
    return finished(job)


def set_path(made: Any) -> str:
    return f"/archives/{made.outcome['set']}/"


def test_an_archive_is_made_without_an_approval(made: Any, run: UUID, as_):
    assert (made.state, made.outcome["rows"], made.about) == ("succeeded", 2, [run])
    assert made.outcome["tables"]["visits"]["loaded"] == 2
    page = as_("viewer").get(made.get_absolute_url()).content.decode()
    assert "Rows kept" in page and made.outcome["set"] in page
    assert "Every row was read again" in page
    listed = as_("viewer").get(f"/runs/{run}/").content.decode()
    assert made.outcome["set"] in listed


def test_it_is_kept_for_as_long_as_the_rules_say(made: Any, run: UUID, console, people, settings):
    assert made.plan.options["days"] == 90
    rule = Rule("visits", "", 200, "law", "x", timezone.now())
    archive_retention.put(console.connection, rule)
    ask = {"reason": "again", "actor": people["operator"], "now": timezone.now()}
    assert keeping.ask(settings.WAREHOUSE_URL, run, **ask).plan.options["days"] == 200
    assert keeping.ask(settings.WAREHOUSE_URL, run, **ask, retention_days=31).plan.options["days"] == 31
    with pytest.raises(TooShortError, match="30 days at least"):
        keeping.ask(settings.WAREHOUSE_URL, run, **ask, retention_days=29)


def test_the_most_specific_rule_counts():
    def rule(table: str, words: str, days: int) -> Rule:
        return Rule(table, words, days, "why", "x", timezone.now())

    rules = [rule("", "", 100), rule("visits", "", 40), rule("", "Audit", 500), rule("visits", "audit", 60)]
    assert archive_retention.days([], ["visits"], "x") == 90
    assert archive_retention.days(rules, ["calls"], "x") == 100
    assert archive_retention.days(rules, ["visits"], "x") == 40
    assert archive_retention.days(rules, ["visits"], "the audit of May") == 60
    assert archive_retention.days(rules, ["visits", "calls"], "the audit of May") == 500
    assert archive_retention.days([rule("", "", 5)], ["visits"], "x") == 30


def test_wrong_requests_are_refused_in_words(run: UUID, people, settings):
    ask = {"reason": "r", "actor": people["operator"], "now": timezone.now()}
    with pytest.raises(CannotAskError, match="no load run"):
        keeping.ask(settings.WAREHOUSE_URL, uuid4(), **ask)
    with pytest.raises(CannotAskError, match="feeds no table nothing"):
        keeping.ask(settings.WAREHOUSE_URL, run, **ask, tables=["nothing"])
    assert not Job.objects.exists()


def test_a_cleanup_removes_and_counts(old: UUID, made: Any, console, people, settings, as_):
    job = finished(cleaning.ask(settings.WAREHOUSE_URL, reason="r", actor=people["archive admin"], now=timezone.now()))
    assert (job.state, job.outcome["removed"], cleaning.count(job)) == ("succeeded", 1, 1)
    assert [item["code"] for item in job.plan.excluded] == ["minimum"]
    page = as_("viewer").get(job.get_absolute_url()).content.decode()
    assert "Removed 1 archive set" in page
    assert "2 sets that were there 1 stay" in page
    assert "Removed" in as_("viewer").get(f"/archives/{old}/").content.decode()


def test_a_dry_run_removes_nothing(old: UUID, console, people, settings):
    job = cleaning.ask(
        settings.WAREHOUSE_URL, reason="r", actor=people["archive admin"], now=timezone.now(), dry_run=True
    )
    job = finished(job)
    assert (job.state, cleaning.count(job)) == ("previewed", 1)
    assert Shelf(console).rows(old) == 2


def test_a_large_cleanup_and_one_of_what_was_held_ask(old: UUID, console, people, settings, monkeypatch):
    hold = Shelf(console).hold(old)
    console.connection.execute("UPDATE restage.archive_holds SET released_at = now() WHERE hold_id = %s", [hold])
    monkeypatch.setattr(cleaning, "MOST_ROWS", 1)
    monkeypatch.setattr(cleaning, "MOST_BYTES", 1)
    job = finished(cleaning.ask(settings.WAREHOUSE_URL, reason="r", actor=people["archive admin"], now=timezone.now()))
    assert job.state == "awaiting approval"
    assert len(job.approval.why) == 3
    assert Shelf(console).rows(old) == 2


def test_a_hold_placed_after_the_approval_keeps_its_set(old: UUID, console, people, settings):
    job = worked(cleaning.ask(settings.WAREHOUSE_URL, reason="r", actor=people["archive admin"], now=timezone.now()))
    assert job.state == "queued"
    Shelf(console).hold(old)
    job = worked(job)
    assert (job.outcome["removed"], job.outcome["stayed"][0]["code"]) == (0, "on hold")
    assert Shelf(console).rows(old) == 2


def test_the_upkeep_makes_months_and_cleans_up_at_night(old: UUID, console, settings):
    night = timezone.localtime(timezone.now()).replace(hour=3)
    upkeep.by_the_clock(night)
    assert Job.objects.get().requested_by.username == "Restage"
    assert not rights.may(Job.objects.get().requested_by, rights.DECIDE)
    upkeep.by_the_clock(night)
    assert Job.objects.count() == 1
    assert worked(worked(Job.objects.get())).outcome["removed"] == 1
    partitions = Shelf(console).partitions()
    assert "visits_archive_default" in partitions and len(partitions) >= 5


def test_by_day_the_upkeep_removes_nothing(old: UUID, console):
    upkeep.by_the_clock(timezone.localtime(timezone.now()).replace(hour=12))
    assert not Job.objects.exists()


def test_the_search_by_key_is_in_the_trail_without_the_key(made: Any, as_):
    client = as_("archive admin")
    assert client.get("/archives/find/?table=visits").status_code == 200
    answer = client.post("/archives/find/?table=visits", {"visit_id": "2"})
    assert made.outcome["set"] in answer.content.decode()
    assert answer.headers["Cache-Control"] == "no-store"
    assert "No archive set" in client.post("/archives/find/?table=visits", {"visit_id": "3"}).content.decode()
    event = Event.objects.filter(action="archives searched by key").first()
    assert event is not None
    assert len(event.detail["key_hash"]) == 64
    assert set(event.detail) == {"table", "key_hash"}
    assert client.post("/archives/find/?table=visits", {"visit_id": ""}).status_code == 422


def test_verify_now_tells_damage(made: Any, as_, console):
    path = set_path(made)
    client = as_("operator")
    client.post(f"{path}verification/")
    assert "Sound" in client.get(path).content.decode()
    console.connection.execute("UPDATE stg.visits_archive SET fee = 99 WHERE visit_id = '1'")
    client.post(f"{path}verification/")
    page = client.get(path).content.decode()
    assert "Values differ from their hashes" in page
    assert page.count("compared the archived rows with their hashes: damaged") == 1
    assert page.count("compared the archived rows with their hashes: whole") == 1
    assert client.get("/archives/?verified=broken").context["found"].entries == 1
    assert as_("viewer").post(f"{path}verification/").status_code == 403


def test_a_longer_retention_counts_at_once_and_a_shorter_one_asks(made: Any, as_, console):
    path = set_path(made)
    client, today = as_("archive admin"), timezone.localdate()
    client.post(f"{path}expiry/", {"expires": (today + timedelta(days=400)).isoformat(), "reason": "law"})
    assert "law" in client.get(path).content.decode()
    answer = client.post(f"{path}expiry/", {"expires": (today + timedelta(days=40)).isoformat(), "reason": "shorter"})
    job = finished(Job.objects.get(pk=answer.headers["Location"].split("/")[2]))
    assert job.state == "awaiting approval"
    assert "It cuts the retention" in as_("reviewer").get(job.get_absolute_url()).content.decode()
    as_("reviewer").post(
        f"/jobs/{job.pk}/decision/", {"verdict": "approve", "digest": job.plan.digest, "password": "pass-word-1"}
    )
    assert worked(job).state == "succeeded"
    assert "shorter" in client.get(path).content.decode()
    client.post(f"{path}expiry/", {"expires": (today + timedelta(days=3)).isoformat(), "reason": "too short"})
    assert Job.objects.count() == 2


@pytest.mark.parametrize("zone", ["Pacific/Auckland", "America/New_York"])
def test_a_day_after_which_there_is_none_is_no_expiry(made: Any, as_, settings, zone):
    """Its end may lie in the year 10000, which nobody can read back."""
    settings.TIME_ZONE = zone
    client, path = as_("archive admin"), set_path(made)
    client.post(f"{path}expiry/", {"expires": "9999-12-31", "reason": "law"})
    page = client.get(path)
    assert page.status_code == 200 and "Nothing was changed: give a day" in page.content.decode()


def test_the_catalogue_is_filtered_sorted_and_true(made: Any, old: UUID, run: UUID, as_, console):
    house_job, _outcome = console.reprocess(run)
    client = as_("viewer")

    def found(query: str):
        return client.get(f"/archives/?{query}").context["found"].entries

    today = timezone.localdate().isoformat()
    assert found("") == 2
    assert [found(q) for q in (f"run={run}", "table=visits", "table=calls", "kind=safety")] == [2, 2, 0, 0]
    assert [found(q) for q in (f"since={today}", "expires=0", "reason=BEFORE", "reason=%25", "held=yes")] == [1] * 3 + [
        0,
        0,
    ]
    assert [found(q) for q in ("tier=hot", "tier=cold", "least=1", "there=no", "verified=never")] == [2, 0, 0, 0, 2]
    first = client.get("/archives/?sort=archived_at&order=asc").context["entries"][0]
    assert first.set_id == old
    answer = client.get("/archives/")
    sums = console.connection.execute(
        "SELECT count(DISTINCT set_id), sum(rows)::int, sum(bytes)::int FROM restage.archive_parts"
    ).fetchone()
    assert sums == (answer.context["found"].entries, answer.context["found"].rows, answer.context["found"].bytes)
    assert answer.context["expiring"][7].entries == 1
    assert house_job


def test_before_images_are_listed_as_what_they_are(run: UUID, console, as_):
    console.write("20260105", row("1", fee="11"), row("2"))
    job, _outcome = console.reprocess(run)
    page = as_("viewer").get("/archives/?kind=before-image")
    (entry,) = page.context["entries"]
    assert (entry.kind, entry.job_id, entry.set_id, entry.load_runs) == ("before-image", job, None, [run])


@pytest.mark.parametrize("role", list(rights.ROLES))
def test_each_role_opens_what_it_may(role: str, made: Any, run: UUID, as_):
    client = as_(role)
    archives = role in ("operator", "archive admin", "administrator")
    cleans = role in ("archive admin", "administrator")
    for path in ("/archives/", set_path(made)):
        assert client.get(path).status_code == 200, path
    assert client.get(f"/runs/{run}/archive/").status_code == (200 if archives else 403)
    for path in ("/archives/retention/", "/archives/cleanup/", "/archives/find/"):
        assert client.get(path).status_code == (200 if cleans else 403), path


def test_forms_ask(run: UUID, old: UUID, as_):
    answer = as_("operator").post(f"/runs/{run}/archive/", {"reason": "by form", "days": "45"})
    assert answer.status_code == 302
    assert Job.objects.get(kind="archive").plan.options["days"] == 45
    assert as_("operator").post(f"/runs/{run}/archive/", {"reason": " "}).status_code == 422
    assert as_("operator").post(f"/runs/{run}/archive/", {"reason": "x", "days": "3"}).status_code == 422
    assert as_("archive admin").post("/archives/cleanup/", {"reason": "by form"}).status_code == 302
    assert as_("archive admin").post("/archives/cleanup/", {"reason": "twice"}).status_code == 422
    sums = as_("archive admin").get("/archives/cleanup/").context["sums"]
    assert [(line["code"], line["sets"], line["rows"]) for line in sums] == [("goes", 1, 2)]


def test_retention_is_set_and_dropped_by_who_may(as_):
    client = as_("archive admin")
    wanted = {"table": "visits", "words": "audit", "days": "400", "reason": "the law"}
    assert client.post("/archives/retention/", wanted).status_code == 302
    assert client.post("/archives/retention/", {**wanted, "days": "29"}).status_code == 422
    assert "the law" in client.get("/archives/retention/").content.decode()
    client.post("/archives/retention/drop/", {"table": "visits", "words": "audit"})
    assert "No rule yet" in client.get("/archives/retention/").content.decode()
    actions = Event.objects.filter(action__startswith="retention").values_list("action", flat=True)
    assert sorted(actions) == ["retention dropped", "retention set"]
    assert as_("operator").post("/archives/retention/drop/").status_code == 403


def test_stray_rows_are_told_and_moved(run: UUID, console, as_):
    console.connection.execute("CREATE TABLE stg.visits_archive_default PARTITION OF stg.visits_archive DEFAULT")
    console.connection.execute(
        "INSERT INTO stg.visits_archive (load_run_file_id, load_ts, archived_at, archived_load_run_id, archive_reason)"
        " VALUES (1, now(), '2026-05-05', gen_random_uuid(), 'a test')"
    )
    assert "lies in the default partition" in as_("viewer").get("/archives/").content.decode()
    assert as_("viewer").post("/archives/stray/").status_code == 403
    as_("archive admin").post("/archives/stray/")
    assert "default partition" not in as_("viewer").get("/archives/").content.decode()
    assert console.connection.execute("SELECT count(*) FROM stg.visits_archive_2026_05").fetchone() == (1,)


@pytest.mark.parametrize(
    "odd", further(["\x00", "9" * 5000, "' OR 1=1 --", "a\x00b", "-1", "1e9", "%", "../../etc"], tried=2)
)
def test_odd_values_are_answered(odd: str, made: Any, run: UUID, as_):
    client = as_("administrator")
    names = ("run", "table", "since", "until", "reason", "kind", "tier", "expires", "held", "verified", "least")
    for name in (*names, "there", "sort", "order", "page"):
        assert client.get("/archives/", {name: odd}).status_code == 200, name
    assert client.get("/archives/find/", {"table": odd}).status_code == 200
    assert client.post("/archives/find/?table=visits", {"visit_id": odd}).status_code in (200, 422)
    path = set_path(made)
    for where, what in (("holds/", "reason"), ("expiry/", "expires")):
        assert client.post(path + where, {what: odd, "reason": odd}).status_code == 302
    for where in ("/archives/retention/", "/archives/cleanup/", f"/runs/{run}/archive/"):
        data = {"table": odd, "words": odd, "days": odd, "reason": odd, "older_than": odd, "tables": odd}
        assert client.post(where, data).status_code in (302, 422), where
    assert client.post("/archives/retention/drop/", {"table": odd, "words": odd}).status_code == 302
