"""A signed POST to a URL that somebody has entered: to the address that was checked, without redirects, in little time.

The receiver can tell that it comes from this console, that nothing was changed, and when it was sent; and, as the id
stays the same at every try, that it has it already.
"""

import hashlib
import hmac
import http.client
import json
import socket
import ssl
import threading
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from notifications import hosts
from notifications.delivery import UndeliveredError
from notifications.letters import Letter

MOST_SECONDS = 10.0  # from the first packet to the last
MOST_BYTES = 64 << 10  # of what is sent
AGAIN = (408, 425, 429)


@dataclass(frozen=True)
class Hook:
    url: str
    secret: str


def problem(url: str) -> str:
    """Why a URL cannot be a webhook's ("": it can)."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return "It is no URL."
    if parts.scheme not in ("https", "http") or not parts.hostname or port == 0:
        return "A URL like https://hooks.example.org/restage is needed."
    if parts.username or parts.password:
        return "A name and password in the URL would be sent in clear; the signature says who sends."
    if parts.scheme == "http" and not hosts.allowed(parts.hostname):
        return "It must begin with https://: only hosts that RESTAGE_NOTIFY_HOSTS names may be asked without."
    if any(ord(letter) <= 32 or ord(letter) > 126 for letter in url):
        return "It has a letter that no URL has."
    return ""


def body_of(letter: Letter) -> bytes:
    said = {
        "id": letter.id,
        "event": letter.topic,
        "state": letter.state,
        "count": letter.count,
        "title": letter.subject,
        "lines": list(letter.lines),
        "url": letter.url,
    }
    return json.dumps(said, ensure_ascii=False).encode()[:MOST_BYTES]


def signature(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    signed = f"{message_id}.{timestamp}.".encode() + body
    return "v1=" + hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()


def post(hook: Hook, letter: Letter, *, timestamp: int) -> str:
    """Deliver; what the receiver answered. Raises UndeliveredError."""
    if wrong := problem(hook.url):
        raise UndeliveredError(wrong, permanent=True)
    parts = urlsplit(hook.url)
    body = body_of(letter)
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "Restage",
        "Restage-Id": letter.id,
        "Restage-Timestamp": str(timestamp),
        "Restage-Signature": signature(hook.secret, letter.id, timestamp, body),
        "Connection": "close",
    }
    return _judged(_status(parts, body, headers))


def _status(parts: SplitResult, body: bytes, headers: dict[str, str]) -> int:
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    connection = _Pinned(host, port, address=hosts.check(host, port), tls=parts.scheme == "https")
    timer = threading.Timer(MOST_SECONDS, connection.cut)
    timer.daemon = True
    timer.start()
    try:
        target = parts._replace(scheme="", netloc="", fragment="", path=parts.path or "/").geturl()
        connection.request("POST", target, body=body, headers=headers)
        return connection.getresponse().status
    except ssl.SSLError:
        raise UndeliveredError("Its certificate is not one for this host, or cannot be trusted.") from None
    except (OSError, http.client.HTTPException) as error:
        raise UndeliveredError(
            f"It could not be reached, or did not answer in time ({type(error).__name__})."
        ) from None
    finally:
        timer.cancel()
        connection.close()


def _judged(status: int) -> str:
    if 200 <= status < 300:
        return f"It answered {status}."
    if 300 <= status < 400:
        raise UndeliveredError(f"It answered {status}: redirects are not followed.", permanent=True)
    permanent = 400 <= status < 500 and status not in AGAIN
    raise UndeliveredError(f"It answered {status}.", permanent=permanent)


class _Pinned(http.client.HTTPConnection):
    """A connection to the one address that was checked; the certificate must be the host's."""

    def __init__(self, host: str, port: int, *, address: str, tls: bool) -> None:
        super().__init__(host, port, timeout=MOST_SECONDS / 2)
        self._address, self._tls = address, tls

    def connect(self) -> None:
        self.sock = socket.create_connection((self._address, self.port), self.timeout)
        if self._tls:
            self.sock = ssl.create_default_context().wrap_socket(self.sock, server_hostname=self.host)

    def cut(self) -> None:
        """End it at once: whoever answers a byte now and then does not hold up everybody else."""
        sock = self.sock
        if sock is not None:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
