"""A program asks by its token, somebody else approves, a worker carries it out, the program reads what became of it:
with the real processes, over the network."""

from concurrent.futures import ThreadPoolExecutor

from tests.browsing import Browser, Program
from tests.house import row
from tests.stack import Stack, eventually

PEOPLE = """
from django.contrib.auth.models import User; from access import rights
for name, roles in (("olivia", ["operator", "reviewer"]), ("rewi", ["reviewer"])):
    rights.give(User.objects.create_user(name, password="pass-word-1"), roles)
"""


def test_a_token_asks_another_person_approves_and_the_token_reads_the_outcome(stack: Stack):
    run = str(stack.house.deliver("20260105", row("1"), row("2")))
    stack.house.write("20260105", row("1", fee="11"), row("2"))
    stack.shell(PEOPLE)
    web = stack.web()
    olivia, rewi = Browser(web, "olivia"), Browser(web, "rewi")
    made = olivia.page(f"{web}/account/tokens/", name="nightly", scope="ask", days="30")
    program = Program(web, next(word for word in made.replace('"', " ").split() if word.startswith("restage_")))

    asked = {"kind": "reprocess", "reason": "fees were wrong", "runs": [run], "past_breaker": True}
    with ThreadPoolExecutor(8) as pool:  # as a program whose connection is cut sends it again and again
        answers = list(pool.map(lambda _time: program.api("jobs/", asked, Idempotency_Key="january"), range(8)))
    assert sorted(status for status, _told in answers) == [200] * 7 + [201]
    (job,) = {told["id"] for _status, told in answers}
    assert stack.console("SELECT count(*) FROM jobs_job") == [(1,)]

    stack.worker()
    eventually(lambda: stack.job_is(job, "awaiting approval"))
    _status, told = program.api(f"jobs/{job}/")
    assert told["approval"]["state"] == "pending" and told["tables"]["visits"]["updated"] == 1
    verdict = {"verdict": "approve", "digest": told["plan_digest"], "reason": "as agreed"}
    assert program.api(f"approvals/{job}/decision/", verdict)[0] == 403
    status, refused = olivia.api(f"approvals/{job}/decision/", verdict)
    assert status == 409 and "You had a hand in asking" in refused["detail"]
    (waiting,) = rewi.api("approvals/?show=mine")[1]["results"]
    assert rewi.api(f"approvals/{waiting['job']}/decision/", verdict)[0] == 200
    eventually(lambda: stack.job_is(job, "succeeded"))

    _status, told = program.api(f"jobs/{job}/")
    assert (told["state"], told["asked_by"], told["approval"]["approved_by"]) == (
        "succeeded",
        "token nightly",
        ["rewi"],
    )
    assert program.api(f"runs/{told['new_load_runs'][0]}/")[1]["run"]["records_read"] == 2
    assert stack.house.staged()["1"][0] == "11.00" and stack.house.violations() == 0
    assert stack.console("SELECT detail->>'token' FROM audit_event WHERE action = 'job requested'") == [("nightly",)]
    assert stack.command("audit", "verify")["whole"]
