"""The rules that Restage comes with, as they stand in the first version."""

from datetime import datetime
from typing import Any

from approvals import rule_digest

MOST_RECORDS = 100_000
MOST_SECONDS = 2 * 3600
SUM_HOURS = 24


def ship(versions: Any, now: datetime) -> None:
    """Make them the first version, where there is none and never was. `versions`: the manager of RuleVersion."""
    if not versions.exists():
        made = versions.model(number=1, state="in force", rules=shipped(), begun_at=now, decided_at=now)
        made.reason = "The rules that Restage comes with."
        made.digest = rule_digest.of(made)
        made.save()


def shipped() -> list[dict[str, Any]]:
    """Destructive, more than 100,000 records, more than 2 h, more than 100,000 records in many jobs; else none."""
    return [
        _rule("destructive", "Destructive", _ASK, destructive=True),
        _rule("many-records", "Many records", _ASK, records={"over": MOST_RECORDS, "up_to": None}),
        _rule("long", "Long", _ASK, seconds={"over": MOST_SECONDS, "up_to": None}),
        _rule("many-jobs", "Many records in many jobs", _ASK, summed={"over": MOST_RECORDS, "hours": SUM_HOURS}),
        _rule("else", "Everything else", _NONE),
    ]


_ASK = {
    "act": "ask",
    "stages": [{"groups": ["reviewer", "administrator"], "approvals": 1}],
    "in_sequence": True,
    "words": "",
}
_NONE = {"act": "no approval", "stages": [], "in_sequence": True, "words": ""}
_ANY_JOB: dict[str, Any] = {
    "records": None,
    "seconds": None,
    "summed": None,
    "destructive": None,
    "kinds": [],
    "tables": [],
    "extracts": [],
    "roles": [],
    "environments": [],
    "window": None,
}


def _rule(key: str, name: str, outcome: dict[str, Any], **conditions: Any) -> dict[str, Any]:
    return {"key": key, "name": name, "outcome": outcome, "conditions": {**_ANY_JOB, **conditions}}
