"""Where OpenLineage events go: files and HTTP services, each by the official client."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

from warehouse.on_use import OnUse

if TYPE_CHECKING:
    from openlineage import client as openlineage
    from openlineage.client import OpenLineageClient
    from openlineage.client.event_v2 import RunEvent
else:
    openlineage = OnUse("openlineage.client")

HTTP = ("http", "https")
TIMEOUT_SECONDS = 5.0
ENDPOINT = "api/v1/lineage"
PASSING = (401, 403, 404, 408, 429)  # of the answers that refuse: what somebody can put right, so it is tried again


class NotSentError(OSError):
    """A place did not take an event; it will be tried again."""


class RefusedError(Exception):
    """A place has said that it will never take this event."""


@dataclass(frozen=True)
class Place:
    """`address`: a file, or an http(s) URL, with the endpoint where that is not the usual one."""

    address: str
    key: str = ""

    @property
    def is_http(self) -> bool:
        return urlsplit(self.address).scheme in HTTP

    @property
    def id(self) -> str:
        return hashlib.sha256(self.address.encode()).hexdigest()

    @property
    def shown(self) -> str:
        """The address without user, password and query."""
        parts = urlsplit(self.address)
        if not self.is_http:
            return self.address[:200]
        host = parts.hostname or ""
        return urlunsplit((parts.scheme, f"{host}:{parts.port}" if parts.port else host, parts.path, "", ""))[:200]

    def client(self) -> OpenLineageClient:
        """It sends at once and tries nothing twice: the cursor does. Nothing of this machine is added to events."""
        return openlineage.OpenLineageClient(config={"transport": self._transport(), "facets": _QUIET})

    def send(self, client: OpenLineageClient, event: RunEvent) -> None:
        """Raises NotSentError, RefusedError; neither holds what the place has answered."""
        try:
            client.emit(event)
        except OSError as error:  # requests' own are of this kind
            status = getattr(getattr(error, "response", None), "status_code", None)
            if status is not None and 400 <= status < 500 and status not in PASSING:
                raise RefusedError(f"It answers {status}.") from None
            raise NotSentError(f"It answers {status}." if status else f"{type(error).__name__}.") from None
        except RuntimeError as error:
            raise NotSentError(f"{type(error.__cause__ or error).__name__}.") from None

    def _transport(self) -> dict[str, Any]:
        if not self.is_http:
            path = Path(self.address.removeprefix("file://"))
            path.parent.mkdir(parents=True, exist_ok=True)
            return {"type": "file", "log_file_path": str(path), "append": True}
        parts = urlsplit(self.address)
        made: dict[str, Any] = {
            "type": "http",
            "url": urlunsplit((parts.scheme, parts.netloc, "/", "", "")),
            "endpoint": parts.path.strip("/") or ENDPOINT,
            "timeout": TIMEOUT_SECONDS,
            "retry": {"total": 0, "read": 0, "connect": 0, "status_forcelist": []},
        }
        return made | ({"auth": {"type": "api_key", "apiKey": self.key}} if self.key else {})


_QUIET = {"environment_variables": [], "source_code_location": {"disabled": True}}
