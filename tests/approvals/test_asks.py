"""A plan that itself knows a reason for a decision asks for it."""

from typing import Any

import pytest

from approvals import rules
from jobs import kinds
from jobs.kinds import Kind, Preview
from jobs.models import Job, Plan

SMALL = {"tables": {}, "records": 1, "estimate_seconds": 1.0}
HUGE = {"tables": {}, "records": 10**9, "estimate_seconds": 1e6}


@pytest.fixture(autouse=True)
def _kinds() -> None:
    for name, by_size in (("measured", True), ("unmeasured", False)):
        kinds.register(
            Kind(
                name,
                name.title(),
                False,
                lambda run: Preview([], [], SMALL),
                lambda run: {},
                lambda connection, job: None,
                asks_by_size=by_size,
            )
        )


def why(kind: str, *, options: Any = None, preview: Any = None) -> list[str]:
    return rules.why(Job(kind=kind, plan=Plan(kind=kind, options=options or {}, preview=preview or SMALL)))


def test_without_a_reason_nobody_is_asked() -> None:
    assert why("measured") == []


def test_reasons_of_the_options_and_of_the_preview_ask() -> None:
    asked = why("measured", options={"asks": ["one"]}, preview={**SMALL, "asks": ["two"]})
    assert asked == ["one", "two"]


def test_only_a_kind_that_is_measured_asks_by_size() -> None:
    assert len(why("measured", preview=HUGE)) == 2
    assert why("unmeasured", preview=HUGE) == []
    assert why("unmeasured", options={"asks": ["one"]}) == ["one"]
