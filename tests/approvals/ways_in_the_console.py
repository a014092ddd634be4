"""Ways around an approval by page, by API and by what has become of people, policies and time since."""

import json
from dataclasses import replace
from datetime import timedelta

from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from access import persons, rights
from approvals import breaking_glass, gate
from approvals.models import Request
from approvals.policy import Stage
from jobs import submission
from jobs.models import Job, Plan
from tests.approvals.bypassing import Attempt, Case, adding_to
from tests.approvals.conftest import ONE, PASSWORD, TWO, approve
from tests.tampering import sql, unguarded

ATTEMPTS: dict[str, Attempt] = {}
attempt = adding_to(ATTEMPTS)

# What is decided about is another plan.


@attempt
def a_forged_digest(case: Case) -> object:
    return case.post(case.reviewer, digest="0" * 64)


@attempt
def no_digest(case: Case) -> object:
    return case.post(case.reviewer, digest="")


@attempt
def the_digest_in_capitals(case: Case) -> object:
    return case.post(case.reviewer, digest=case.request.digest.upper())


@attempt
def a_stale_page_of_the_former_plan(case: Case) -> object:
    return case.post(case.reviewer, digest=case.asked(reason="an earlier one").digest)


@attempt
def the_form_of_another_request_replayed(case: Case) -> object:
    other = case.asked(scope="another")
    approve(other, case.reviewer)
    case.mark()
    return case.post(case.people["reviewer2"], digest=other.digest)


@attempt
def the_plan_changed_before_the_decision(case: Case) -> object:
    with unguarded("jobs_plan"):
        Plan.objects.filter(pk=case.job.plan_id).update(reason="Something else.")
    case.mark()
    return case.post(case.reviewer)


@attempt
def the_plan_and_its_digest_changed_before_the_decision(case: Case) -> object:
    plan = case.job.plan
    plan.reason = "Something else."
    with unguarded("jobs_plan"):
        Plan.objects.filter(pk=plan.pk).update(reason=plan.reason, digest=plan.computed_digest())
    case.mark()
    return case.post(case.reviewer, digest=plan.computed_digest())


@attempt
def the_plan_changed_after_the_approval(case: Case) -> object:
    case.approved()
    with unguarded("jobs_plan"):
        Plan.objects.filter(pk=case.job.plan_id).update(included=[{"file": 2, "key": "b.csv", "extract": "Visits"}])
    case.mark()
    return case.begins()


@attempt
def the_plan_and_its_digest_changed_after_the_approval(case: Case) -> object:
    plan = case.approved().plan
    plan.included = [{"file": 2, "key": "b.csv", "extract": "Visits"}]
    with unguarded("jobs_plan"):
        Plan.objects.filter(pk=plan.pk).update(included=plan.included, digest=plan.computed_digest())
    case.mark()
    return case.begins()


@attempt
def sql_a_job_given_another_jobs_approval(case: Case) -> object:
    """Raw SQL turns an approved request over to a job that waits."""
    other = case.asked()
    approve(other, case.reviewer)
    case.mark()
    return sql("UPDATE approvals_request SET job_id = %s WHERE id = %s", case.request.job_id, other.pk)


# How it is sent.


@attempt
def by_a_link(case: Case) -> object:
    client = Client()
    client.force_login(case.reviewer)
    return client.get(f"/jobs/{case.request.job_id}/decision/?verdict=approve&digest={case.request.digest}").status_code


@attempt
def without_a_csrf_token(case: Case) -> object:
    return case.post(case.reviewer, client=Client(enforce_csrf_checks=True))


@attempt
def a_verdict_that_is_none(case: Case) -> object:
    return case.post(case.reviewer, verdict="APPROVE")


@attempt
def a_second_submit_of_the_same_form(case: Case) -> object:
    case.approved()
    case.mark()
    return case.post(case.reviewer)


@attempt
def without_the_password_when_the_login_is_old(case: Case) -> object:
    return case.post(case.reviewer, password="")


@attempt
def with_a_wrong_password(case: Case) -> object:
    return case.post(case.reviewer, password="pass-word-2")


@attempt
def by_guessing_passwords_until_one_fits(case: Case) -> object:
    for guess in range(5):
        case.post(case.reviewer, password=f"guess {guess}")
    return case.post(case.reviewer)


# By the API.


@attempt
def by_a_token_of_a_reviewer(case: Case) -> object:
    return case.api(Client(), token=case.token(case.reviewer))


@attempt
def by_a_token_beside_the_session_of_a_reviewer(case: Case) -> object:
    return case.api(case.logged_in(case.reviewer), token=case.token(case.reviewer))


@attempt
def by_a_token_at_the_form(case: Case) -> object:
    headers = {"Authorization": f"Token {case.token(case.reviewer)}"}
    form = {"digest": case.request.digest, "verdict": "approve", "password": PASSWORD}
    answer = Client().post(f"/jobs/{case.request.job_id}/decision/", form, headers=headers)
    return 403 if answer.headers["Location"].startswith("/login/") else answer.status_code


@attempt
def by_the_api_without_a_csrf_token(case: Case) -> object:
    return case.api(case.logged_in(case.reviewer, checked=True))


@attempt
def by_the_api_without_the_password_when_the_login_is_old(case: Case) -> object:
    return case.api(case.logged_in(case.reviewer), password="")


@attempt
def by_the_api_with_a_forged_digest(case: Case) -> object:
    return case.api(case.logged_in(case.reviewer), digest="0" * 64)


@attempt
def by_the_api_with_a_key_more(case: Case) -> object:
    return case.api(case.logged_in(case.reviewer), person="7")


# Who decides.


@attempt
def by_who_asked(case: Case) -> object:
    rights.give(case.operator, ["operator", "administrator"])
    return case.post(case.operator)


@attempt
def by_a_second_account_of_who_asked(case: Case) -> object:
    persons.link(case.operator, case.reviewer)
    return case.post(case.reviewer)


@attempt
def by_a_third_account_linked_through_the_second(case: Case) -> object:
    persons.link(case.people["viewer"], case.operator)
    persons.link(case.reviewer, case.people["viewer"])
    return case.post(case.reviewer)


@attempt
def by_the_owner_of_the_schedule_that_asked(case: Case) -> object:
    case.request = case.asked(origin={"told": "schedule", "path": "/", "authors": [case.reviewer.pk]})
    case.mark()
    return case.post(case.reviewer)


@attempt
def by_who_asked_for_the_job_that_this_one_retries(case: Case) -> object:
    case.request = case.asked(asked_before_by=[case.reviewer.pk])
    case.mark()
    return case.post(case.reviewer)


@attempt
def by_one_person_for_both_stages(case: Case) -> object:
    case.request = case.asked(TWO)
    approve(case.request, case.reviewer)
    rights.give(case.reviewer, ["reviewer", "archive admin"])
    case.mark()
    return case.post(case.reviewer)


@attempt
def by_one_person_with_two_accounts_for_both_stages(case: Case) -> object:
    case.request = case.asked(TWO)
    approve(case.request, case.reviewer)
    persons.link(case.reviewer, case.people["archive admin"])
    case.mark()
    return case.post(case.people["archive admin"])


@attempt
def the_second_stage_before_the_first(case: Case) -> object:
    case.request = case.asked(TWO)
    case.mark()
    return case.post(case.people["archive admin"])


@attempt
def by_somebody_whom_the_policy_does_not_name(case: Case) -> object:
    return case.post(case.people["operator"])


@attempt
def by_a_deactivated_account(case: Case) -> object:
    User.objects.filter(pk=case.reviewer.pk).update(is_active=False)
    approve(case.request, User.objects.get(pk=case.reviewer.pk))
    return "it was approved"


# When, and by which policy.


@attempt
def after_it_has_expired(case: Case) -> object:
    Request.objects.filter(pk=case.request.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    case.mark()
    return case.post(case.reviewer)


@attempt
def after_it_was_rejected(case: Case) -> object:
    gate.decide(case.request, case.reviewer, approve=False, digest=case.request.digest, reason="no")
    case.mark()
    return case.post(case.people["reviewer2"])


@attempt
def sql_a_policy_made_weaker_meanwhile(case: Case) -> object:
    weaker = replace(ONE, stages=(Stage(("operator", "viewer")),)).as_json()
    return sql("UPDATE approvals_request SET policy = %s::jsonb WHERE id = %s", json.dumps(weaker), case.request.pk)


@attempt
def by_a_policy_that_was_taken_away(case: Case) -> object:
    with unguarded("approvals_request"):
        Request.objects.filter(pk=case.request.pk).update(policy={})
    case.mark()
    return case.post(case.reviewer)


@attempt
def the_job_queued_past_the_triggers(case: Case) -> object:
    with unguarded("jobs_job"):
        Job.objects.filter(pk=case.request.job_id).update(state=Job.State.QUEUED)
    case.mark()
    return case.begins()


# What becomes of an approval afterwards.


@attempt
def approved_by_an_account_that_was_deactivated_since(case: Case) -> object:
    case.approved()
    User.objects.filter(pk=case.reviewer.pk).update(is_active=False)
    case.mark()
    return case.begins()


@attempt
def approved_by_one_who_has_left_the_group_since(case: Case) -> object:
    case.approved()
    rights.give(case.reviewer, ["operator"])
    case.mark()
    return case.begins()


@attempt
def approved_by_who_turns_out_to_have_asked(case: Case) -> object:
    case.approved()
    persons.link(case.reviewer, case.operator)
    case.mark()
    return case.begins()


@attempt
def an_approval_left_lying_for_too_long(case: Case) -> object:
    case.approved()
    with unguarded("approvals_request"):
        Request.objects.filter(pk=case.request.pk).update(valid_until=timezone.now() - timedelta(seconds=1))
    case.mark()
    return case.begins()


@attempt
def the_approval_of_a_job_used_for_its_retry(case: Case) -> object:
    case.approved()
    retry = case.asked(retry_of=str(case.request.job_id))
    case.mark()
    return case.begins(retry.job)


@attempt
def sql_the_approval_used_twice(case: Case) -> object:
    case.approved()
    Job.objects.filter(pk=case.request.job_id).update(state=Job.State.SUCCEEDED)
    case.mark()
    return sql("UPDATE jobs_job SET state = 'queued' WHERE id = %s", case.request.job_id)


@attempt
def a_part_that_does_more_than_the_approved_whole(case: Case) -> object:
    whole = case.approved()
    preview = {"tables": {"visits": {"deleted": 9}}, "records": 1, "estimate_seconds": 1.0}
    plan = Plan(kind=whole.kind, reason="x", options={**whole.plan.options, "wave": 1})
    part = submission.submit(plan, case.operator, parent=whole)
    plan.freeze(included=[], excluded=[], preview=preview)
    case.mark()
    return case.begins(part)


@attempt
def an_emergency_without_a_second_factor(case: Case) -> object:
    return breaking_glass.let_through(
        case.request, case.people["on call"], digest=case.request.digest, reason="x" * 30, token="000000"
    )
