"""Load runs as the pages list them: their state told truly, the bad ones first."""

from typing import Any

from django.db.models import (
    BooleanField,
    Case,
    CharField,
    Count,
    Exists,
    F,
    IntegerField,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Sum,
    Value,
    When,
)
from django.db.models.functions import Coalesce, Now

from access import days
from warehouse.discovery import SILENT_FOR
from warehouse.models import LoadRun, LoadRunFile, StagingRun

STATES = ("failed", "stuck", "completed with failures", "running", "completed", "cancelled", "rolled_back")


def listed() -> QuerySet[LoadRun, Any]:
    """Runs with `state`, `files_failed`, `files_all`, `read`, `rejected`, `replaced`; failed first, then newest.

    `state` is the run's status, except: completed with files that failed and count still, and running but silent for
    two hours, its files too ("stuck"). `rejected` counts records refused on reading and by the transform.
    """
    files = LoadRunFile.objects.filter(load_run=OuterRef("pk")).order_by().values("load_run")
    bad = files.filter(status="failed", superseded_at__isnull=True)
    staging = StagingRun.objects.filter(load_run_id=OuterRef("pk"), status="completed").order_by().values("load_run_id")
    heard = LoadRunFile.objects.filter(load_run=OuterRef("pk"), updated_at__gte=Now() - Value(SILENT_FOR))
    told = LoadRun.objects.annotate(
        files_all=_of(files.annotate(n=Count("pk")), "n"),
        files_failed=_of(bad.annotate(n=Count("pk")), "n"),
        files_replaced=_of(files.filter(superseded_at__isnull=False).annotate(n=Count("pk")), "n"),
        read=_of(files.annotate(n=Sum("rows_read")), "n"),
        rejected=_of(files.annotate(n=Sum("rows_rejected")), "n")
        + _of(staging.annotate(n=Sum("total_rows_rejected")), "n"),
        silent=Case(
            When(Q(updated_at__lt=Now() - Value(SILENT_FOR)) & ~Exists(heard), then=Value(True)),
            default=Value(False),
            output_field=BooleanField(),
        ),
    )
    told = told.annotate(
        state=Case(
            When(status="running", silent=True, then=Value("stuck")),
            When(status="completed", files_failed__gt=0, then=Value("completed with failures")),
            default=F("status"),
            output_field=CharField(),
        )
    )
    rank = Case(
        *(When(state=state, then=Value(place)) for place, state in enumerate(STATES[:3])),
        default=Value(9),
        output_field=IntegerField(),
    )
    return told.annotate(rank=rank).order_by("rank", "-created_at", "pk")


def _of(rows: QuerySet[Any, Any], column: str) -> Coalesce:
    return Coalesce(Subquery(rows.values(column)[:1], output_field=IntegerField()), Value(0))


def filtered(rows: QuerySet[LoadRun, Any], wanted: dict[str, Any]) -> QuerySet[LoadRun, Any]:
    """Only the runs that fit every given filter: state, extract and practice (of one and the same file), since and
    until (days of the console on which it was loaded, inclusive)."""
    if wanted.get("state"):
        rows = rows.filter(Q(("state", wanted["state"])))
    of = {"extract_type": wanted.get("extract"), "practice_id": wanted.get("practice")}
    if given := {name: value for name, value in of.items() if value}:
        rows = rows.filter(Exists(LoadRunFile.objects.filter(load_run=OuterRef("pk"), **given)))
    return rows.filter(days.between("created_at", wanted.get("since"), wanted.get("until")))
