"""The loading of an extract is suspended, by a person or by itself, and resumed: over a real warehouse."""

from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from django.utils import timezone

from audit.models import Event
from jobs import relay
from monitoring import processes
from monitoring.verdicts import judging
from monitoring.verdicts.models import QualityVerdict
from tests.house import House, row
from tests.quality.test_verdicts import deliver, week
from warehouse import suspensions
from warehouse.suspensions import NotSuspendedError

pytestmark = pytest.mark.django_db(databases="__all__")


def judged(settings) -> list[QualityVerdict]:
    return judging.judge_due(settings.WAREHOUSE_URL, timezone.now())


def test_a_file_that_is_proven_wrong_stops_the_next_ones_until_somebody_has_looked(console: House, as_, told, settings):
    client = as_("operator")
    client.post("/quality/Visits/loading/", {"act": "by itself", "reason": "no bad file upon a bad file"})
    for number in range(11):
        deliver(console, number)
    judged(settings)
    wrong = deliver(console, 11, fee="unknown")
    assert [verdict.level for verdict in judged(settings)] == ["block"]
    console.write("20260601", *week(20))
    (left,) = console.load().left_out[-1:]
    assert left.code == "suspended" and f"File {wrong} is proven wrong: fee is no number" in left.reason
    assert console.load().runs == []
    listed = told("loading", "list")
    assert (listed["suspended"][0]["file"], listed["suspend_themselves"]) == (wrong, ["Visits"])
    for page in ("/quality/", "/quality/Visits/", "/"):
        assert "is proven wrong: fee is no number" in as_("viewer").get(page).content.decode(), page

    done = client.post(f"/quality/files/{wrong}/answer/", {"answer": "expected change", "reason": "new"}, follow=True)
    assert "The loading of Visits, which it had suspended, goes on." in done.content.decode()
    assert len(console.load().runs) == 1
    assert "1 earlier suspension" in client.get("/quality/Visits/").content.decode()
    assert Event.objects.get(action="loading suspends itself").detail["reason"] == "no bad file upon a bad file"
    relay.relay(console.connection)
    events = Event.objects.filter(effect__isnull=False).order_by("effect")
    assert list(events.values_list("action", "actor_name")) == [
        ("suspend when proven wrong", "operator"), ("suspend loading", "restage"), ("resume loading", "operator"),
    ]  # fmt: skip


def test_real_alarms_and_what_nobody_asked_for_suspend_and_resume_nothing(console: House, as_, settings):
    client = as_("operator")
    for number in range(11):
        deliver(console, number)
    judged(settings)
    wrong = deliver(console, 11, fee="unknown")
    judged(settings)
    assert suspensions.standing(console.connection) == {}, "nobody has asked for it"
    client.post("/quality/Visits/loading/", {"act": "suspend", "reason": "the source is being mended"})
    client.post(f"/quality/files/{wrong}/answer/", {"answer": "false alarm", "reason": "fine"})
    assert list(suspensions.standing(console.connection)) == ["Visits"], "it was a person who suspended it"


def test_by_hand_and_by_command(console: House, as_, told):
    told("loading", "suspend", "Visits", "--reason", "holiday of the source", "--as", "operator")
    assert told("loading", "suspend", "Visits", "--reason", "again", "--as", "operator") == {
        "extract": "Visits",
        "changed": False,
    }
    assert Event.objects.filter(action="loading suspended").count() == 1
    console.write("20260105", row("1"))
    assert [entry.code for entry in console.load().left_out] == ["suspended"]
    reason = console.connection.execute("SELECT restage.suspended('Visits'), restage.suspended('Calls')").fetchone()
    assert reason == ("holiday of the source", None)
    assert any("holiday of the source" in notice for notice in processes.look(timezone.now()).notices)
    told("loading", "resume", "Visits", "--reason", "it is back", "--as", "operator")
    assert len(console.load().runs) == 1
    told("loading", "resume", "Visits", "--reason", "it is back", "--as", "operator", code=1)
    told("loading", "suspend", "Nothing", "--reason", "x", "--as", "operator", code=2)
    told("loading", "suspend", "Visits", "--reason", " ", "--as", "operator", code=1)
    assert told("loading", "itself", "Visits", "on", "--reason", "careful", "--as", "operator")["changed"]
    assert told("loading", "itself", "Visits", "off", "--reason", "enough", "--as", "operator")["changed"]
    assert told("loading", "list", "--as", "operator")["suspend_themselves"] == []


@pytest.mark.parametrize("role", ["viewer", "reviewer", "auditor", "archive admin"])
def test_it_refuses_who_may_not(console: House, as_, role):
    assert as_(role).post("/quality/Visits/loading/", {"act": "suspend", "reason": "x"}).status_code == 403
    assert suspensions.standing(console.connection) == {}
    assert "Suspend loading now" not in as_(role).get("/quality/Visits/").content.decode()


def test_it_refuses_nonsense(console: House, as_):
    client = as_("ops")
    assert client.get("/quality/Visits/loading/").status_code == 405
    assert client.post("/quality/Nothing/loading/", {"act": "suspend", "reason": "x"}).status_code == 404
    for wrong in ({"act": "suspend", "reason": " "}, {"act": "stop", "reason": "x"}, {"reason": "x"}, {}):
        assert "Nothing was changed" in client.post("/quality/Visits/loading/", wrong, follow=True).content.decode()
    back = client.post("/quality/Visits/loading/", {"act": "resume", "reason": "x"}, follow=True)
    assert "is not suspended. Nothing was changed." in back.content.decode()
    assert suspensions.of(console.connection, "Visits") == []


def test_of_many_at_once_one_suspends_and_one_resumes(console: House):
    info = console.connection.info

    def with_own(act):
        with psycopg.connect(info.dsn, password=info.password, autocommit=True) as connection:
            return act(connection)

    def resumed(connection: psycopg.Connection) -> bool:
        try:
            suspensions.resume(connection, "Visits", why="y", actor="b")
        except NotSuspendedError:
            return False
        return True

    def suspended(connection: psycopg.Connection) -> bool:
        return suspensions.suspend(connection, "Visits", reason="x", actor="a")

    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(lambda _n: with_own(suspended), range(12))) == 1
        assert sum(pool.map(lambda _n: with_own(resumed), range(12))) == 1
    assert len(suspensions.of(console.connection, "Visits")) == 1


@pytest.fixture
def watched(console: House, as_, settings) -> House:
    """Eleven good files of a feed whose loading is suspended by itself."""
    as_("operator").post("/quality/Visits/loading/", {"act": "by itself", "reason": "careful"})
    for number in range(11):
        deliver(console, number)
    judged(settings)
    return console


def answered(as_, file: int, **follow):
    told = {"answer": "false alarm", "reason": "seen it"}
    return as_("operator").post(f"/quality/files/{file}/answer/", told, **follow)


def test_what_fails_between_verdict_and_suspension_leaves_the_file_due(watched: House, settings):
    deliver(watched, 11, fee="unknown")
    watched.connection.execute("ALTER TABLE restage.suspensions RENAME TO gone")
    assert judged(settings) == [] and QualityVerdict.objects.filter(level="block").count() == 1
    watched.connection.execute("ALTER TABLE restage.gone RENAME TO suspensions")
    assert [verdict.level for verdict in judged(settings)] == ["block"]
    assert list(suspensions.standing(watched.connection)) == ["Visits"]


def test_of_two_wrong_files_each_needs_its_answer(watched: House, as_, settings):
    first, second = deliver(watched, 11, fee="unknown"), deliver(watched, 12, fee="unknown")
    judged(settings)
    later = suspensions.standing(watched.connection)["Visits"].load_run_file_id
    assert later == second, "the older of the two is not its feed's newest"
    suspensions.resume(watched.connection, "Visits", why="as if the first had done it", actor="x")
    suspensions.suspend(watched.connection, "Visits", reason="wrong", actor="restage", file=first)
    assert "goes on" not in answered(as_, first, follow=True).content.decode()
    assert suspensions.standing(watched.connection)["Visits"].load_run_file_id == second
    assert "goes on" in answered(as_, second, follow=True).content.decode()
    assert suspensions.standing(watched.connection) == {}


def test_without_the_warehouse_nothing_is_answered(watched: House, as_, settings):
    wrong = deliver(watched, 11, fee="unknown")
    judged(settings)
    url, settings.WAREHOUSE_URL = settings.WAREHOUSE_URL, "postgresql://127.0.0.1:1/nowhere"
    assert answered(as_, wrong).status_code == 503
    settings.WAREHOUSE_URL = url
    assert QualityVerdict.objects.get(load_run_file_id=wrong).state == "open"
    assert "goes on" in answered(as_, wrong, follow=True).content.decode()


def test_an_old_file_and_one_that_a_job_has_read_again_stop_nothing(watched: House, settings):
    run = watched.deliver("20260801", *week(30))
    deliver(watched, 12, fee="unknown")
    watched.write("20260801", *week(30, fee="unknown"))
    watched.reprocess(run)
    assert [verdict.level for verdict in judged(settings)].count("block") == 2
    assert suspensions.standing(watched.connection) == {}


def test_a_loader_of_another_role_may_ask(console: House):
    suspensions.suspend(console.connection, "Visits", reason="holiday", actor="a")
    with console.connection.transaction(force_rollback=True):
        console.connection.execute("CREATE ROLE loader_of_others")
        console.connection.execute("GRANT USAGE ON SCHEMA restage TO loader_of_others")
        console.connection.execute("SET LOCAL ROLE loader_of_others")
        assert console.connection.execute("SELECT restage.suspended('Visits')").fetchone() == ("holiday",)


def test_an_extract_that_nothing_declares_any_more_is_resumed(console: House, told):
    suspensions.suspend(console.connection, "Former", reason="x", actor="a")
    told("loading", "resume", "Former", "--reason", "gone", "--as", "operator")
    assert suspensions.standing(console.connection) == {}
