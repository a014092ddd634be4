"""The digest of a set of rules: whoever writes the database without the trail's key cannot make one that fits."""

import hmac
import json
from typing import Protocol

from django.conf import settings


class Version(Protocol):
    """A RuleVersion, as it is now or as it was when a migration ran."""

    number: int | None
    rules: list[object]
    authors: list[int]
    decided_by_id: int | None
    digest: str


def of(version: Version) -> str:
    """Keyed, over its rules and who wrote them; of one that was ever in force over its number and who accepted it,
    too: a draft that was turned down, or a former version, cannot be passed off as the one in force."""
    said = {
        "rules": version.rules,
        "authors": version.authors,
        "number": version.number,
        "accepted by": version.decided_by_id if version.number else None,
    }
    told = json.dumps(said, sort_keys=True, separators=(",", ":"))
    return hmac.new(settings.AUDIT_KEY.encode(), b"restage: approval rules\n" + told.encode(), "sha256").hexdigest()


def fits(version: Version) -> bool:
    return hmac.compare_digest(of(version), version.digest)
