"""Scopes and roles, everywhere: a token never reaches further than its scope, its owner's roles, or its life."""

from datetime import timedelta
from uuid import UUID

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from access import rights
from api import tokens, urls
from api.later import Later
from api.models import Token
from audit.models import Event
from tests.api.conftest import V1
from tests.house import House

pytestmark = pytest.mark.django_db(databases="__all__")
NONE = UUID("6c8c4be4-1128-4355-9aaf-2d27db09a030")
HERE = {"load_run_id": NONE, "job_id": NONE, "set_id": NONE, "rest": "else/"}
SEES = ("runs/", "jobs/", "approvals/", "archives/", "")
# What a token whose owner may everything is answered: by its scope, (read, ask). All else is read by both.
ANSWERS = {
    ("api_jobs", "post"): (403, 400),
    ("api_cancel", "post"): (403, 404),
    ("api_decision", "post"): (403, 403),
    ("api_run", "get"): (404, 404),
    ("api_job", "get"): (404, 404),
    ("api_archive", "get"): (404, 404),
    ("api_unknown", "get"): (404, 404),
    **{("api_unknown", method): (403, 404) for method in ("post", "put", "patch", "delete")},
}


def matrix() -> list[tuple[str, str]]:
    """Every resource of the API, by each method that it knows."""
    found = {str(one.name): one.callback.view.cls for one in urls.urlpatterns if isinstance(one.callback, Later)}
    methods = ("get", "post", "put", "patch", "delete")
    return [(name, method) for name, resource in found.items() for method in methods if hasattr(resource, method)]


@pytest.mark.parametrize("scope", ["read", "ask"])
@pytest.mark.parametrize(("name", "method"), matrix())
def test_what_each_scope_reaches(console: House, program, name, method, scope):
    """The owner may everything: what is refused, the scope refuses."""
    kept = next(pattern.pattern for pattern in urls.urlpatterns if pattern.name == name).converters
    path = reverse(name, kwargs={given: HERE[given] for given in kept}).removeprefix(V1)
    wanted = ANSWERS.get((name, method), (200, 200))[("read", "ask").index(scope)]
    told = program("administrator", scope).send(method, path, status=wanted)
    if wanted == 403:
        assert ("No token does this" if name == "api_decision" else "only reads") in told["detail"]
        assert Event.objects.get(action="attempt refused").how == "api"


def test_what_a_token_is_answered_is_about_what_there_is():
    assert set(ANSWERS) <= set(matrix())


@pytest.mark.parametrize("role", rights.ROLES)
def test_a_token_may_what_its_owner_may(console: House, program, role):
    caller = program(role)
    for path in SEES:
        caller.get(path)
    caller.get("audit/events/", status=200 if rights.SEE_TRAIL in rights.ROLES[role] else 403)
    caller.post(f"jobs/{NONE}/cancel/", status=404 if rights.CANCEL in rights.ROLES[role] else 403)
    asked = {"kind": "reprocess", "reason": "r", "runs": [str(NONE)]}
    caller.post("jobs/", asked, status=422 if rights.REPROCESS in rights.ROLES[role] else 403)


def test_a_role_that_is_taken_is_taken_at_once(program, people):
    caller = program("operator")
    caller.get("jobs/")
    people["operator"].groups.clear()
    assert "Your roles do not let you" in caller.get("jobs/", status=403)["detail"]
    refused = Event.objects.get(action="attempt refused")
    assert (refused.how, refused.detail["token"], refused.detail["page"]) == ("api", caller.token.name, "api_jobs")


def closed(token: Token, people: dict[str, User]) -> None:
    User.objects.filter(pk=token.owner_id).update(is_active=False)


def expired(token: Token, people: dict[str, User]) -> None:
    Token.objects.filter(pk=token.pk).update(expires_at=timezone.now())


def revoked(token: Token, people: dict[str, User]) -> None:
    tokens.revoke(token, people["administrator"], timezone.now())


@pytest.mark.parametrize("ends", [closed, expired, revoked], ids=lambda ends: ends.__name__)
def test_a_dead_token_opens_nothing_and_the_trail_says_so_once(program, people, ends):
    caller = program("operator")
    caller.get("jobs/")
    ends(caller.token, people)
    for _time in range(3):
        told = caller.get("jobs/", status=401)
    assert "opens nothing any more" in told["detail"] and caller.headers["WWW-Authenticate"] == "Token"
    refused = Event.objects.get(action="token refused")
    assert (refused.actor, refused.subject, refused.result) == (
        people["operator"],
        f"token:{caller.token.pk}",
        "refused",
    )


@pytest.mark.parametrize(
    "header", ["Token", "Token ", "Token restage_x", "token restage_\xff", "Token a b", "Bearer x", "", "\x00"]
)
def test_what_is_no_token_opens_nothing(header):
    for path in ("jobs/", "nothing/", f"jobs/{NONE}/"):
        answer = Client().get(f"/api/v1/{path}", headers={"Authorization": header})
        assert (answer.status_code, answer.headers["Content-Type"]) == (401, "application/problem+json")
    assert Event.objects.filter(action="token refused").count() <= 1


def test_of_a_token_only_its_hash_is_kept(people):
    made, secret = tokens.give(people["viewer"], name="ci", scope="read", days=1, now=timezone.now())
    kept = str(Token.objects.filter(pk=made.pk).values().get()) + str([*Event.objects.values()])
    assert secret.startswith(made.begins) and secret not in kept and secret[len(made.begins) :] not in kept
    assert Event.objects.get(action="token made").detail["scope"] == "read"


def test_when_it_was_last_used_is_known(program):
    caller = program("viewer", "read")
    caller.get("jobs/")
    used = Token.objects.get().used_at
    caller.get("jobs/")
    assert used and Token.objects.get().used_at == used
    Token.objects.update(used_at=used - timedelta(hours=1))
    caller.get("jobs/")
    assert Token.objects.filter(used_at__gte=used).exists()


def test_a_session_needs_the_proof_that_the_page_asked(people):
    """Nobody is made to act by another site."""
    client = Client(enforce_csrf_checks=True)
    client.force_login(people["operator"])
    answer = client.post("/api/v1/jobs/", "{}", content_type="application/json")
    assert answer.status_code == 403 and "CSRF" in answer.json()["detail"]
    assert client.get("/api/v1/jobs/").status_code == 200


def test_a_token_wins_over_a_session_beside_it(people, program):
    """Else a program in a browser would reach further than its token."""
    caller = program("viewer", "read")
    caller._client.force_login(people["administrator"])
    caller.get("audit/events/", status=403)
    caller.post(f"approvals/{NONE}/decision/", status=403)
