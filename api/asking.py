"""What can be asked for by POST to jobs/: for each kind its body, and the function that pages and commands call."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib.auth.models import User
from django.http import Http404
from django.utils import timezone
from rest_framework import serializers
from rest_framework.exceptions import ValidationError

from api.models import Token
from api.resources import At, Strict, one_of
from archives import cleaning, keeping, recovering, restore_requests
from archives.restore_requests import Wanted
from jobs.models import Job
from jobs.origin import Origin
from reprocessing import planning, requests, rollback_requests
from reprocessing.planning import Options
from reprocessing.waves import BY, MOST_PAUSE_MINUTES, SHARES, UNTIL_PROMOTED, Rules
from warehouse.connections import connect
from warehouse.restore_classes import ON_NEWER, SKIP
from warehouse.restoring import INTO, STAGING

MOST_RUNS, MOST_NAMED = 100, 2_000
LONGEST_REASON = 500
NO_PATIENT = "everybody who follows the job reads it: name no patient"


@dataclass(frozen=True)
class Asker:
    """Who asks: a person, or a program by their token."""

    user: User
    token: Token | None

    def origin(self) -> Origin | None:
        """What the plan keeps of a token: its owner never decides on the job."""
        return Origin(f"token {self.token.name}", "", self.user) if self.token else None


def _names(longest: int, most: int = MOST_NAMED, **more: Any) -> serializers.ListField:
    return serializers.ListField(child=serializers.CharField(max_length=longest), max_length=most, default=list, **more)


def _tables() -> serializers.ListField:
    return _names(63, 200, help_text="of staging, without the schema; none: all")


def _day(**more: Any) -> serializers.DateField:
    return serializers.DateField(default=None, allow_null=True, **more)


def _reason(**more: Any) -> serializers.CharField:
    least = 0 if more.get("allow_blank") else 1
    return serializers.CharField(min_length=least, max_length=LONGEST_REASON, help_text=NO_PATIENT, **more)


class Waves(Strict):
    shares = serializers.ListField(
        child=serializers.FloatField(),
        max_length=20,
        default=list(SHARES),
        help_text="percent of the records, up to 100",
    )
    by = one_of(*BY, default="file")
    pause_minutes = serializers.IntegerField(
        min_value=UNTIL_PROMOTED, max_value=MOST_PAUSE_MINUTES, default=0, help_text="-1: until somebody promotes"
    )
    failures = serializers.IntegerField(min_value=0, max_value=99, default=0, help_text="failed checks allowed")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        try:
            attrs["rules"] = Rules(tuple(attrs["shares"]), attrs["by"], attrs["pause_minutes"], attrs["failures"])
        except ValueError as error:
            raise ValidationError({"shares": [str(error)]}) from error
        return attrs


class AskReprocess(Strict):
    kind = one_of("reprocess")
    reason = _reason()
    runs = serializers.ListField(child=serializers.UUIDField(), min_length=1, max_length=MOST_RUNS)
    extracts = _names(64, 200, help_text="only these; none: all")
    source = one_of(  # type: ignore[assignment]  # taken out of the class by the library: no attribute
        *planning.SOURCES, default="files", help_text="nothing: quarantine the files"
    )
    which = one_of(*planning.WHICH, default="all")
    since = _day(help_text="extracted on this day (UTC) or later")
    until = _day(help_text="extracted on this day (UTC) or before")
    files = serializers.ListField(
        child=serializers.IntegerField(min_value=1, max_value=2**31 - 1),
        max_length=MOST_NAMED,
        default=None,
        allow_null=True,
        help_text="only these attempts",
    )
    keys = _names(1_024, help_text="only files of these names, in whichever run")
    mode = one_of(*planning.MODES, default="incremental")
    raw_history = one_of(*planning.RAW_HISTORIES, default="supersede", help_text="delete needs an approval")
    declaration = one_of(*planning.DECLARATIONS, default="current", help_text="original: as a dry run only")
    past_breaker = serializers.BooleanField(default=False, help_text="needs an approval")
    past_blackout = _reason(default="", allow_blank=True)
    waves = Waves(default=None, allow_null=True, help_text="null: everything is published at once")
    dry_run = serializers.BooleanField(default=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs["since"] and attrs["until"] and attrs["until"] < attrs["since"]:
            raise ValidationError({"until": ["This day is before the first one."]})
        return attrs


class AskArchive(Strict):
    kind = one_of("archive")
    reason = _reason()
    run = serializers.UUIDField()
    tables = _tables()
    retention_days = serializers.IntegerField(
        min_value=1, max_value=36_500, default=None, allow_null=True, help_text="null: as the rules of retention say"
    )
    cold = serializers.BooleanField(default=False)
    dry_run = serializers.BooleanField(default=False)


class AskRestore(Strict):
    kind = one_of("restore")
    reason = _reason()
    set = serializers.UUIDField()
    tables = _tables()
    into = one_of(*INTO, default=STAGING)
    on_newer = one_of(*ON_NEWER, default=SKIP, help_text="overwrite needs an approval")
    renamed = serializers.DictField(
        child=serializers.CharField(max_length=63, allow_blank=True),
        default=dict,
        help_text="column of the set: its name today, empty to leave it out",
    )
    dry_run = serializers.BooleanField(default=False)


class AskUnpin(Strict):
    kind = one_of("unpin")
    reason = _reason()
    job = serializers.UUIDField(help_text="the restore that keeps rows against raw")


class AskRecover(Strict):
    kind = one_of("recover")
    reason = _reason()
    table = serializers.CharField(max_length=63, help_text="of staging, without the schema")
    at = At(default=None, allow_null=True, help_text="the moment; without a zone: the console's")
    before_job = serializers.UUIDField(default=None, allow_null=True, help_text="just before its first effect")
    run = serializers.UUIDField(default=None, allow_null=True, help_text="only the rows that it owned then")
    into = one_of(*recovering.INTO, default=recovering.SIDE)
    dry_run = serializers.BooleanField(default=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if (attrs["at"] is None) == (attrs["before_job"] is None):
            raise ValidationError({"at": ["Name a moment or a job before which, one of both."]})
        return attrs


class AskCleanup(Strict):
    kind = one_of("cleanup")
    reason = _reason()
    older_than = serializers.IntegerField(
        min_value=0, max_value=36_500, default=None, allow_null=True, help_text="archived more than so many days ago"
    )
    dry_run = serializers.BooleanField(default=False)


class AskRollback(Strict):
    kind = one_of("rollback")
    reason = _reason()
    job = serializers.UUIDField()
    tables = _tables()
    with_later = serializers.BooleanField(default=False, help_text="take later jobs back too, newest first")


class AskRetry(Strict):
    kind = one_of("retry")
    job = serializers.UUIDField()
    past_blackout = _reason(default="", allow_blank=True)


def _reprocess(asker: Asker, given: dict[str, Any]) -> Job:
    options = Options(
        extracts=tuple(given["extracts"]),
        source=given["source"],
        which=given["which"],
        since=given["since"],
        until=given["until"],
        files=None if given["files"] is None else frozenset(given["files"]),
        keys=tuple(given["keys"]),
        mode=given["mode"],
        raw_history=given["raw_history"],
        declaration=given["declaration"],
        past_breaker=given["past_breaker"],
    )
    return requests.ask_reprocess(
        settings.WAREHOUSE_URL,
        given["runs"],
        options,
        reason=given["reason"],
        actor=asker.user,
        dry_run=given["dry_run"],
        origin=asker.origin(),
        past_blackout=given["past_blackout"],
        waves=given["waves"] and given["waves"]["rules"],
    )


def _archive(asker: Asker, given: dict[str, Any]) -> Job:
    return keeping.ask(
        settings.WAREHOUSE_URL,
        given["run"],
        reason=given["reason"],
        actor=asker.user,
        now=timezone.now(),
        tables=given["tables"],
        retention_days=given["retention_days"],
        cold=given["cold"],
        dry_run=given["dry_run"],
        origin=asker.origin(),
    )


def _restore(asker: Asker, given: dict[str, Any]) -> Job:
    wanted = Wanted(given["set"], tuple(given["tables"]), given["into"], given["on_newer"], given["renamed"])
    return restore_requests.ask(
        settings.WAREHOUSE_URL,
        wanted,
        reason=given["reason"],
        actor=asker.user,
        dry_run=given["dry_run"],
        origin=asker.origin(),
    )


def _unpin(asker: Asker, given: dict[str, Any]) -> Job:
    return restore_requests.ask_unpin(
        settings.WAREHOUSE_URL, _job(given["job"]), reason=given["reason"], actor=asker.user, origin=asker.origin()
    )


def _recover(asker: Asker, given: dict[str, Any]) -> Job:
    wanted = recovering.Asked(given["table"], given["at"] or given["before_job"], given["run"], given["into"])
    with connect(settings.WAREHOUSE_URL, purpose="plan") as connection:
        return recovering.ask(
            connection,
            wanted,
            reason=given["reason"],
            actor=asker.user,
            now=timezone.now(),
            dry_run=given["dry_run"],
            origin=asker.origin(),
        )


def _cleanup(asker: Asker, given: dict[str, Any]) -> Job:
    return cleaning.ask(
        settings.WAREHOUSE_URL,
        reason=given["reason"],
        actor=asker.user,
        now=timezone.now(),
        older_than=given["older_than"],
        dry_run=given["dry_run"],
        origin=asker.origin(),
    )


def _rollback(asker: Asker, given: dict[str, Any]) -> Job:
    return rollback_requests.ask(
        settings.WAREHOUSE_URL,
        _job(given["job"]),
        reason=given["reason"],
        actor=asker.user,
        with_later=given["with_later"],
        tables=given["tables"],
        origin=asker.origin(),
    )


def _retry(asker: Asker, given: dict[str, Any]) -> Job:
    return requests.ask_retry(
        settings.WAREHOUSE_URL,
        _job(given["job"]),
        actor=asker.user,
        past_blackout=given["past_blackout"],
        origin=asker.origin(),
    )


def _job(job_id: UUID) -> Job:
    found = Job.objects.select_related("plan").filter(pk=job_id).first()
    if found is None:
        raise Http404(f"There is no job {job_id}.")
    return found


@dataclass(frozen=True)
class Kind:
    """`ask` raises what the function raises that it calls."""

    body: type[Strict]
    ask: Callable[[Asker, dict[str, Any]], Job]


KINDS = {
    "reprocess": Kind(AskReprocess, _reprocess),
    "archive": Kind(AskArchive, _archive),
    "restore": Kind(AskRestore, _restore),
    "unpin": Kind(AskUnpin, _unpin),
    "recover": Kind(AskRecover, _recover),
    "cleanup": Kind(AskCleanup, _cleanup),
    "rollback": Kind(AskRollback, _rollback),
    "retry": Kind(AskRetry, _retry),
}


def kind_of(body: Any) -> Kind:
    """What is asked for. Raises ValidationError."""
    named = body.get("kind") if isinstance(body, dict) else None
    if not isinstance(named, str) or named not in KINDS:
        raise ValidationError({"kind": [f"It must be one of: {', '.join(KINDS)}."]})
    return KINDS[named]
