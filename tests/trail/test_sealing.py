"""The sealed trail: what is added stays as it was, and who changes it all the same is found out."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import psycopg
import pytest
from django.contrib.auth.models import User
from django.db import connection, transaction
from django.db.utils import ProgrammingError
from django.utils import timezone
from pytest_django import Settings

from audit import sealing, verification
from audit.models import Event, Seal
from audit.transitions import record, write
from tests.stack import eventually

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def place(settings: Settings, tmp_path: Path) -> Path:
    settings.AUDIT_HEADS = [str(tmp_path / "heads")]
    return tmp_path / "heads" / "heads.jsonl"


@pytest.fixture
def trail() -> list[int]:
    """Twelve events in three seals; their ids."""
    user = User.objects.create(username="olivia")
    for number in range(12):
        record(user, f"act {number}", user, {"reason": "a test", "number": number})
        if number % 4 == 3:
            sealed()
    return list(Event.objects.order_by("id").values_list("pk", flat=True))


def sealed() -> Seal:
    """The next seal, of all that there is; a transaction that is open anywhere on the server makes it wait."""
    newest = Event.objects.order_by("-tx").values_list("tx", flat=True)[0]
    eventually(lambda: _over(newest))
    return cast(Seal, sealing.seal().seal)


def _over(tx: Any) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_snapshot_xmin(pg_current_snapshot())::text::numeric > %s", [tx])
        return bool(cursor.fetchone()[0])


def by_force(query: str, *values: Any) -> None:
    """What one can do who owns the database: the triggers go off first."""
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE audit_event DISABLE TRIGGER ALL")
        cursor.execute("ALTER TABLE audit_seal DISABLE TRIGGER ALL")
        cursor.execute(query, values)
        for table in ("audit_event", "audit_seal"):
            cursor.execute(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER audit_rows")
        cursor.execute("ALTER TABLE audit_event ENABLE ALWAYS TRIGGER audit_tx")


def found() -> list[tuple[str, int | None]]:
    return [(one.kind, one.event) for one in verification.verify().findings]


def test_a_trail_that_nobody_touched_is_whole(trail: list[int]) -> None:
    verdict = verification.verify()
    assert (verdict.whole, verdict.events, verdict.seals, verdict.unsealed) == (True, 12, 3, 0)


def test_what_is_not_sealed_yet_is_counted(trail: list[int]) -> None:
    write(None, "another", "job:1")
    verdict = verification.verify()
    assert (verdict.whole, verdict.unsealed) == (True, 1)


@pytest.mark.parametrize("verb", ["UPDATE audit_event SET action = 'x'", "DELETE FROM audit_event"])
def test_the_database_refuses_changes(trail: list[int], verb: str) -> None:
    with pytest.raises(ProgrammingError, match="only added to"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(verb)


def test_sessions_that_replicate_are_refused_too(trail: list[int]) -> None:
    with pytest.raises(ProgrammingError, match="only added to"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute("DELETE FROM audit_event")


def test_the_transaction_is_noted_by_the_database(trail: list[int]) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        event = write(None, "an act", "job:1")
        cursor.execute("SELECT tx = pg_current_xact_id()::text::numeric FROM audit_event WHERE id = %s", [event.pk])
        assert cursor.fetchone() == (True,)


EDITS = {
    "action": "'act x'",
    "actor_name": "'rewi'",
    "on_behalf_of": "'rewi'",
    "how": "'page'",
    "subject": "'job:9'",
    "result": "'refused'",
    "detail": "'{}'",
    "at": "at - interval '1 second'",
    "address": "'10.0.0.1'",
    "request_id": "'other'",
    "effect": "77",
    "tx": "tx - 1",
    "actor_id": "NULL",
}


def test_an_edit_of_any_field_is_found(trail: list[int]) -> None:
    for field, value in EDITS.items():
        with transaction.atomic():
            by_force(f"UPDATE audit_event SET {field} = {value} WHERE id = %s", trail[5])
            assert found() == [("edited", trail[5])], field
            transaction.set_rollback(True)
        assert found() == []


def test_every_field_is_tried() -> None:
    assert {field.attname for field in Event._meta.fields} - set(EDITS) == {"id"}


def test_a_deletion_is_found(trail: list[int]) -> None:
    by_force("DELETE FROM audit_event WHERE id = ANY(%s)", [trail[6], trail[9]])
    assert found() == [("deleted", trail[6]), ("deleted", trail[9])]


def test_an_insertion_is_found_with_any_transaction_it_claims(trail: list[int]) -> None:
    copy = (
        "INSERT INTO audit_event (id, at, actor_name, on_behalf_of, how, action, subject, result, detail, address,"
        " request_id, tx) SELECT {id}, {at}, actor_name, on_behalf_of, how, 'forged', subject, result, detail, address,"
        " request_id, tx + {later} FROM audit_event WHERE id = %s"
    )
    by_force(copy.format(id=-5, at="at", later=0), trail[4])
    by_force(copy.format(id=-4, at="at - interval '1 day'", later=1_000_000), trail[4])
    assert found() == [("inserted", -5), ("inserted", -4)]


def test_one_that_is_put_in_with_an_old_time_and_sealed_is_found(trail: list[int]) -> None:
    event = write(None, "forged", "job:1")
    by_force("UPDATE audit_event SET at = at - interval '7 hours' WHERE id = %s", event.pk)
    sealed()
    assert found() == [("inserted", event.pk)]


def test_a_change_of_order_is_found(trail: list[int]) -> None:
    a, b = trail[4], trail[6]
    by_force("UPDATE audit_event SET id = -id WHERE id IN (%s, %s)", a, b)
    by_force("UPDATE audit_event SET id = %s WHERE id = %s", a, -b)
    by_force("UPDATE audit_event SET id = %s WHERE id = %s", b, -a)
    assert found() == [("reordered", a), ("reordered", b)]


def test_emptying_it_is_found(trail: list[int]) -> None:
    by_force("TRUNCATE audit_event")
    assert found() == [("truncated", trail[0])]


def test_emptying_it_with_its_seals_is_found(trail: list[int]) -> None:
    by_force("TRUNCATE audit_event, audit_seal")
    assert found() == [("cut", trail[0])]


def test_a_tail_that_is_cut_off_with_its_seal_is_found(trail: list[int]) -> None:
    by_force("DELETE FROM audit_event WHERE id > %s", trail[7])
    by_force("DELETE FROM audit_seal WHERE number = 3")
    assert found() == [("cut", trail[8])]


def test_a_whole_rewrite_with_another_key_is_found(trail: list[int], settings: Settings) -> None:
    _rewrite(trail, settings, key="guessed", place="elsewhere")
    assert found()[0] == ("rewritten", trail[0])


def test_a_whole_rewrite_with_the_very_key_is_found_by_the_heads(trail: list[int], settings: Settings) -> None:
    _rewrite(trail, settings, key=settings.AUDIT_KEY, place="elsewhere")
    assert found() == [("rewritten", trail[0])]


def _rewrite(trail: list[int], settings: Settings, *, key: str, place: str) -> None:
    """Change the first event and make every seal anew."""
    kept = settings.AUDIT_KEY, settings.AUDIT_HEADS
    settings.AUDIT_KEY, settings.AUDIT_HEADS = key, []
    by_force("UPDATE audit_event SET actor_name = 'rewi' WHERE id = %s", trail[0])
    by_force("TRUNCATE audit_seal")
    sealed()
    settings.AUDIT_KEY, settings.AUDIT_HEADS = kept


def test_a_seal_that_is_taken_out_of_the_middle_is_found(trail: list[int], settings: Settings) -> None:
    settings.AUDIT_HEADS = []
    by_force("DELETE FROM audit_seal WHERE number = 2")
    kinds = dict(found())
    assert kinds["cut"] == trail[8]


def test_a_changed_seal_is_found(trail: list[int]) -> None:
    by_force("UPDATE audit_seal SET ranges = '[[1, 2]]' WHERE number = 2")
    assert ("rewritten", 1) in found()


def test_a_place_that_lost_its_heads_is_told(trail: list[int], place: Path) -> None:
    place.write_text(place.read_text().splitlines()[0] + "\n")
    late = verification.verify(now=timezone.now())
    assert late.whole  # the newest seal may not have been sent yet
    by_force("UPDATE audit_seal SET at = at - interval '1 hour'")
    assert [kind for kind, _event in found()] == ["place"]


def test_a_place_that_holds_something_else_is_told(trail: list[int], place: Path) -> None:
    place.write_text("not a head\n")
    assert [kind for kind, _event in found()] == ["place"]


def test_a_place_that_was_away_gets_what_it_lacks(trail: list[int], place: Path, settings: Settings) -> None:
    kept, settings.AUDIT_HEADS = settings.AUDIT_HEADS, [str(place)]  # a file is no folder
    write(None, "an act", "job:1")
    sealed()
    assert sealing.tell()
    settings.AUDIT_HEADS = kept
    assert sealing.tell() == {}
    assert [json.loads(line)["number"] for line in place.read_text().splitlines()] == [1, 2, 3, 4]


def test_what_an_open_transaction_has_written_waits_for_the_next_seal(trail: list[int]) -> None:
    """An event with a lower id that is committed later is in the next seal, and none is sealed twice or never."""
    with _another() as other:
        other.execute(
            "INSERT INTO audit_event (at, actor_name, on_behalf_of, how, action, subject, result, detail, address,"
            " request_id) VALUES (now(), 'x', '', '', 'slow', 'job:1', 'done', '{}', '', '')"
        )
        write(None, "quick", "job:2")
        assert sealing.seal().seal is None
        other.execute("COMMIT")
    made = sealed()
    assert made.events == 2
    assert verification.verify().whole
    assert sum(Seal.objects.values_list("events", flat=True)) == Event.objects.count()


def _another() -> psycopg.Connection:
    """A session of its own, in a transaction."""
    known = connection.settings_dict
    return psycopg.connect(
        host=known["HOST"], port=known["PORT"], user=known["USER"], password=known["PASSWORD"], dbname=known["NAME"]
    )


def test_on_another_server_sealing_goes_on(trail: list[int]) -> None:
    """Its transactions count from the beginning again."""
    by_force("UPDATE audit_seal SET below = 1e15 WHERE number = 3")
    write(None, "an act", "job:1")
    made = sealed()
    assert made.events == 1


def test_old_enough_and_unsealed_is_told(trail: list[int]) -> None:
    write(None, "an act", "job:1")
    late = timezone.now() + timedelta(hours=1)
    assert eventually(lambda: verification.verify(now=late).findings)[0].kind == "inserted"


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    yield
    connection.close()
