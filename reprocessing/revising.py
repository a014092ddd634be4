"""A new plan in place of one that was sent back, turned down, withdrawn or never decided: linked to it, with what was
said about it. Nobody who had a hand in the former plan decides on the new one."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from django.contrib.auth.models import User

from access import rights
from approvals.models import Request
from jobs import submission
from jobs.models import Job, Plan
from reprocessing import planning, requests, rollback_requests, rolling_back
from reprocessing.planning import CannotPlanError, Options
from reprocessing.waves import UNTIL_PROMOTED, Rules
from warehouse.restoring import RESTORE

ENDED = (Request.State.CHANGES, Request.State.REJECTED, Request.State.WITHDRAWN, Request.State.VOID)
RIGHTS = {
    planning.REPROCESS: rights.REPROCESS,
    planning.ROLLOUT: rights.REPROCESS,
    planning.QUARANTINE: rights.REPROCESS,
    rolling_back.NAME: rights.ROLL_BACK,
    RESTORE: rights.RESTORE,
}
LEFT_BEHIND = ("confirmed", "times", "again_of", "shown_by", "follows", "asked_before_by")


def why_not(former: Job, user: User) -> str:
    """Why this person cannot make a new plan in place of the job's ("": they can)."""
    if former.parent_id or former.kind not in RIGHTS:
        return f"A {former.kind} is asked for anew where it was asked for."
    if not rights.may(user, RIGHTS[former.kind]):
        return f"Your roles do not let you {RIGHTS[former.kind]}."
    if former.active or not Request.objects.filter(job=former, state__in=ENDED).exists():
        return "Only a plan that was sent back, turned down, withdrawn or never decided gets another in its place."
    return ""


def by_form(former: Job) -> bool:
    """Whether its scope can be chosen anew; else only its reason."""
    return former.kind in planning.KINDS


def initial(former: Job) -> dict[str, Any]:
    """What the form of a reprocessing shows at first: what was asked for before."""
    options = Options.from_json(former.plan.options)
    return {
        "source": options.source,
        "which": options.which,
        "extracts": list(options.extracts),
        "only_files": sorted(options.files or ()),
        "since": options.since,
        "until": options.until,
        "mode": options.mode,
        "raw_history": options.raw_history,
        "declaration": options.declaration,
        "past_breaker": options.past_breaker,
        "reason": former.plan.reason,
    }


def initial_waves(former: Job) -> dict[str, Any]:
    """The same of the form of its waves."""
    options = former.plan.options
    if former.kind != planning.ROLLOUT:
        return {"publish": "once"}
    pause = options["pause_minutes"]
    return {
        "publish": "waves",
        "shares": ", ".join(f"{share:g}" for share in options["waves"]),
        "wave_by": options["wave_by"],
        "between": "ask" if pause == UNTIL_PROMOTED else "wait" if pause else "go on",
        "minutes": pause if pause > 0 else None,
        "failures": options["failures"],
    }


def files(former: Job) -> list[tuple[int, str]]:
    """The files that it was about, by their names."""
    return [(item["file"], item["key"]) for item in (*former.plan.included, *former.plan.excluded)]


def reprocess(
    url: str, former: Job, options: Options, *, reason: str, actor: User, waves: Rules | None, past_blackout: str
) -> Job:
    """Plan a reprocessing of the same load runs anew. Raises what ask_reprocess raises."""
    _demand(former, actor)
    before = Options.from_json(former.plan.options)
    narrowed = replace(options, keys=before.keys, retry_of=before.retry_of)
    return requests.ask_reprocess(
        url,
        former.plan.load_runs,
        narrowed,
        reason=reason,
        actor=actor,
        waves=waves,
        past_blackout=past_blackout,
        follows=former,
    )


def as_before(url: str, former: Job, *, reason: str, actor: User) -> Job:
    """Plan a rollback or a restore anew, of the same scope as things are now. Raises what asking for it raises."""
    _demand(former, actor)
    if former.kind == rolling_back.NAME and former.undoes is not None:
        options = former.plan.options
        return rollback_requests.ask(
            url,
            former.undoes,
            reason=reason,
            actor=actor,
            with_later=len(options["jobs"]) > 1,
            tables=options["tables"],
            follows=former,
        )
    options = {**_kept(former.plan.options), **submission.in_place_of(former)}
    included = [dict(item) for item in former.plan.included]
    return submission.submit(Plan(kind=former.kind, reason=reason, options=options, included=included), actor)


def _kept(options: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if name not in LEFT_BEHIND}


def _demand(former: Job, actor: User) -> None:
    if former.kind in RIGHTS:
        rights.demand(actor, RIGHTS[former.kind])
    if why := why_not(former, actor):
        raise CannotPlanError(f"{why} Nothing was asked for.")
