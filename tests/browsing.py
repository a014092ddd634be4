"""People and programs at the web process of a stack, over the network."""

import json
import urllib.error
import urllib.parse
import urllib.request
from http.cookiejar import CookieJar
from typing import Any


class Browser:
    """Somebody who is logged in."""

    def __init__(self, web: str, name: str) -> None:
        self._web, self._jar = web, CookieJar()
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self._jar))
        self._opener.open(f"{web}/login/").close()
        self.post(f"{web}/login/", username=name, password="pass-word-1")

    def post(self, url: str, **fields: str) -> str:
        """Send a form; the address at which it ends."""
        with self._sent(url, fields) as answer:
            return str(answer.url)

    def page(self, url: str, **fields: str) -> str:
        """Send a form; the page that answers."""
        with self._sent(url, fields) as answer:
            return str(answer.read().decode())

    def _sent(self, url: str, fields: dict[str, str]) -> Any:
        data = urllib.parse.urlencode({**fields, "csrfmiddlewaretoken": self._proof()}).encode()
        request = urllib.request.Request(url, data, {"Referer": url})  # noqa: S310  our own server
        return self._opener.open(request)

    def api(self, path: str, body: Any = None) -> tuple[int, Any]:
        """Status and answer of the API; a POST where there is a body."""
        return _asked(self._opener, f"{self._web}/api/v1/{path}", body, {"X-CSRFToken": self._proof()})

    def _proof(self) -> str:
        return next(cookie.value or "" for cookie in self._jar if cookie.name == "csrftoken")


class Program:
    """What has a token."""

    def __init__(self, web: str, secret: str) -> None:
        self._web, self._headers = web, {"Authorization": f"Token {secret}"}

    def api(self, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        opener = urllib.request.build_opener()
        return _asked(opener, f"{self._web}/api/v1/{path}", body, {**self._headers, **named})


def _asked(opener: Any, url: str, body: Any, headers: dict[str, str]) -> tuple[int, Any]:
    sent = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, sent, {"Content-Type": "application/json", **headers})  # noqa: S310  ours
    try:
        with opener.open(request) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)
