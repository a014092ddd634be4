"""A hold on an archive set and one on a before-image: the same act, the same forms."""

from dataclasses import dataclass
from uuid import UUID, uuid4

import pytest

from audit.models import Event
from reprocessing import requests
from reprocessing.planning import Options
from tests.archived import archive
from tests.house import House, row
from tests.workers import finished
from warehouse import archive_holds, image_holds
from warehouse.archive_sets import NoSuchSetError
from warehouse.errors import TellableError
from warehouse.holds import Holds, NoSuchHoldError
from warehouse.image_holds import NoImageError

pytestmark = pytest.mark.django_db(databases="__all__")


@dataclass(frozen=True)
class Thing:
    """What can be held. `missing`: what a hold on one that is not there raises."""

    id: UUID
    holds: Holds
    path: str
    subject: str
    kind: str
    missing: type[TellableError]


@pytest.fixture(params=["set", "before-image"])
def thing(request, console: House, people, settings) -> Thing:
    run = console.deliver("20260105", row("1"))
    if request.param == "set":
        made = archive(console, run)
        subject = f"archiveset:{made}"
        return Thing(made, archive_holds.HOLDS, f"/archives/{made}/", subject, "archive", NoSuchSetError)
    console.write("20260105", row("1", fee="77"))
    asked = requests.ask_reprocess(settings.WAREHOUSE_URL, [run], Options(), reason="r", actor=people["operator"])
    job = finished(asked).pk
    path = f"/archives/before-images/{job}/"
    return Thing(job, image_holds.HOLDS, path, f"job:{job}", "before-image", NoImageError)


def effects(house: House):
    return house.connection.execute(
        "SELECT action, job_id, detail->>'set', actor, (detail->>'hold')::int, detail->>'reason', detail->>'why'"
        " FROM restage.effects WHERE action LIKE '%hold' ORDER BY at"
    ).fetchall()


def test_a_hold_stands_until_it_is_released_once(thing: Thing, console: House):
    connection = console.connection
    first = thing.holds.place(connection, thing.id, reason="a case", actor="keeper")
    second = thing.holds.place(connection, thing.id, reason="another", actor="keeper")
    thing.holds.release(connection, thing.id, first, why="settled", actor="judge")
    stands, over = thing.holds.of(connection, thing.id)
    assert (stands.hold_id, stands.reason, stands.released_at) == (second, "another", None)
    assert (over.hold_id, over.placed_by, over.released_by, over.released_why) == (first, "keeper", "judge", "settled")
    for hold in (first, second + 1):
        with pytest.raises(NoSuchHoldError):
            thing.holds.release(connection, thing.id, hold, why="again", actor="judge")
    assert thing.holds.stand(connection, thing.id)
    thing.holds.release(connection, thing.id, second, why="settled", actor="judge")
    assert not thing.holds.stand(connection, thing.id)
    with pytest.raises(thing.missing):
        thing.holds.place(connection, uuid4(), reason="a case", actor="keeper")
    about = (None, str(thing.id)) if thing.kind == "archive" else (thing.id, None)
    assert effects(console) == [
        ("place hold", *about, "keeper", first, "a case", None),
        ("place hold", *about, "keeper", second, "another", None),
        ("release hold", *about, "judge", first, None, "settled"),
        ("release hold", *about, "judge", second, None, "settled"),
    ]


def test_it_is_placed_and_released_by_form_with_right_and_reason(thing: Thing, as_):
    path, admin = thing.path, as_("archive admin")
    assert as_("operator").post(f"{path}holds/", {"reason": "a case"}).status_code == 403
    assert admin.get(f"{path}holds/").status_code == 405
    assert "Nothing was held" in admin.post(f"{path}holds/", {"reason": " "}, follow=True).content.decode()
    assert "On hold:" in admin.post(f"{path}holds/", {"reason": "a case"}, follow=True).content.decode()
    page = admin.get(path)
    assert "On hold since" in page.content.decode() and "Release this hold" in page.content.decode()
    assert "Release this hold" not in as_("viewer").get(path).content.decode()
    assert "On hold" in admin.get("/archives/", {"kind": thing.kind, "held": "yes"}).content.decode()
    (hold,) = page.context["holds"]
    release = f"{path}holds/{hold.hold_id}/release/"
    assert as_("operator").post(release, {"reason": "settled"}).status_code == 403
    assert admin.get(release).status_code == 405
    assert "Nothing was released" in admin.post(release, {"reason": ""}, follow=True).content.decode()
    assert "Released by archive admin" in admin.post(release, {"reason": "settled"}, follow=True).content.decode()
    assert "does not stand any more" in admin.post(release, {"reason": "again"}, follow=True).content.decode()
    told = Event.objects.filter(subject=thing.subject, action__startswith="hold").order_by("pk")
    assert [(event.action, event.detail["reason"]) for event in told] == [
        ("hold placed", "a case"),
        ("hold released", "settled"),
    ]


def test_by_command(thing: Thing, told):
    of = ("--set" if thing.kind == "archive" else "--job", str(thing.id))
    placed = told("holds", "place", *of, "--reason", "a case", "--as", "archive admin")
    (listed,) = told("holds", "list", "--as", "viewer")["holds"]
    assert (listed["hold"], listed[of[0].lstrip("-")], listed["reason"]) == (placed["hold"], of[1], "a case")
    assert "Your roles do not let" in told("holds", "place", *of, "--reason", "r", "--as", "viewer", code=1)["error"]
    assert (
        "say why"
        in told("holds", "release", *of, str(placed["hold"]), "--reason", " ", "--as", "archive admin", code=2)["error"]
    )
    release = ("holds", "release", *of, str(placed["hold"]), "--reason", "settled", "--as", "archive admin")
    assert told(*release)["stands"] is False
    assert "does not stand any more" in told(*release, code=1)["error"]
    assert told("holds", "list", "--as", "viewer")["holds"] == []
