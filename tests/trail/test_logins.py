"""Guessing passwords is held off: of an account from one address, and of all accounts from one."""

from datetime import timedelta

import pytest
from django.test import Client

from audit.models import Event
from config import logins

pytestmark = pytest.mark.django_db(databases="__all__")
HERE, THERE = "10.0.0.1", "10.0.0.2"


def guess(name: str, password: str, address: str = HERE):
    return Client().post("/login/", {"username": name, "password": password}, REMOTE_ADDR=address)


@pytest.fixture
def few(people, monkeypatch):
    monkeypatch.setattr(logins, "MOST_WRONG", 3)
    monkeypatch.setattr(logins, "MOST_WRONG_OF_ALL", 6)


def test_too_many_wrong_passwords_hold_off_the_right_one_here_and_not_there(few):
    for _ in range(3):
        assert guess("viewer", "wrong").status_code == 200
    held = guess("viewer", "pass-word-1")
    assert held.status_code == 429 and "Too many wrong passwords from here" in held.content.decode()
    assert guess("viewer", "pass-word-1", THERE).status_code == 302
    assert guess("reviewer", "pass-word-1").status_code == 302
    assert Event.objects.get(action="login held off").detail == {"name": "viewer"}


def test_it_is_over_after_some_minutes(few, monkeypatch):
    for _ in range(3):
        guess("viewer", "wrong")
    monkeypatch.setattr(logins, "WITHIN", timedelta(0))
    assert guess("viewer", "pass-word-1").status_code == 302


def test_many_names_from_one_address_are_held_off_as_well(few):
    for number in range(6):
        assert guess(f"nobody-{number}", "wrong").status_code == 200
    assert guess("viewer", "pass-word-1").status_code == 429
    assert guess("viewer", "pass-word-1", THERE).status_code == 302


def test_what_is_held_off_is_no_further_guess(few):
    for _ in range(8):
        guess("viewer", "wrong")
    assert Event.objects.filter(action="login refused").count() == 3
    assert Event.objects.filter(action="login held off").count() == 5


def test_the_page_stays_a_page(few):
    odd = guess("viewer\x00", "x" * 5000)
    assert odd.status_code == 200 and guess("", "").status_code == 200
