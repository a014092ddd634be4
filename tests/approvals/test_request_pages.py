"""The pages of requests: who may do what, what is shown, what was said goes along."""

import json
from io import StringIO
from uuid import UUID

import pytest
from django.core.management import call_command
from django.db import connection, transaction
from django.test import Client
from django.utils import timezone

from access import persons, rights
from approvals import comments, gate
from approvals.models import Comment
from audit.models import Event
from jobs import actors, submission
from jobs.actors import UnknownAccountError
from tests.approvals.conftest import KIND, PREVIEW, TWO, again, approve
from tests.tampering import sql

pytestmark = pytest.mark.django_db


def client(people, name: str) -> Client:
    made = Client()
    made.force_login(people[name])
    return made


def test_the_job_page_says_how_far_it_is_and_who_must_decide(asked, people):
    request = asked(TWO)
    approve(request, people["reviewer"])
    page = client(people, "viewer").get(f"/jobs/{request.job_id}/").content.decode()
    assert "1 of 2 approvals, waiting for archive admin" in page
    assert "Approved by reviewer (reviewer)" in page
    assert 'name="verdict"' not in page
    assert 'name="verdict"' in client(people, "archive admin").get(f"/jobs/{request.job_id}/").content.decode()


def test_enter_in_a_field_decides_nothing(asked, people):
    """The first button of a form is the one that Enter presses."""
    request = asked()
    page = client(people, "reviewer").get(f"/jobs/{request.job_id}/").content.decode()
    form = page[page.index(f'action="/jobs/{request.job_id}/decision/"') :]
    first = form[form.index("<button") : form.index("</button>")]
    assert "disabled" in first and "verdict" not in first


def test_a_long_thread_stands_on_pages_of_its_own(asked, people):
    request, author = asked(), people["operator"]
    Comment.objects.bulk_create(Comment(request=request, author=author, text=f"word {n}.") for n in range(10_000))
    path, reader = f"/jobs/{request.job_id}/", client(people, "viewer")
    page = reader.get(path).content.decode()
    assert page.index("word 9970.") < page.index("word 9999.") and "word 9969." not in page
    assert ">9,970 earlier comments</a>" in page
    said = [reader.get(f"{path}comments/all/", {"page": page}).content.decode() for page in ("1", "200", "x")]
    assert said[0].index("word 9999.") < said[0].index("word 9950.") and said[2].count("word 99") == 50
    assert "word 0." in said[1] and "10,000 comments" in said[1]
    assert reader.get(f"/jobs/{UUID(int=7)}/comments/all/").status_code == 404


@pytest.mark.parametrize("act", ["comments", "withdrawal", "reminder", "emergency", "decision", "revision"])
def test_each_act_needs_a_post_and_a_right(asked, people, act):
    request = asked()
    path = f"/jobs/{request.job_id}/{act}/"
    if act not in ("emergency", "revision"):
        assert client(people, "operator").get(path).status_code == 405
    people["viewer"].groups.clear()
    assert client(people, "viewer").post(path).status_code == 403
    assert Client().post(path).status_code == 302
    assert again(request).state == "pending"


def test_an_archive_admin_whom_the_policy_names_decides(asked, people):
    request = asked(TWO)
    approve(request, people["reviewer"])
    form = {"digest": request.digest, "verdict": "approve", "password": "pass-word-1"}
    path = f"/jobs/{request.job_id}/decision/"
    assert client(people, "ops").post(path, form).status_code == 403
    assert client(people, "archive admin").post(path, form).status_code == 302
    assert again(request).state == "approved"


def test_changes_are_asked_for_by_the_form(asked, people):
    request, reviewer = asked(), client(people, "reviewer")
    form = {"digest": request.digest, "verdict": "changes", "reason": "Only visits.", "password": "pass-word-1"}
    reviewer.post(f"/jobs/{request.job_id}/decision/", form)
    assert again(request).state == "changes asked"
    assert "Asked for changes by reviewer" in reviewer.get(f"/jobs/{request.job_id}/").content.decode()
    for page in ("/jobs/", f"/jobs/{request.job_id}/"):
        told = reviewer.get(page).content.decode()
        assert "Sent back for changes</span>" in told and "Rejected</span>" not in told, page


def test_what_people_say_is_shown_as_text_and_stays(asked, people):
    request, operator = asked(), client(people, "operator")
    path = f"/jobs/{request.job_id}/comments/"
    assert operator.post(path, {"text": " "}).status_code == 422
    assert operator.post(path, {"text": "x" * 2001}).status_code == 422
    assert operator.post(path, {"text": "a\x00b"}).status_code == 422
    assert client(people, "viewer").post(path, {"text": "hm"}).status_code == 403
    operator.post(path, {"text": "<b>Finance</b>\nfound it."})
    page = operator.get(f"/jobs/{request.job_id}/").content.decode()
    assert "&lt;b&gt;Finance&lt;/b&gt;<br>found it." in page
    event = Event.objects.get(action="comment added")
    assert "Finance" not in str(event.detail) and event.actor == people["operator"]
    for query in ("UPDATE approvals_comment SET text = 'x'", "DELETE FROM approvals_comment"):
        with pytest.raises(Exception, match="stays"):
            sql(query)
    assert Comment.objects.count() == 1


def test_what_was_said_goes_along_to_the_plan_in_its_place(asked, people):
    former = asked()
    comments.add(former, people["operator"], "the first")
    gate.ask_changes(former, people["reviewer"], digest=former.digest, reason="only visits")
    new = asked(**submission.in_place_of(former.job))
    comments.add(new, people["operator"], "the second")
    assert new.follows == former
    assert [one.text for one in comments.thread(new)] == ["the first", "the second"]
    page = client(people, "reviewer").get(f"/jobs/{new.job_id}/").content.decode()
    assert "on the former plan" in page and str(former.job_id) in page
    assert (
        "A new plan was made in its place" in client(people, "viewer").get(f"/jobs/{former.job_id}/").content.decode()
    )


def test_the_inbox_shows_what_is_mine_to_decide(asked, people):
    asked(), asked(TWO)
    assert "Mine to decide (2)" in client(people, "reviewer").get("/approvals/").content.decode()
    mine = client(people, "archive admin").get("/approvals/?show=mine")
    assert mine.context["rows"] == [] and "Nothing waits here" in mine.content.decode()
    assert len(client(people, "operator").get("/approvals/?show=asked").context["rows"]) == 2
    assert client(people, "operator").get("/approvals/?show=\x00").status_code == 200
    rail = client(people, "reviewer").get("/approvals/").context["nav"]
    assert [item["count"] for item in rail if item["label"] == "Approvals"] == [2]


def test_the_command_lists_what_waits_and_approves_nothing(asked, people):
    request, out = asked(TWO), StringIO()
    approve(request, people["reviewer"])
    call_command("approvals", "--json", stdout=out)
    (row,) = json.loads(out.getvalue())["waiting"]
    assert (row["job"], row["kind"], row["records"]) == (str(request.job_id), KIND, PREVIEW["records"])
    assert row["standing"] == "1 of 2 approvals, waiting for archive admin"
    assert row["approved_by"] == ["reviewer"]
    words = StringIO()
    call_command("approvals", stdout=words)
    assert "waiting for archive admin" in words.getvalue()


def test_accounts_are_linked_by_name_in_the_trail(people):
    made = actors.link("operator", "reviewer", by=people["administrator"])
    assert {user.username for user in made} == {"operator", "reviewer"}
    assert persons.person_of(people["reviewer"]) == persons.person_of(people["operator"])
    actors.link("reviewer", "viewer", by=people["administrator"])
    assert len(persons.accounts_of(persons.person_of(people["viewer"]))) == 3
    actors.unlink("operator", by=people["administrator"])
    assert persons.person_of(people["operator"]) == people["operator"].pk
    assert persons.person_of(people["reviewer"]) == persons.person_of(people["viewer"])
    with pytest.raises(UnknownAccountError, match="no account nobody"):
        actors.link("operator", "nobody", by=people["administrator"])
    assert Event.objects.filter(action="account linked").count() == 4
    out = StringIO()
    call_command("accounts", "link", "ops", "auditor", "--as", "administrator", "--json", stdout=out)
    assert len(json.loads(out.getvalue())["accounts"]) == 2


def test_roles_of_a_policy_that_nobody_has_leave_it_waiting(asked, people):
    request = asked(TWO)
    rights.give(people["reviewer"], [])
    assert gate.pending(people["reviewer"], timezone.now()) == []
    assert again(request).state == "pending"


def test_the_inbox_asks_as_often_for_many_requests_as_for_few(asked, people, django_assert_max_num_queries):
    for _ in range(12):
        approve(asked(TWO), people["reviewer"])
    with django_assert_max_num_queries(6):
        assert len(gate.pending(people["archive admin"])) == 12


def test_looking_writes_nothing(asked, people):
    request = asked()
    administrator = client(people, "administrator")
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION READ ONLY")
        for path in (
            *("/approvals/", "/approvals/windows/", "/approvals/windows/new/", "/approvals/emergencies/"),
            *("/account/second-factor/", f"/jobs/{request.job_id}/", f"/jobs/{request.job_id}/emergency/"),
        ):
            assert administrator.get(path).status_code == 200, path
        transaction.set_rollback(True)


def test_a_withdrawal_with_a_reason_too_long_to_keep_withdraws_nothing(asked, people):
    request = asked()
    client = Client()
    client.force_login(people["operator"])
    answer = client.post(f"/jobs/{request.job_id}/withdrawal/", {"reason": "x" * 501}, follow=True)
    assert "Nothing was withdrawn" in answer.content.decode()
    assert again(request).state == "pending"
