"""What a seal holds of an event: a digest over all that it says, made with a key that the database never sees."""

import hashlib
import hmac
import json
from collections.abc import Sequence
from datetime import UTC
from decimal import Decimal
from typing import Any

from audit.models import Event

SIZE = 16  # bytes of a leaf: the half of a SHA-256
FIELDS = (
    *("id", "at", "actor_id", "actor_name", "on_behalf_of", "how", "action", "subject", "result", "detail"),
    *("address", "request_id", "effect", "tx"),
)
Ranges = list[list[int]]


def leaf(key: bytes, event: Event, *, number: int | None = None) -> bytes:
    """The digest of an event; as if it were event `number`, where that is given."""
    said = {name: _plain(getattr(event, name)) for name in FIELDS}
    if number is not None:
        said["id"] = number
    text = json.dumps(said, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hmac.new(key, text.encode(), hashlib.sha256).digest()[:SIZE]


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return int(value)
    return value.astimezone(UTC).isoformat(timespec="microseconds") if hasattr(value, "astimezone") else value


def head(key: bytes, *, number: int, former: str, below: int, ranges: Ranges, leaves: bytes) -> str:
    """What a seal and all seals before it come down to."""
    text = json.dumps([number, former, below, ranges, hashlib.sha256(leaves).hexdigest()], separators=(",", ":"))
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


def ranges_of(ids: Sequence[int]) -> Ranges:
    """[3, 4, 5, 9] → [[3, 5], [9, 9]]; the ids ascend."""
    found: Ranges = []
    for number in ids:
        if found and found[-1][1] == number - 1:
            found[-1][1] = number
        else:
            found.append([number, number])
    return found


def ids_of(ranges: Ranges) -> list[int]:
    return [number for first, last in ranges for number in range(first, last + 1)]
