"""Texts that nobody can see, or that turn the line they stand in, are no reasons."""

import pytest
from django.test import Client

from approvals import breaking_glass, gate
from approvals.gate import RefusedError
from approvals.models import Comment, Decision, Emergency
from audit.reasons import letters, said
from jobs.models import Job
from tests.approvals.conftest import PASSWORD
from tests.house import row

UNSEEN = ["\u200b", "\u2060\ufeff", "\u3164\u3164", "\u2800", "\u202e\u202c", "\u0301", "\u00a0\u2003", "\ufe0f\u200d"]


@pytest.mark.parametrize("text", UNSEEN)
def test_what_cannot_be_seen_is_nothing(text):
    assert said(text) == "" and letters(text) == 0


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("😀", "😀"),
        ("👩\u200d⚕️ says so", "👩\u200d⚕️ says so"),
        ("می\u200cخواهم", "می\u200cخواهم"),  # a joiner that the word needs
        (" \u202edesrever\u202c ", "desrever"),
        ("\u2066a\u2069 b", "a b"),
    ],
)
def test_what_can_be_seen_stays_and_turns_nothing_around(text, shown):
    assert said(text) == shown


@pytest.mark.django_db
def test_no_decision_comment_or_emergency_has_a_reason_that_nobody_sees(asked, people):
    request = asked()
    digest, path = request.job.plan.digest, f"/jobs/{request.job_id}/"
    client = Client()
    client.force_login(people["reviewer"])
    for verdict in ("reject", "changes"):
        form = {"digest": digest, "verdict": verdict, "reason": "\u200b\u2060", "password": PASSWORD}
        assert client.post(f"{path}decision/", form).status_code == 422
        with pytest.raises(RefusedError):
            gate.ask_changes(request, people["reviewer"], digest=digest, reason="\u3164")
    assert client.post(f"{path}comments/", {"text": "\u200b"}).status_code == 422
    with pytest.raises(RefusedError, match="at least 20 letters"):
        breaking_glass.let_through(
            request, people["administrator"], digest=digest, reason="x" + "\u200b" * 30, token=""
        )
    assert not any(model.objects.exists() for model in (Decision, Comment, Emergency))


@pytest.mark.django_db(databases="__all__")
@pytest.mark.parametrize("text", UNSEEN[:2])
def test_no_job_is_asked_for_with_a_reason_that_nobody_sees_by_whatever_way(console, told, people, text):
    run = console.deliver("20260105", row("1"))
    refused = told("reprocess", str(run), "--reason", text, "--as", "operator", code=1)
    assert "The reason shows nothing: say why" in refused["error"]
    assert not Job.objects.exists()
