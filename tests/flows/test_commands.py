"""The same way by command line, in processes of its own."""

from tests.house import row
from tests.stack import Stack, eventually


def test_load_reprocess_verify(stack: Stack):
    house = stack.house
    house.write("20260105", row("1"), row("2"))
    (loaded,) = stack.command("warehouse", "load", str(house.folder))["load_runs"]
    house.write("20260105", row("1"), row("2", fee="12"))
    answer = stack.command("reprocess", loaded["load_run_id"], "--reason", "one row", "--wait")
    assert (answer["state"], answer["tables"]["visits"]["updated"]) == ("succeeded", 1)
    assert stack.command("jobs", "show", answer["job"])["tables"] == answer["tables"]
    assert stack.command("warehouse", "verify")["violations"] == 0
    house.connection.execute("UPDATE stg.visits SET fee = 0")
    assert stack.command("warehouse", "verify", code=1)["tables"]["visits"]["different"] == 2


def test_a_worker_process_takes_the_job_and_stops_when_told(stack: Stack):
    run = stack.house.deliver("20260105", row("1"))
    worker = stack.worker()
    job = stack.command("reprocess", str(run), "--reason", "a real worker")["job"]
    eventually(lambda: stack.job_is(job, "succeeded"))
    assert stack.console("SELECT worker <> '' FROM jobs_job") == [(True,)]
    assert stack.end(worker) == 0


def test_a_lost_queue_loses_no_job(stack: Stack):
    run = stack.house.deliver("20260105", row("1"))
    job = stack.command("reprocess", str(run), "--reason", "the queue is wiped")["job"]
    assert stack.console("DELETE FROM django_q_ormq RETURNING 1") == [(1,)]
    stack.console("UPDATE jobs_job SET created_at = created_at - interval '1 min' RETURNING 1")
    stack.worker()
    eventually(lambda: stack.job_is(job, "succeeded"))


def test_a_message_delivered_ten_times_has_one_effect(stack: Stack):
    run = stack.house.deliver("20260105", row("1"))
    job = stack.command("reprocess", str(run), "--reason", "ten times")["job"]
    stack.console(
        "INSERT INTO django_q_ormq (key, payload, lock) SELECT key, payload, lock FROM django_q_ormq,"
        " generate_series(1, 9) RETURNING 1"
    )
    stack.worker()
    eventually(lambda: stack.job_is(job, "succeeded"))
    eventually(lambda: stack.console("SELECT count(*) FROM django_q_ormq") == [(0,)])
    assert stack.house.connection.execute("SELECT count(*) FROM restage.effects").fetchone() == (1,)
