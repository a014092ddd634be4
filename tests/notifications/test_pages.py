"""The inbox, the choices, channels and letters by plain requests; and the command."""

import pytest

from access import rights
from audit.models import Event
from notifications import channels, dispatch, vault
from notifications.models import Channel, Choice, Entry, Message, Route
from tests.notifications.test_delivery import news
from tests.pages.test_hostile import ODD

pytestmark = pytest.mark.django_db(databases="__all__")
CHANNELS = "/notifications/channels/"


@pytest.fixture
def entry(people, clock):
    """One unread entry for the operator."""
    dispatch.post([news(concerned=frozenset({people["operator"].pk}))], clock.now)
    return Entry.objects.get()


@pytest.mark.parametrize("role", list(rights.ROLES))
def test_everybody_has_an_inbox_and_only_those_with_the_right_have_channels(as_, people, hook, role):
    client, manages = as_(role), role in ("ops", "administrator")
    for path in ("/notifications/", "/notifications/mine/"):
        page = client.get(path)
        assert page.status_code == 200 and (CHANNELS in page.content.decode()) == (manages and "mine" not in path)
    one = f"{CHANNELS}{hook[0].pk}/"
    for path in (CHANNELS, f"{CHANNELS}new/", one, "/notifications/letters/"):
        assert client.get(path).status_code == (200 if manages else 403), path
    for path in (f"{one}test/", f"{one}secret/", f"{one}pause/", f"{one}retire/", "/notifications/letters/resend/"):
        assert client.get(path).status_code in (405, 403), path
        assert client.post(path).status_code in ((200, 302, 404) if manages else (403,)), path


def test_the_unread_are_counted_in_the_rail_and_read_one_by_one(as_, entry, people):
    client = as_("operator")
    page = client.get("/runs/").content.decode()
    assert 'Notifications<span class="tally">1<' in page
    assert "1 unread" in client.get("/notifications/?unread=1").content.decode()
    assert as_("viewer").post(f"/notifications/{entry.pk}/read/").status_code == 404
    assert client.get(f"/notifications/{entry.pk}/read/").status_code == 405
    assert client.post(f"/notifications/{entry.pk}/read/", {"open": "1"}).url == "/jobs/1/"
    assert "tally" not in client.get("/notifications/").content.decode()
    assert "Nothing is unread" in client.get("/notifications/?unread=1").content.decode()


def test_all_are_read_that_were_seen(as_, entry, people, clock):
    dispatch.post([news("later", concerned=frozenset({people["operator"].pk}))], clock.now)
    client = as_("operator")
    client.post("/notifications/read/", {"newest": entry.pk})
    assert Entry.objects.filter(read_at=None).count() == 1, "what came since is not read"
    for odd in (*ODD, "9" * 40):
        assert client.post("/notifications/read/", {"newest": odd}).status_code == 302
        assert client.get("/notifications/", {"page": odd}).status_code == 200


def test_a_person_chooses(as_, people, post, clock, mail):
    client = as_("operator")
    page = client.get("/notifications/mine/").content.decode()
    assert "You have not chosen yet" in page and f'value="failed:{post.pk}" checked' in page
    assert 'value="started:0" checked' not in page
    chosen = {"wanted": [f"started:{post.pk}", "failed:0", "alert:999", "x"], "email": "new@example.org"}
    assert client.post("/notifications/mine/", chosen).status_code == 302
    choice = Choice.objects.get()
    assert (choice.wanted["started"], choice.wanted["failed"], choice.wanted["alert"]) == ([post.pk], [0], [])
    assert Event.objects.get(action="notifications chosen").detail["mail address changed"] is True
    assert client.post("/notifications/mine/", {"email": "nonsense"}).status_code == 422
    concerned = frozenset({people["operator"].pk})
    dispatch.post([news(concerned=concerned), news("s", topic="started", concerned=concerned)], clock.now)
    assert (clock.turn(), mail.got[0][0], Entry.objects.count()) == (1, ["new@example.org"], 1)


def test_who_wants_to_hears_of_others_and_nobody_who_is_barred(as_, people, clock):
    as_("viewer").post("/notifications/mine/", {"wanted": ["failed:0", "requested:0"], "of_others": "on"})
    viewer, operator = people["viewer"], people["operator"]
    asked = news("r", topic="requested", deciders_only=True, concerned=frozenset(), barred=frozenset({operator.pk}))
    dispatch.post([news(), asked], clock.now)
    assert [(e.person, e.topic) for e in Entry.objects.all()] == [(viewer, "failed")]


def test_a_webhook_is_added_its_secret_shown_once_and_tried(as_, http):
    client = as_("ops")
    page = client.post(f"{CHANNELS}new/", {"name": "Hook", "form": "webhook", "address": http.url})
    channel = Channel.objects.get()
    secret = page.context["secret"]
    assert secret in page.content.decode() and "no-store" in page.headers["Cache-Control"]
    for path in (channel.get_absolute_url(), CHANNELS):
        shown = client.get(path).content.decode()
        assert secret not in shown and http.url not in shown and "127.0.0.1" in shown
    assert "The test message is delivered. It answered 200." in tried(client, channel)
    http.answers = [500]
    assert "not delivered. It answered 500" in tried(client, channel)
    mark = {"mark": client.get(channel.get_absolute_url()).context["mark"]}
    renewed = client.post(f"{CHANNELS}{channel.pk}/secret/", mark).context["secret"]
    assert renewed != secret
    again = client.post(f"{CHANNELS}{channel.pk}/secret/", mark, follow=True)
    assert "the one that was told then counts" in again.content.decode(), "what is shown is what is kept"
    channel.refresh_from_db()
    assert vault.open_(channel.secret) == renewed
    results = Event.objects.filter(action="channel tested").order_by("id").values_list("result", flat=True)
    assert [*results] == ["done", "failed"]
    assert secret not in str(list(Event.objects.values_list("detail", flat=True)))


def test_a_second_click_on_adding_a_webhook_tells_where_its_secret_can_be_renewed(as_, http):
    filled = {"name": "Hook", "form": "webhook", "address": http.url}
    client = as_("ops")
    client.post(f"{CHANNELS}new/", filled)
    again = client.post(f"{CHANNELS}new/", filled, follow=True)
    channel = Channel.objects.get()
    assert again.redirect_chain == [(channel.get_absolute_url(), 302)]
    assert "if you have not seen it, renew it below" in again.content.decode()
    assert as_("administrator").post(f"{CHANNELS}new/", filled).status_code == 422, "it is another's"
    assert client.post(f"{CHANNELS}new/", {**filled, "name": "\x00"}).status_code == 422


def tried(client, channel: Channel) -> str:
    """The page after a press of its button for a test."""
    after = client.get(channel.get_absolute_url()).context["last_test"]
    return str(client.post(f"{CHANNELS}{channel.pk}/test/", {"after": after}, follow=True).content.decode())


def test_a_second_click_sends_no_second_test(as_, hook, http):
    client, path = as_("ops"), f"{CHANNELS}{hook[0].pk}/test/"
    for after in ("0", "0", "", "x", "-1", "9" * 30):
        told = client.post(path, {"after": after}, follow=True).content.decode()
    assert "None was sent now." in told and len(http.got) == 1
    assert [
        *Event.objects.filter(action__startswith="channel test").order_by("id").values_list("action", flat=True)
    ] == [
        "channel test begun",
        "channel tested",
    ]
    assert "is delivered" in tried(client, hook[0]) and len(http.got) == 2


WRONG = [
    ({"address": "http://example.org/"}, "must begin with https://"),
    ({"address": ""}, "This field is required"),
    ({"form": "email", "address": "mailto://mail.example.org"}, "It must say whom mail is from"),
    ({"form": "slack", "address": "https://example.org/"}, "It must look like https://hooks.slack.com"),
    ({"name": "hook"}, "There is a channel of this name"),
    ({"form": "pigeon"}, "Select a valid choice"),
]


def test_an_address_that_cannot_be_used_comes_back_and_is_not_shown(as_, hook):
    client = as_("ops")
    for given, told in WRONG:
        sent = {"name": "Other", "form": "webhook", "address": "https://hooks.example.org/tell-nobody", **given}
        answer = client.post(f"{CHANNELS}new/", sent)
        assert answer.status_code == 422 and told in answer.content.decode()
        assert "tell-nobody" not in answer.content.decode() and Channel.objects.count() == 1


def test_a_channel_is_changed_paused_resumed_retired(as_, hook, people):
    client, channel = as_("ops"), hook[0]
    address = channel.address
    client.post(channel.get_absolute_url(), {"name": "Renamed", "address": ""})
    channel.refresh_from_db()
    assert (channel.name, channel.address) == ("Renamed", address)
    client.post(channel.get_absolute_url(), {"name": "Renamed", "address": "https://hooks.example.org/new"})
    channel.refresh_from_db()
    assert channel.shown == "hooks.example.org" and channel.address != address
    for act, told in (
        ("pause", "is paused"),
        ("pause", "was paused already"),
        ("resume", "is active"),
        ("retire", "is retired"),
    ):
        assert told in client.post(f"{channel.get_absolute_url()}{act}/", follow=True).content.decode()
    assert "No channel yet" in client.get(CHANNELS).content.decode()
    assert client.post(f"{channel.get_absolute_url()}test/").status_code == 404
    acts = Event.objects.filter(subject=f"channel:{channel.pk}").order_by("id").values_list("action", flat=True)
    assert [*acts] == ["channel added", *["channel changed"] * 2, "channel paused", "channel active", "channel retired"]


def test_groups_are_told_and_no_more(as_, hook, people, clock):
    client = as_("administrator")
    assert client.post(CHANNELS, {"topics": ["failed", "alert"], "channel": hook[0].pk}).status_code == 302
    assert client.post(CHANNELS, {"topics": ["failed"], "role": "viewer"}).status_code == 302
    assert client.post(CHANNELS, {"topics": ["failed"], "role": "viewer", "channel": hook[0].pk}).status_code == 422
    assert client.post(CHANNELS, {"topics": ["failed"]}).status_code == 422
    assert client.post(CHANNELS, {"topics": ["weather"], "role": "viewer"}).status_code == 422
    assert Route.objects.count() == 3
    dispatch.post([news()], clock.now)
    assert (Message.objects.count(), [e.person.get_username() for e in Entry.objects.all()]) == (1, ["viewer"])
    client.post(f"/notifications/routes/{Route.objects.get(role='viewer').pk}/remove/")
    dispatch.post([news("k2")], clock.now)
    assert Entry.objects.count() == 1


def test_letters_not_delivered_are_listed_and_sent_again(as_, told, hook, http, people, clock):
    channels.add_routes(people["ops"], topics=["failed"], role="", channel=hook[0])
    dispatch.post([news("one"), news("two")], clock.now)
    http.answers = [404, 404]
    clock.turn()
    clock.turn()
    client = as_("ops")
    assert "It answered 404." in client.get("/notifications/letters/").content.decode()
    listed = told("notifications", "list")
    assert [m["error"] for m in listed["dead"]] == ["It answered 404."] * 2
    ids = [m["id"] for m in listed["dead"]]
    page = client.post("/notifications/letters/resend/", {"letter": [ids[0], "x", ids[0][::-1]]}, follow=True)
    assert "1 of" in page.content.decode() and Message.objects.filter(state="dead").count() == 1
    assert "No letter was chosen" in client.post("/notifications/letters/resend/", follow=True).content.decode()
    assert "manage notification channels" in told("notifications", "resend", "--all", "--as", "viewer", code=1)["error"]
    assert told("notifications", "resend", "--all", "--as", "ops")["resent"] == 1
    assert "--all" in told("notifications", "resend", "--as", "ops", code=2)["error"]
    assert told("notifications", "resend", ids[0], "--as", "ops", code=1)["resent"] == 0
    assert clock.turn(hours=1) == 2
    assert told("notifications", "list") == {"dead": [], "tried_again": [], "stuck": 0}


def test_a_channel_whose_key_is_lost_says_so(hook, people, settings, clock):
    channels.add_routes(people["ops"], topics=["failed"], role="", channel=hook[0])
    dispatch.post([news()], clock.now)
    settings.SECRET_KEY = "another"
    clock.turn()
    assert "Enter it again" in Message.objects.get(state="dead").error


def test_an_odd_value_in_any_field_is_answered(as_, hook):
    client = as_("administrator")
    for odd in ODD:
        for path, fields in (
            (f"{CHANNELS}new/", {"name": "N", "form": "webhook", "address": "https://hooks.example.org/"}),
            (CHANNELS, {"topics": "failed", "role": "viewer"}),
            ("/notifications/mine/", {"wanted": "failed:0", "email": "a@example.org"}),
        ):
            for name in fields:
                assert client.post(path, {**fields, name: odd}).status_code in (200, 302, 422), (path, name)
