"""An emergency: one person, with a right, a reason and a second factor; somebody else reviews it within a day."""

import time
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.db import DatabaseError
from django.test import Client
from django.utils import timezone
from django_otp.oath import TOTP
from django_otp.plugins.otp_static.models import StaticDevice, StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice

from access import persons, rights
from approvals import breaking_glass, closing, gate, second_factor
from approvals.gate import RefusedError
from approvals.models import Emergency
from audit.models import Event
from jobs import submission
from jobs.submission import NotPermittedError
from tests.approvals.conftest import PASSWORD, TWO, again, approve, state
from tests.tampering import sql, unguarded

pytestmark = pytest.mark.django_db
REASON = "The statements are printed at noon."


def shown(device: TOTPDevice) -> str:
    """What the app shows now."""
    totp = TOTP(device.bin_key, device.step, device.t0, device.digits, device.drift)
    totp.time = time.time()
    return f"{totp.token():06d}"


def codes(user: User) -> list[str]:
    """Set up a second factor; its recovery codes."""
    made = second_factor.finish(user, shown(second_factor.begin(user)))
    assert made
    return made


def let_through(request, user: User, token: str, reason: str = REASON) -> Emergency:
    return breaking_glass.let_through(request, user, digest=request.digest, reason=reason, token=token)


def test_it_begins_at_once_and_is_loud(asked, people):
    request, user = asked(TWO), people["on call"]
    emergency = let_through(request, user, codes(user)[0])
    request = again(request)
    assert (request.state, request.job.state, request.job.not_before) == ("emergency", "queued", None)
    submission.check_permit(request.job)
    (event,) = Event.objects.filter(detail__reason=REASON)
    assert (event.actor, event.action, event.subject) == (user, "request emergency", f"request:{request.pk}")
    assert emergency.due - emergency.at == pytest.approx(timedelta(hours=24), abs=timedelta(seconds=5))
    for name, sees in (("reviewer", True), ("administrator", True), ("viewer", False)):
        client = Client()
        client.force_login(people[name])
        assert ("let <a href=" in client.get("/approvals/").content.decode()) is sees


@pytest.mark.parametrize(
    ("reason", "token", "told"),
    [
        ("too short", "", "at least 20 letters"),
        (REASON, "123456", "no valid code"),
        (REASON, "aaaaaaaa", "no valid code"),
    ],
)
def test_without_a_reason_or_a_valid_code_nothing_begins(asked, people, reason, token, told):
    request, user = asked(), people["on call"]
    codes(user)
    before = state(request)
    with pytest.raises(RefusedError, match=told):
        let_through(request, user, token, reason)
    assert state(request) == before
    assert Event.objects.filter(action="emergency refused", result="refused").exists()


def test_a_code_counts_once(asked, people):
    user, first, second = people["on call"], asked(), asked()
    code = codes(user)[0]
    let_through(first, user, code)
    assert second_factor.codes_left(user) == 9
    with pytest.raises(RefusedError, match="no valid code"):
        let_through(second, user, code)


def test_the_code_of_the_app_counts_too(asked, people):
    user = people["on call"]
    codes(user)
    TOTPDevice.objects.filter(user=user).update(last_t=-1)  # as if it had been set up a minute ago
    let_through(asked(), user, shown(TOTPDevice.objects.get(user=user)))


def test_another_persons_code_does_not(asked, people):
    codes(people["on call"])
    with pytest.raises(RefusedError):
        let_through(asked(), people["on call"], codes(people["administrator"])[0])


def test_it_needs_its_right(asked, people):
    for name in ("operator", "reviewer", "archive admin", "ops"):
        with pytest.raises(rights.NotAllowedError):
            let_through(asked(), people[name], "000000")


def test_it_holds_only_while_who_did_it_may(asked, people):
    request, user = asked(), people["on call"]
    let_through(request, user, codes(user)[0])
    rights.give(user, ["viewer"])
    with pytest.raises(NotPermittedError, match="Nobody who may"):
        gate.permit(again(request).job)


def test_the_policy_of_a_rule_that_refuses_leaves_nothing_to_let_through(asked, people):
    request = asked()
    approve(request, people["reviewer"])
    with pytest.raises(RefusedError, match="does not wait"):
        let_through(again(request), people["on call"], codes(people["on call"])[0])


@pytest.fixture
def emergency(asked, people) -> Emergency:
    return let_through(asked(), people["on call"], codes(people["on call"])[0])


def review(emergency: Emergency, user: User, note: str = "The printer was real.") -> None:
    breaking_glass.review(emergency, user, verdict="justified", note=note)


def test_somebody_else_reviews_it(emergency, people):
    review(emergency, people["reviewer"])
    assert (emergency.state, emergency.reviewed_by) == ("justified", people["reviewer"])
    assert not breaking_glass.open_ones().exists()
    assert Event.objects.get(action="emergency justified").reason == "The printer was real."
    with pytest.raises(RefusedError, match="reviewed already"):
        review(emergency, people["reviewer2"])


def test_neither_who_did_it_nor_who_asked_reviews_it(emergency, people):
    rights.give(people["on call"], ["on call", "reviewer"])
    rights.give(people["operator"], ["reviewer"])
    persons.link(people["on call"], people["reviewer2"])
    for name in ("on call", "operator", "reviewer2"):
        with pytest.raises(RefusedError, match="Neither who"):
            review(emergency, people[name])
        with pytest.raises(DatabaseError, match="Somebody else"):
            query = "UPDATE approvals_emergency SET state = 'justified', reviewed_by_id = %s WHERE id = %s"
            sql(query, people[name].pk, emergency.pk)
    with pytest.raises(RefusedError, match="what was found"):
        review(emergency, people["reviewer"], note=" ")
    with pytest.raises(DatabaseError, match="as it was written down"):
        sql("UPDATE approvals_emergency SET due = now() + interval '9 days' WHERE id = %s", emergency.pk)


def test_an_overdue_review_is_marked_and_told_once(emergency, people):
    later = timezone.now() + timedelta(hours=25)
    closing.upkeep(later)
    closing.upkeep(later)
    assert Event.objects.filter(action="emergency review overdue").count() == 1
    with unguarded("approvals_emergency"):
        Emergency.objects.update(due=timezone.now() - timedelta(hours=1))
    client = Client()
    client.force_login(people["reviewer"])
    assert "Review overdue" in client.get("/approvals/emergencies/").content.decode()
    client.post(f"/approvals/emergencies/{emergency.pk}/review/", {f"{emergency.pk}-verdict": "justified"})
    assert breaking_glass.open_ones().exists()
    good = {f"{emergency.pk}-verdict": "not justified", f"{emergency.pk}-note": "It could have waited."}
    unproven = client.post(f"/approvals/emergencies/{emergency.pk}/review/", good)
    assert unproven.status_code == 422 and "It could have waited." in unproven.content.decode()
    assert "older than 5 min" in unproven.content.decode() and breaking_glass.open_ones().exists()
    wrong = client.post(f"/approvals/emergencies/{emergency.pk}/review/", {**good, f"{emergency.pk}-password": "x"})
    assert "That is not your password" in wrong.content.decode() and breaking_glass.open_ones().exists()
    good[f"{emergency.pk}-password"] = PASSWORD
    client.post(f"/approvals/emergencies/{emergency.pk}/review/", good)
    page = client.get("/approvals/emergencies/").content.decode()
    assert "Nothing to review" in page and "Not justified" in page


def test_the_whole_way_by_pages(asked, people):
    request, client = asked(), Client()
    client.force_login(people["on call"])
    path = f"/jobs/{request.job_id}/emergency/"
    assert "Set one up" in client.get(path).content.decode()
    assert not client.get("/account/second-factor/").context["qr"] and not TOTPDevice.objects.exists()
    client.post("/account/second-factor/", {"begin": "1"})
    assert '<path class="dark" d="M' in client.get("/account/second-factor/").content.decode()
    device = TOTPDevice.objects.get()
    wrong = client.post("/account/second-factor/", {"token": shown(device), "password": "another"})
    assert wrong.status_code == 422 and not second_factor.has_one(people["on call"])
    answer = client.post("/account/second-factor/", {"token": shown(device), "password": PASSWORD})
    code = StaticToken.objects.first().token
    assert code in answer.content.decode()
    assert client.get(path).status_code == 200
    form = {"digest": request.digest, "reason": REASON, "token": code}
    assert client.post(path, {**form, "token": "000000"}).status_code == 422
    StaticToken.objects.first().device.throttle_reset()
    assert client.post(path, form).status_code == 302
    assert again(request).job.state == "queued"


def test_a_second_factor_is_replaced_only_by_who_has_the_first(people):
    user, client = people["on call"], Client()
    former = codes(user)
    client.force_login(user)
    client.post("/account/second-factor/", {"begin": "1"})
    new = TOTPDevice.objects.get(user=user, confirmed=False)
    form = {"token": shown(new), "password": PASSWORD, "former": "zzzzzzzz"}
    assert client.post("/account/second-factor/", form).status_code == 422
    for device in StaticDevice.objects.filter(user=user):
        device.throttle_reset()
    assert client.post("/account/second-factor/", {**form, "former": former[0]}).status_code == 200
    assert TOTPDevice.objects.get(user=user, confirmed=True) == new
    assert not second_factor.verify(user, former[1])
    assert [event.action for event in Event.objects.filter(action__startswith="second factor").order_by("id")] == [
        *("second factor set up", "second factor refused", "second factor replaced", "second factor refused")
    ]
