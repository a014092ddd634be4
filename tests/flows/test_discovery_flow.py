"""From what failed to one job about its cause: the button's number is the set it acts on."""

import json
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client

from audit.models import Event
from jobs import work
from jobs.models import Job
from tests.house import HEADER, House, row

pytestmark = pytest.mark.django_db(databases="__all__")


@pytest.fixture
def failures(console: House) -> House:
    """Three files that failed for one reason and one that failed for another."""
    for day in ("20260105", "20260106", "20260107"):
        (console.folder / f"a_visits_{day}.csv").write_text("spoilt\n")
        console.load()
    (console.folder / "a_visits_20260108.csv").write_text(f"{HEADER}\n1,2\n")
    console.load()
    return console


@pytest.fixture
def operator(people) -> Client:
    made = Client()
    made.force_login(people["operator"])
    return made


def discover(*words: str) -> dict[str, Any]:
    out = StringIO()
    call_command("discover", *words, "--json", stdout=out)
    answer: dict[str, Any] = json.loads(out.getvalue())
    return answer


def ask(client: Client, query: str, mark: str, reason: str = "the supplier sent them again"):
    return client.post(f"/discovery/reprocess/?{query}", {"mark": mark, "reason": reason})


def test_one_cause_is_reprocessed_by_one_job_and_is_gone(failures: House, operator: Client):
    found = discover()
    assert (found["files"], found["taken"], [cause["files"] for cause in found["causes"]]) == (4, 4, [3, 1])
    cause = found["causes"][0]["cause"]
    page = operator.get("/discovery/").content.decode()
    assert f"/discovery/reprocess/?&amp;cause={cause}" in page and "Reprocess 3" in page
    for day in ("20260105", "20260106", "20260107"):
        failures.write(day, row(day))
    shown = operator.get(f"/discovery/reprocess/?cause={cause}")
    assert shown.context["runs"] == len(shown.context["taken"]) == 3
    answer = ask(operator, f"cause={cause}", shown.context["mark"])
    job = Job.objects.get()
    assert answer.url == job.get_absolute_url()
    work.run(job.pk)
    work.run(job.pk)
    job.refresh_from_db()
    assert job.state == "succeeded"
    assert sorted(failures.staged()) == ["20260105", "20260106", "20260107"]
    assert failures.violations() == 0
    assert [cause["files"] for cause in discover()["causes"]] == [1]


def test_what_has_changed_since_it_was_shown_is_not_asked_for(failures: House, operator: Client):
    mark = operator.get("/discovery/reprocess/").context["mark"]
    (failures.folder / "a_visits_20260109.csv").write_text("spoilt\n")
    failures.load()
    answer = ask(operator, "", mark)
    assert answer.status_code == 422
    assert "has changed since it was shown" in answer.content.decode()
    assert not Job.objects.exists()
    assert ask(operator, "", answer.context["mark"]).status_code == 302
    assert len(Job.objects.get().plan.included) == 5


def test_files_of_an_active_job_are_left_out(failures: House, operator: Client):
    ask(operator, "", operator.get("/discovery/reprocess/").context["mark"])
    assert discover()["left_out"] == {"in flight": 4}
    answer = ask(operator, "", "")
    assert answer.status_code == 422 and Job.objects.count() == 1


def test_traps_33_34_what_fails_again_waits_and_is_released_by_a_person(failures: House, people, operator: Client):
    for tried in range(3):
        mark = operator.get("/discovery/reprocess/").context["mark"]
        assert ask(operator, "", mark).status_code == 302
        job = Job.objects.first()
        assert job
        work.run(job.pk)
        job.refresh_from_db()
        assert job.state == "failed", "not one of its files can be read"
        assert discover()["left_out"] == ({"backing off": 4} if tried < 2 else {"quarantined": 4})
        failures.connection.execute("UPDATE restage.failed_tries SET at = now() - interval '1 year'")
    files = [str(c.load_run_file_id) for c, _why in operator.get("/discovery/").context["files"]]
    viewer = Client()
    viewer.force_login(people["viewer"])
    assert viewer.post("/discovery/release/", {"file": files, "reason": "r"}).status_code == 403
    assert (
        "Nothing was released"
        in operator.post("/discovery/release/", {"file": files, "reason": " "}, follow=True).content.decode()
    )
    assert discover()["left_out"] == {"quarantined": 4}
    operator.post("/discovery/release/", {"file": files[:1], "reason": "sent again"})
    assert discover()["left_out"] == {"quarantined": 3}
    event = Event.objects.get(action="files released")
    assert event.actor_name == "operator"
    assert event.detail == {"files": [int(files[0])], "reason": "sent again"}


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--extract", "Nothing"], "no extract Nothing"),
        (["--older-than", "-1"], "--older-than"),
        (["--newer-than", "nan"], "--newer-than"),
        (["--limit", "0"], "--limit"),
    ],
)
def test_what_cannot_be_meant_is_wrong_usage(console: House, words, told):
    err = StringIO()
    with pytest.raises(SystemExit) as stopped:
        call_command("discover", *words, stderr=err)
    assert stopped.value.code == 2 and told in err.getvalue()


def test_in_words_the_sums_are_there(failures: House):
    out = StringIO()
    call_command("discover", "--limit", "1", stdout=out)
    assert "4 files found, 1 of them would be taken." in out.getvalue()
    assert "beyond the limit: 3" in out.getvalue()
