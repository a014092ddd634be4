"""Programs with tokens, and people with the session of a browser, at the API."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from api import schema, tokens
from api.models import Token
from tests.api.described import Checked

V1 = "/api/v1/"


class Caller:
    """Asks the API in JSON; every answer is compared with its description."""

    def __init__(self, client: Client, token: Token | None = None, secret: str = "") -> None:
        self._client, self.token = client, token
        self._headers = {"Authorization": f"Token {secret}"} if secret else {}
        self._checked = Checked(schema.described())

    def get(self, path: str, status: int = 200, **filters: Any) -> Any:
        return self._told(self._client.get(V1 + path, filters, headers=self._headers), "get", path, status)

    def post(self, path: str, body: Any = None, status: int = 200, **headers: str) -> Any:
        return self.send("post", path, body, status, **headers)

    def send(self, method: str, path: str, body: Any = None, status: int = 200, **headers: str) -> Any:
        """`body`: as JSON, or a text as it is."""
        sent = "" if method == "get" else "{}" if body is None else body if isinstance(body, str) else json.dumps(body)
        named = {**self._headers, **{name.replace("_", "-"): value for name, value in headers.items()}}
        asked = self._client.generic(method.upper(), V1 + path, sent, content_type="application/json", headers=named)
        return self._told(asked, method, path, status)

    def _told(self, answer: Any, method: str, path: str, status: int) -> Any:
        assert answer.status_code == status, answer.content.decode()
        assert answer.headers["X-Request-ID"] and answer.headers["Cache-Control"] == "no-store"
        said = answer.json()
        self._checked.answer(method, path, answer, said)
        self.headers = answer.headers
        return said


@pytest.fixture
def person(people) -> Callable[[str], Caller]:
    """Somebody who has just logged in, at the API."""

    def made(name: str) -> Caller:
        client = Client()
        client.post("/login/", {"username": name, "password": "pass-word-1"})
        return Caller(client)

    return made


@pytest.fixture
def program(people) -> Callable[..., Caller]:
    """A program with a token of somebody's."""

    def made(owner: str, scope: str = "ask", days: int = 30) -> Caller:
        name = f"{scope} {days} {Token.objects.count()}"
        token, secret = tokens.give(people[owner], name=name, scope=scope, days=days, now=timezone.now())
        return Caller(Client(), token, secret)

    return made
