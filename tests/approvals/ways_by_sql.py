"""Ways around an approval in raw SQL, as somebody who can write the console's tables: the database refuses them."""

from access import persons, rights
from approvals import gate
from tests.approvals.bypassing import Attempt, Case, adding_to
from tests.approvals.conftest import TWO, approve, insert_decision
from tests.tampering import sql

ATTEMPTS: dict[str, Attempt] = {}
attempt = adding_to(ATTEMPTS)


@attempt
def sql_a_decision_of_who_asked(case: Case) -> object:
    rights.give(case.operator, ["reviewer"])
    return insert_decision(case.request, case.operator)


@attempt
def sql_a_decision_of_the_second_account_under_another_person(case: Case) -> object:
    persons.link(case.operator, case.reviewer)
    return insert_decision(case.request, case.reviewer, person=case.reviewer.pk + 1000)


@attempt
def sql_a_decision_of_somebody_without_the_role(case: Case) -> object:
    return insert_decision(case.request, case.people["viewer"])


@attempt
def sql_a_decision_about_another_digest(case: Case) -> object:
    return insert_decision(case.request, case.reviewer, digest="0" * 64)


@attempt
def sql_two_decisions_of_one_person(case: Case) -> object:
    case.request = case.asked(TWO)
    rights.give(case.reviewer, ["reviewer", "archive admin"])
    approve(case.request, case.reviewer)
    case.mark()
    return insert_decision(case.request, case.reviewer, stage=1, role="archive admin")


@attempt
def sql_a_rejection_turned_into_an_approval(case: Case) -> object:
    gate.decide(case.request, case.reviewer, approve=False, digest=case.request.digest, reason="no")
    case.mark()
    return sql("UPDATE approvals_decision SET verdict = 'approve' WHERE request_id = %s", case.request.pk)


@attempt
def sql_a_rejection_taken_away(case: Case) -> object:
    gate.decide(case.request, case.reviewer, approve=False, digest=case.request.digest, reason="no")
    case.mark()
    return sql("DELETE FROM approvals_decision WHERE request_id = %s", case.request.pk)


@attempt
def sql_the_request_said_approved(case: Case) -> object:
    return sql("UPDATE approvals_request SET state = 'approved' WHERE id = %s", case.request.pk)


@attempt
def sql_the_request_said_an_emergency(case: Case) -> object:
    return sql("UPDATE approvals_request SET state = 'emergency' WHERE id = %s", case.request.pk)


@attempt
def sql_a_rejected_request_opened_again(case: Case) -> object:
    gate.decide(case.request, case.reviewer, approve=False, digest=case.request.digest, reason="no")
    case.mark()
    return sql("UPDATE approvals_request SET state = 'pending' WHERE id = %s", case.request.pk)


@attempt
def sql_the_time_of_the_request_made_longer(case: Case) -> object:
    return sql(
        "UPDATE approvals_request SET expires_at = expires_at + interval '1 year' WHERE id = %s", case.request.pk
    )


@attempt
def sql_the_job_queued(case: Case) -> object:
    return sql("UPDATE jobs_job SET state = 'queued' WHERE id = %s", case.request.job_id)


@attempt
def sql_the_job_said_to_be_asked_for_by_another(case: Case) -> object:
    viewer = case.people["viewer"].pk
    return sql("UPDATE jobs_job SET requested_by_id = %s WHERE id = %s", viewer, case.request.job_id)


@attempt
def sql_the_hands_taken_out_of_the_plan(case: Case) -> object:
    case.request = case.asked(asked_before_by=[case.reviewer.pk])
    case.mark()
    query = "UPDATE jobs_plan SET options = options - 'asked_before_by' WHERE id = %s"
    return sql(query, case.job.plan_id)


@attempt
def sql_the_request_deleted(case: Case) -> object:
    return sql("DELETE FROM approvals_request WHERE id = %s", case.request.pk)


@attempt
def sql_a_request_that_begins_as_approved(case: Case) -> object:
    return sql(
        "INSERT INTO approvals_request (job_id, digest, why, policy, state, created_at, expires_at, escalates_to,"
        " escalated, reminded) SELECT job_id, digest, why, policy, 'approved', now(), expires_at, '', false, 0"
        " FROM approvals_request WHERE id = %s",
        case.request.pk,
    )


@attempt
def sql_in_a_session_that_replicates(case: Case) -> object:
    """Ordinary triggers do not fire there."""
    sql("SET LOCAL session_replication_role = replica")
    return insert_decision(case.request, case.operator)


@attempt
def sql_with_a_temporary_table_in_place_of_the_links(case: Case) -> object:
    persons.link(case.operator, case.reviewer)
    sql("CREATE TEMPORARY TABLE access_account (user_id integer, person_id integer) ON COMMIT DROP")
    return insert_decision(case.request, case.reviewer)
