"""What core has not taken over: shown, exported by those who may, and dealt with by a person's word."""

import hashlib
import json
from dataclasses import replace
from io import StringIO

import pytest
from django.core.management import call_command
from django.test import override_settings
from django.utils import timezone

from audit.models import Event
from jobs import work
from jobs.models import Job
from reprocessing import key_hashes, requests, triggers
from reprocessing.planning import Options
from tests.house import House, row
from warehouse import downstream
from warehouse.registry import Registry

pytestmark = pytest.mark.django_db(databases="__all__")


def answer(*words: str) -> str:
    out = StringIO()
    call_command("downstream", *words, stdout=out)
    return out.getvalue()


def test_a_load_shows_and_a_persons_word_takes_it_from_the_list(console: House, as_):
    console.deliver("20260105", row("1"), row("2"))
    found = json.loads(answer("--json"))
    assert (found["changes"], found["extracts"][0]["extract_type"]) == (2, "Visits")
    shown = as_("operator").get("/downstream/")
    page = shown.content.decode()
    assert "2 changes of keys in staging since core was last merged" in page and "Take 2 changes from the list" in page
    seen = shown.context["found"][0][0].seen.isoformat()
    assert as_("viewer").post("/downstream/Visits/merged/", {"seen": seen, "reason": "r"}).status_code == 403
    assert as_("operator").get("/downstream/Visits/merged/").status_code == 405
    wrong = as_("operator").post("/downstream/Visits/merged/", {"seen": "yesterday", "reason": "r"}, follow=True)
    assert "Nothing was taken" in wrong.content.decode()
    as_("operator").post("/downstream/Visits/merged/", {"seen": seen, "reason": "merged by hand"})
    event = Event.objects.get(action="core said up to date")
    assert event.detail == {"extract": "Visits", "changes": 2, "reason": "merged by hand"}
    assert "Core is up to date" in as_("viewer").get("/downstream/").content.decode()
    assert "Core has taken over everything" in answer()


def test_keys_in_clear_need_the_right_and_are_noted(console: House, as_):
    console.deliver("20260105", row("secret-7"))
    hashes = as_("viewer").get("/downstream/Visits/keys/")
    text = b"".join(hashes.streaming_content).decode()
    assert "secret-7" not in text and text.splitlines()[0] == "extract,load_run_id,change,since,changes,key_hash"
    assert hashlib.sha256(b'{"visit_id": "secret-7"}').hexdigest() not in text, "anybody could guess that one"
    assert key_hashes.hashed('{"visit_id": "secret-7"}') in text
    with override_settings(SECRET_KEY="of another console"):
        assert key_hashes.hashed('{"visit_id": "secret-7"}') not in text
    assert not Event.objects.exists()
    assert as_("viewer").post("/downstream/Visits/keys/").status_code == 403
    clear = as_("operator").post("/downstream/Visits/keys/")
    assert "secret-7" in b"".join(clear.streaming_content).decode()
    refused, event = Event.objects.order_by("id")
    assert (refused.action, refused.actor_name) == ("attempt refused", "viewer")
    assert (event.action, event.detail) == ("natural keys exported", {"extracts": ["Visits"]})
    assert as_("operator").get("/downstream/Nonsense/keys/").status_code == 404


def test_the_command_exports_hashes_or_with_the_right_keys(console: House, people):
    console.deliver("20260105", row("secret-7"))
    assert "secret-7" not in answer("--csv")
    assert "secret-7" in answer("--csv", "--keys", "--as", "operator")
    assert Event.objects.get().actor_name == "operator"
    for words, code in ((["--csv", "--keys", "--as", "viewer"], 1), (["--keys"], 2), (["--csv", "--json"], 2),
                        (["--extract", "Nonsense"], 2)):  # fmt: skip
        with pytest.raises(SystemExit) as stopped:
            call_command("downstream", *words, stdout=StringIO(), stderr=StringIO())
        assert stopped.value.code == code, words


def test_a_job_names_what_depends_on_what_it_changes_and_that_core_must_follow(console: House, people, as_, settings):
    visits, calls = console.visits, console.registry["Calls"]
    console.registry = Registry([visits, replace(calls, depends_on=("Visits",))])
    (console.folder / "a_calls_20260104.csv").write_text("call_id,seen_on,fee,note,updated_at\n7,,1,,\n")
    console.load()
    run = console.deliver("20260105", row("1"))
    console.write("20260105", row("1", fee="11"))
    job = requests.ask_reprocess(settings.WAREHOUSE_URL, [run], Options(), reason="r", actor=people["operator"])
    work.run(job.pk)
    work.run(job.pk)
    job = Job.objects.select_related("plan").get(pk=job.pk)
    assert job.plan.preview and job.plan.preview["dependants"] == [
        {"extract": "Calls", "table": "calls", "of": ["visits"], "direct": True, "rows": 1}
    ]
    page = as_("viewer").get(job.get_absolute_url()).content.decode()
    assert "stg.calls" in page and "Core has yet to follow" in page
    assert downstream.look(console.connection, console.registry)


def test_the_page_writes_nothing_and_the_watcher_notes_what_is_committed(console: House, as_):
    console.deliver("20260105", row("1"))
    console.connection.execute("UPDATE restage.stale_core SET settled_at = NULL")
    settled = "SELECT count(settled_at) FROM restage.stale_core"
    assert "1 change of keys" in as_("viewer").get("/downstream/").content.decode()
    answer("--json")
    assert console.connection.execute(settled).fetchone() == (0,)
    triggers.take_in_slowly(console.connection, timezone.now())
    assert console.connection.execute(settled).fetchone() == (1,)
