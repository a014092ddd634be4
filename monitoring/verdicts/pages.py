"""The pages of quality: every extract, the history of one, and the verdict on a file with what people say to it."""

from itertools import groupby

from django.conf import settings
from django.contrib import messages
from django.core.paginator import Paginator
from django.db import transaction
from django.db.models import Count, Q
from django.http import Http404, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from access import rights
from access.rights import Asked
from audit import trail
from audit.transitions import StateChangedError
from monitoring.quality.verdict import LEAST_BATCHES
from monitoring.verdicts import answering, scores, suspending
from monitoring.verdicts.answering import NoAnswerError
from monitoring.verdicts.models import QualityVerdict
from warehouse import registry, suspensions
from warehouse.connections import connect
from warehouse.models import LoadRunFile

SHOWN = 60  # verdicts of one feed in a drawing
PAGE_ROWS = 50
CHANNELS = {
    "proof": "Proof: needs no statistics",
    "invariant": "Was the same in every file before",
    "drift": "Unusual against the history",
}


@require_safe
@rights.requires(rights.SEE)
def quality(request: Asked) -> HttpResponse:
    """Alarms that nobody has answered, and every extract with the course of its scores."""
    counted = {
        row["extract"]: row
        for row in QualityVerdict.objects.order_by("extract")
        .values("extract")
        .annotate(
            files=Count("pk"),
            alarms=Count("pk", filter=Q(level__in=QualityVerdict.ALARMS)),
            waiting=Count("pk", filter=Q(level__in=QualityVerdict.ALARMS, state=QualityVerdict.State.OPEN)),
        )
    }
    latest = {name: _latest(name) for name in sorted(counted)}
    shown = [
        {**counted[name], "scores": scores.drawn_small(those), "last": those[-1]} for name, those in latest.items()
    ]
    waiting = QualityVerdict.objects.waiting().order_by("-judged_at")
    with connect(settings.WAREHOUSE_URL, purpose="quality page") as connection:
        suspended = suspensions.standing(connection)
    return render(
        request,
        "quality/list.html",
        {
            "waiting": waiting[:PAGE_ROWS],
            "waiting_count": waiting.count(),
            "extracts": shown,
            "unjudged": [name for name in registry.current().names if name not in counted],
            "least": LEAST_BATCHES,
            "suspended": suspended.values(),
        },
    )


def _latest(extract: str, feed: str | None = None) -> list[QualityVerdict]:
    found = QualityVerdict.objects.filter(extract=extract)
    found = found if feed is None else found.filter(feed=feed)
    return list(found.order_by("-extracted_at", "-load_run_file_id")[:SHOWN])[::-1]


@require_safe
@rights.requires(rights.SEE)
def of_extract(request: Asked, extract: str) -> HttpResponse:
    """The scores of each feed, and all its verdicts as a table."""
    if extract not in registry.current():
        raise Http404("There is no such extract.")
    found = QualityVerdict.objects.filter(extract=extract)
    feeds = sorted(set(found.order_by("feed").values_list("feed", flat=True).distinct()[:20]))
    latest = {feed: _latest(extract, feed) for feed in feeds}
    page = Paginator(found.order_by("-extracted_at", "-load_run_file_id"), PAGE_ROWS).get_page(request.GET.get("page"))
    with connect(settings.WAREHOUSE_URL, purpose="quality page") as connection:
        suspended = suspensions.standing(connection).get(extract)
        former = [one for one in suspensions.of(connection, extract) if one.resumed_at]
        by_itself = extract in suspensions.suspending_themselves(connection)
    return render(
        request,
        "quality/extract.html",
        {
            "extract": extract,
            "feeds": [(feed, scores.drawn(verdicts), verdicts) for feed, verdicts in latest.items()],
            "page": page,
            "suspended": suspended,
            "former": former,
            "by_itself": by_itself,
            "may_suspend": rights.may(request.user, rights.SUSPEND),
        },
    )


@require_safe
@rights.requires(rights.SEE)
def of_file(request: Asked, file: int) -> HttpResponse:
    """What was found, by channel, and the answers."""
    verdict = get_object_or_404(QualityVerdict.objects.select_related("answered_by"), load_run_file_id=file)
    return render(request, "quality/file.html", _about(request, verdict))


def _about(request: Asked, verdict: QualityVerdict) -> dict[str, object]:
    delivered = LoadRunFile.objects.select_related("superseded_by").filter(pk=verdict.load_run_file_id).first()
    counts = delivered is not None and delivered.status == "completed" and delivered.superseded_at is None
    found = sorted(verdict.findings, key=lambda one: list(CHANNELS).index(one["channel"]))
    return {
        "verdict": verdict,
        "delivered": delivered,
        "may_quarantine": counts and rights.may(request.user, rights.REPROCESS),
        "channels": [
            (CHANNELS[channel], list(those)) for channel, those in groupby(found, key=lambda one: one["channel"])
        ],
        "answers": [answer for answer in answering.ANSWERS if answer != verdict.state],
        "may_answer": rights.may(request.user, rights.ANSWER_VERDICTS),
        "events": trail.story([f"qualityverdict:{verdict.pk}"]),
    }


@require_POST
@rights.requires(rights.ANSWER_VERDICTS)
def answer(request: Asked, file: int) -> HttpResponseBase:
    verdict = get_object_or_404(QualityVerdict, load_run_file_id=file)
    said = request.POST.get("answer", "")
    try:
        with transaction.atomic():
            answering.answer(verdict, said, request.user, reason=request.POST.get("reason", ""), now=timezone.now())
            resumed = suspending.after_answer(settings.WAREHOUSE_URL, verdict, request.user)
        told = "Later files are compared with it." if verdict.counts else "Later files are not compared with it."
        if resumed:
            told += f" The loading of {verdict.extract}, which it had suspended, goes on."
        messages.success(request, f"Answered: {QualityVerdict.State(said).label.lower()}. {told}")
    except NoAnswerError as error:
        messages.error(request, str(error))
    except StateChangedError:
        messages.warning(request, "That is its answer already. Nothing was changed.")
    return redirect(verdict)
