"""Guessing passwords is held off: of an account from one address, and of all accounts from one."""

from datetime import timedelta
from ipaddress import ip_network

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

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
    assert Event.objects.get(action="login held off").detail["name"] == "viewer"


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


def test_what_is_held_off_is_no_further_guess_and_does_not_fill_the_trail(few):
    for _ in range(8):
        guess("viewer", "wrong")
    guess("viewer", "wrong", THERE)
    assert Event.objects.filter(action="login refused").count() == 4
    assert Event.objects.filter(action="login held off").count() == 1


@pytest.mark.parametrize(("name", "held_off"), [("viewer", 429), ("nobody", 429), ("reviewer", 200), ("other", 200)])
def test_it_does_not_tell_which_names_are_accounts(few, monkeypatch, name, held_off):
    for _ in range(3):
        for tried in ("viewer", "nobody"):
            guess(tried, "wrong")
    monkeypatch.setattr(logins, "MOST_WRONG_OF_ALL", 100)
    assert guess(name, "wrong").status_code == held_off
    assert "nobody" not in str(list(Event.objects.values_list("detail", "subject")))


def test_a_guess_holds_up_nobody_who_writes_about_the_account(few):
    """A row that names the account locks its key, which FOR UPDATE would not share."""
    with CaptureQueriesContext(connection) as found:
        guess("viewer", "wrong")
    (lock,) = [query["sql"] for query in found if "FOR " in query["sql"] and "auth_user" in query["sql"]]
    assert lock.endswith("FOR NO KEY UPDATE")


def test_an_address_of_ipv6_is_changed_at_will_but_its_network_is_not(few):
    for number in range(3):
        assert guess("viewer", "wrong", f"2001:db8:0:7::{number}").status_code == 200
    assert guess("viewer", "pass-word-1", "2001:db8:0:7:ffff::1").status_code == 429
    assert guess("viewer", "pass-word-1", "2001:db8:0:8::1").status_code == 302


def test_an_address_of_ipv4_counts_as_itself_however_it_is_written(few):
    for _ in range(3):
        guess("viewer", "wrong", "::ffff:10.0.0.1")
    assert guess("viewer", "pass-word-1", HERE).status_code == 429
    assert guess("viewer", "pass-word-1", "::ffff:10.0.0.2").status_code == 302


@pytest.mark.parametrize("address", ["", "not an address", "fe80::1%eth0"])
def test_an_odd_address_is_an_address(few, address):
    for _ in range(3):
        guess("viewer", "wrong", address)
    assert guess("viewer", "pass-word-1", address).status_code == 429


@pytest.mark.parametrize(
    ("proxies", "forwarded", "address"),
    [
        ("", "10.9.9.9", "127.0.0.1"),
        ("127.0.0.1", "10.9.9.9", "10.9.9.9"),
        ("127.0.0.1", "1.1.1.1, 10.9.9.9", "10.9.9.9"),
        ("127.0.0.0/8 10.0.0.0/8", "1.1.1.1, 2001:db8::1, 10.9.9.9", "2001:db8::1"),
        ("127.0.0.1", "10.9.9.9, unknown", "127.0.0.1"),
        ("127.0.0.1", "", "127.0.0.1"),
        ("10.0.0.7", "10.9.9.9", "127.0.0.1"),
    ],
)
def test_only_a_proxy_of_ours_says_who_spoke_to_it(people, settings, proxies, forwarded, address):
    settings.PROXIES = [ip_network(one) for one in proxies.split()]
    Client().post("/login/", {"username": "viewer", "password": "x"}, HTTP_X_FORWARDED_FOR=forwarded)
    assert Event.objects.get(action="login refused").address == address


def test_an_address_that_is_made_up_is_no_way_round_the_limit(few):
    for number in range(3):
        Client().post("/login/", {"username": "viewer", "password": "x"}, HTTP_X_FORWARDED_FOR=f"10.0.1.{number}")
    answer = Client().post("/login/", {"username": "viewer", "password": "x"}, HTTP_X_FORWARDED_FOR="10.0.2.1")
    assert answer.status_code == 429


def test_the_page_stays_a_page(few):
    odd = guess("viewer\x00", "x" * 5000)
    assert odd.status_code == 200 and guess("", "").status_code == 200
