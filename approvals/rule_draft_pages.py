"""The draft of the rules: its editor, its test on past jobs, and the decision about it."""

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from access import persons, rights
from access.rights import Asked
from approvals import confirming, rule_backtest, rule_versions, rule_warnings, rule_words
from approvals.confirming import NotConfirmedError
from approvals.forms import RulesDecisionForm
from approvals.rule_forms import RuleForm
from approvals.rule_models import RuleVersion
from approvals.rule_pages import readable, worded
from approvals.rule_terms import Rule
from approvals.rule_versions import CannotChangeRulesError, InForce
from audit.transitions import StateChangedError

State = RuleVersion.State


@require_safe
@rights.requires(rights.SEE)
def draft(request: Asked) -> HttpResponseBase:
    """The draft or proposal: its rules, what they change, and what they would have done with past jobs."""
    found = rule_versions.open_one()
    if found is None:
        return redirect("rules")
    return _shown(request, found, RulesDecisionForm(initial={"digest": found.digest}))


def _shown(request: Asked, found: RuleVersion, form: RulesDecisionForm) -> HttpResponse:
    """The page of the draft; with status 422 where the decision in `form` could not be taken."""
    rules, current = readable(found), rule_versions.in_force()
    own = persons.person_of(request.user) in persons.of(found.authors).values()
    return render(
        request,
        "approvals/rule_draft.html",
        {
            "draft": found,
            "readable": rules is not None,
            "rules": [worded(rule) for rule in rules or ()],
            "current": current,
            "differences": rule_words.differences(current.rules, rules or ()),
            "warnings": rule_warnings.warnings(rules or (), rule_warnings.known()),
            "test": rule_backtest.back_test(current, InForce(0, rules or ()), timezone.now()),
            "writers": ", ".join(user.get_username() for user in found.writers()),
            "may_manage": rights.may(request.user, rights.MANAGE_RULES),
            "may_decide": rights.may(request.user, rights.DECIDE) and not own,
            "own": own,
            "form": form,
            "asks_password": bool(form["password"].errors) or confirming.needed(request.session, timezone.now()),
        },
        status=422 if form.errors else 200,
    )


@require_POST
@rights.requires(rights.MANAGE_RULES)
def begin(request: Asked) -> HttpResponseBase:
    """A draft with the rules in force."""
    try:
        rule_versions.begin(request.user, timezone.now())
    except CannotChangeRulesError as error:
        messages.warning(request, str(error))
    return redirect("rule_draft")


@require_http_methods(["GET", "HEAD", "POST"])
@rights.requires(rights.MANAGE_RULES)
def edit(request: Asked, key: str = "") -> HttpResponseBase:
    """The form of a new rule of the draft, or of one that it has."""
    found = _draft_or_404()
    rule = _rule_or_404(found, key) if key else None
    form = RuleForm(request.POST or None, rule=rule)
    if request.method == "POST" and form.is_valid():
        act = rule_versions.change if key else rule_versions.add
        try:
            act(found, request.user, form.made(), revision=_revision(request))
            return redirect("rule_draft")
        except CannotChangeRulesError as error:
            form.add_error(None, str(error))
    refused = request.method == "POST" and bool(form.errors)
    context = {"form": form, "rule": rule, "draft": found, "revision": _revision(request) or found.revision}
    return render(request, "approvals/rule_form.html", context, status=422 if refused else 200)


@require_POST
@rights.requires(rights.MANAGE_RULES)
def remove(request: Asked, key: str) -> HttpResponseBase:
    found = _draft_or_404()
    return _done(request, lambda: rule_versions.remove(found, request.user, key, revision=_revision(request)))


@require_POST
@rights.requires(rights.MANAGE_RULES)
def reorder(request: Asked) -> HttpResponseBase:
    """`order`: every key, in the order that there shall be; or `move`: one key and up or down."""
    found = _draft_or_404()
    keys = [rule.key for rule in readable(found) or ()]
    wanted = request.POST.get("order", "").split() or _moved(keys, request.POST.get("move", ""))
    return _done(request, lambda: rule_versions.reorder(found, request.user, wanted, revision=_revision(request)))


def _moved(keys: list[str], move: str) -> list[str]:
    """The keys with one of them a place up or down; as they are, where it is at the end or not there."""
    key, _space, where = move.partition(" ")
    place = keys.index(key) if key in keys else 0
    to = place + {"up": -1, "down": 1}.get(where, 0)
    if key in keys and 0 <= to < len(keys):
        keys[place], keys[to] = keys[to], keys[place]
    return keys


@require_POST
@rights.requires(rights.MANAGE_RULES)
def drop(request: Asked) -> HttpResponseBase:
    found = rule_versions.open_one()
    if found is None:
        return _over(request)
    return _done(
        request,
        lambda: rule_versions.drop(found, request.user, revision=_revision(request)),
        "The draft is dropped.",
        to="rules",
    )


@require_POST
@rights.requires(rights.MANAGE_RULES)
def propose(request: Asked) -> HttpResponseBase:
    """Needs a reason, and the draft as its writer has seen it."""
    found, reason = rule_versions.open_one(), request.POST.get("reason", "")[:500]
    if found is None:
        return _over(request)
    return _done(
        request,
        lambda: rule_versions.propose(
            found, request.user, reason=reason, revision=_revision(request), now=timezone.now()
        ),
        "Proposed. It takes effect when somebody accepts it who had no hand in it.",
    )


@require_POST
@rights.requires(rights.MANAGE_RULES)
def take_back(request: Asked) -> HttpResponseBase:
    found = rule_versions.open_one()
    if found is None:
        return _over(request)
    return _done(request, lambda: rule_versions.take_back(found, request.user), "It is a draft again.")


@require_POST
@rights.requires(rights.DECIDE)
def decide(request: Asked) -> HttpResponseBase:
    """Accept the proposal that was shown (`digest`), or send it back with a note; by who shows that it is them."""
    found, form = rule_versions.open_one(), RulesDecisionForm(request.POST)
    if found is None:
        return _over(request)
    if not form.is_valid() or not _confirmed(request, form):
        return _shown(request, found, form)
    said, digest = form.cleaned_data, form.cleaned_data["digest"]
    if said["verdict"] == "accept":
        return _done(
            request,
            lambda: rule_versions.accept(found, request.user, digest=digest, now=timezone.now()),
            "The rules are in force. Requests that wait keep the policy under which they were made.",
            to="rules",
        )
    return _done(
        request,
        lambda: rule_versions.send_back(found, request.user, digest=digest, note=said["note"]),
        "Sent back: it is a draft again.",
    )


def _confirmed(request: Asked, form: RulesDecisionForm) -> bool:
    """Whether they have shown that it is them; else the form says what to do."""
    try:
        confirming.confirm(request.user, request.session, form.cleaned_data["password"], now=timezone.now())
    except NotConfirmedError as error:
        form.add_error("password", str(error))
        return False
    return True


def _done(request: HttpRequest, act: Any, told: str = "", *, to: str = "rule_draft") -> HttpResponseBase:
    """Do it and say so, or say why not."""
    try:
        act()
    except (CannotChangeRulesError, StateChangedError) as error:
        messages.error(request, str(error))
        return redirect("rule_draft")
    if told:
        messages.success(request, told)
    return redirect(to)


def _over(request: HttpRequest) -> HttpResponseBase:
    """The answer to a second click, or to a page of before: what it was about is in force or dropped."""
    messages.warning(request, "There is no draft and no proposal of the rules any more. Nothing was changed.")
    return redirect("rules")


def _draft_or_404() -> RuleVersion:
    found = rule_versions.open_one()
    if found is None:
        raise Http404("There is no draft of the approval rules.")
    if found.state != State.DRAFT or readable(found) is None:
        raise Http404("The rules are proposed: take the proposal back to change it.")
    return found


def _rule_or_404(found: RuleVersion, key: str) -> Rule:
    rule = next((each for each in found.parsed if each.key == key), None)
    if rule is None:
        raise Http404("The draft has no such rule any more.")
    return rule


def _revision(request: HttpRequest) -> int:
    """The revision of the draft that was shown; 0 where it is no number."""
    text = request.POST.get("revision", "")
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 9 else 0
