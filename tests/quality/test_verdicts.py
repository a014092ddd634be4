"""Files get verdicts, people answer them, rules and waves act on them: over a real warehouse."""

from datetime import date, timedelta

import pandas as pd
import pytest
from django.utils import timezone

from audit.models import Event
from monitoring.quality import profiling, storing
from monitoring.quality.storing import UnknownFormError
from monitoring.verdicts import acting, answering, judging, scores
from monitoring.verdicts.models import QualityVerdict
from reprocessing.asking_models import Sighting, Trigger
from tests.house import House, row
from warehouse import profiles
from warehouse.profiles import Measured

pytestmark = pytest.mark.django_db(databases="__all__")
FIRST = date(2026, 1, 5)
LEVEL = QualityVerdict.Level


def week(number: int, *, rows: int = 30, fee: str = "") -> list[tuple[str, ...]]:
    """A file's rows, different each week; `fee` for a third of them."""
    return [
        row(
            f"{number}-{i}",
            fee=fee if fee and i % 3 == 0 else str(20 + (number * 7 + i * 3) % 40),
            note=("first visit", "follow-up", "by phone")[(number + i) % 3],
            seen=(FIRST + timedelta(days=7 * number + i % 5)).isoformat(),
        )
        for i in range(rows)
    ]


def deliver(house: House, number: int, **changed) -> int:
    """The id of the file."""
    day = (FIRST + timedelta(days=7 * number)).strftime("%Y%m%d")
    run = house.deliver(day, *week(number, **changed))
    return profiles.of_runs(house.connection, [run])[0].load_run_file_id


def judged(house: House, settings) -> list[QualityVerdict]:
    return judging.judge_due(settings.WAREHOUSE_URL, timezone.now())


def test_the_whole_story(console: House, as_, told, settings):
    for number in range(12):
        deliver(console, number)
    found = judged(console, settings)
    assert [v.level for v in found] == [LEVEL.PASS] * 12
    assert "nothing to compare" in found[0].note and "9 accepted" in found[9].note and not found[10].note
    assert judged(console, settings) == []

    wrong = deliver(console, 12, fee="unknown")
    answered = told("quality")
    assert answered["judged"] == 1 and answered["verdicts"][0]["columns"][0] == "fee"
    verdict = QualityVerdict.objects.get(load_run_file_id=wrong)
    assert verdict.level == LEVEL.BLOCK and "fee is no number in 33.3 % of the rows" in verdict.sentence
    assert "unknown" not in verdict.sentence and not verdict.counts

    page = as_("viewer").get("/quality/").content.decode()
    assert "fee is no number" in page and "<polyline" in page
    assert as_("viewer").get("/quality/Visits/").content.decode().count("<tr>") == 14
    assert "Answer this verdict" not in as_("viewer").get(f"/quality/files/{wrong}/").content.decode()

    deliver(console, 13, fee="unknown")
    assert [v.level for v in judged(console, settings)] == [LEVEL.BLOCK]
    client = as_("operator")
    assert "Answer this verdict" in client.get(f"/quality/files/{wrong}/").content.decode()
    done = client.post(f"/quality/files/{wrong}/answer/", {"answer": "expected change", "reason": "new rule"})
    assert done.headers["Location"] == f"/quality/files/{wrong}/"
    deliver(console, 14, fee="unknown")
    assert [v.level != LEVEL.BLOCK for v in judged(console, settings)] == [True]
    event = Event.objects.get(action="verdict expected change")
    assert event.detail["reason"] == "new rule" and event.actor_name == "operator"


@pytest.fixture
def verdict(db) -> QualityVerdict:
    return QualityVerdict.objects.create(
        load_run_file_id=7,
        load_run_id="00000000-0000-0000-0000-000000000007",
        extract="Visits",
        feed="a",
        judged_at=timezone.now(),
        level=LEVEL.BLOCK,
        score=12.0,
        limit=6.0,
        rows=30,
        compared_with=12,
        columns=["fee"],
        findings=[{"channel": "proof", "column": "fee", "measure": "not_number", "told": "fee is no number."}],
    )


@pytest.mark.parametrize("role", ["viewer", "reviewer", "auditor", "archive admin"])
def test_it_refuses_who_may_not_answer(as_, verdict, role):
    answer = as_(role).post("/quality/files/7/answer/", {"answer": "real", "reason": "x"})
    verdict.refresh_from_db()
    assert (answer.status_code, verdict.state) == (403, "open")


def test_it_refuses_get_nonsense_and_the_same_again(as_, verdict):
    client = as_("ops")
    assert client.get("/quality/files/7/answer/").status_code == 405
    assert client.post("/quality/files/8/answer/", {"answer": "real", "reason": "x"}).status_code == 404
    for wrong in ({"answer": "open", "reason": "x"}, {"answer": "real", "reason": " "}, {}):
        client.post("/quality/files/7/answer/", wrong)
    verdict.refresh_from_db()
    assert verdict.state == "open"
    client.post("/quality/files/7/answer/", {"answer": "real", "reason": "seen it"})
    again = client.post("/quality/files/7/answer/", {"answer": "real", "reason": "again"}, follow=True)
    assert "its answer already" in again.content.decode()
    assert Event.objects.filter(action="verdict real").count() == 1


def test_what_an_answer_means_for_later_files(people, verdict):
    refused = QualityVerdict.objects.refused()
    assert refused.exists()
    for said, out in (("false alarm", False), ("real", True), ("expected change", False)):
        answering.answer(verdict, said, people["operator"], reason="so it is", now=timezone.now())
        assert refused.exists() is out is not verdict.counts


def test_a_death_between_verdict_and_profile_is_made_up_for(console: House, settings):
    deliver(console, 0)
    (verdict,) = judged(console, settings)
    console.connection.execute("DELETE FROM restage.profiles")
    assert judged(console, settings) == [verdict]
    assert QualityVerdict.objects.count() == 1 and judged(console, settings) == []


def test_a_file_read_again_is_no_stale_delivery(console: House, settings):
    for number in range(3):
        deliver(console, number)
    judged(console, settings)
    console.reprocess(QualityVerdict.objects.earliest("extracted_at").load_run_id)
    assert [v.level for v in judged(console, settings)] == [LEVEL.PASS]
    console.write("20260302", *week(2))
    console.load()
    (stale,) = judged(console, settings)
    assert stale.level == LEVEL.BLOCK and "delivered before" in stale.sentence


def test_a_file_whose_rows_have_left_raw_is_passed_over(console: House, settings):
    gone = deliver(console, 0)
    console.connection.execute("DELETE FROM raw.visits WHERE load_run_file_id = %s", [gone])
    deliver(console, 1)
    (verdict,) = judged(console, settings)
    assert (verdict.load_run_file_id != gone, verdict.compared_with, judged(console, settings)) == (True, 0, [])


def test_an_extract_that_cannot_be_read_keeps_no_other_waiting(console: House, settings):
    deliver(console, 0)
    (console.folder / "a_calls_20260105.csv").write_text("call_id,seen_on,fee,note,updated_at\n1,2026-01-05,1,,\n")
    console.load()
    console.connection.execute("ALTER TABLE raw.calls RENAME COLUMN note TO remark")
    assert [v.extract for v in judged(console, settings)] == ["Visits"]


def test_sql_counts_what_a_frame_counts(console: House):
    rows = [row("1", fee="1.50", note=" "), row("2", fee="", note="a b"), row("2", fee="", note="a b"), row("4", "x")]
    console.write("20260105", *rows)
    console.load()
    measured = profiles.measure(console.connection, console.visits, 1)
    frame = pd.DataFrame(measured.sample, columns=list(measured.names), dtype=object)
    found = profiling.profile(frame)
    assert (measured.rows, measured.again) == (found.rows, found.again) == (4, 1)
    for counted in measured.columns:
        column, kept = found.columns[counted.name], 4 - counted.nulls
        assert (counted.nulls, counted.blank) == (column.shares["null"], column.shares["blank"])
        assert counted.distinct == len(column.values.hashes)
        if kept:
            assert counted.top == max(column.values.counts)
            assert counted.numbers == pytest.approx(column.levels["as_number"] * kept)
            assert counted.length == pytest.approx(column.levels["length"])
            assert counted.length_least == column.levels["length_least"]
            assert counted.length_most == column.levels["length_most"]


def test_a_large_file_is_counted_whole_and_looked_at_in_part(console: House, monkeypatch):
    console.write("20260105", *week(0, rows=40))
    console.load()
    whole = judging.profiled(profiles.measure(console.connection, console.visits, 1))
    monkeypatch.setattr(profiles, "MOST_ROWS", 10)
    measured = profiles.measure(console.connection, console.visits, 1)
    assert isinstance(measured, Measured) and len(measured.sample) == 10
    part = judging.profiled(measured)
    assert (part.rows, part.again) == (whole.rows, whole.again) == (40, 0)
    for name, column in whole.columns.items():
        assert part.columns[name].shares["null"] == column.shares["null"]
        assert part.columns[name].levels["distinct"] == pytest.approx(column.levels["distinct"], nan_ok=True)


def test_a_profile_reads_back_as_it_was_kept_and_holds_no_value():
    frame = pd.DataFrame({"who": ["Aroha", "Wiremu", None], "fee": [1.5, 2.0, None]})
    found = profiling.profile(frame)
    body = storing.dump(found)
    again = storing.load(body)
    assert storing.dump(again) == body and again.rows == 3 and again.columns["fee"].kind == "number"
    assert list(again.columns["who"].values.hashes) == list(found.columns["who"].values.hashes)
    assert b"Aroha" not in body and again.cells is None
    for broken in (b"", b"x" * 40, body[:-8]):
        with pytest.raises(UnknownFormError):
            storing.load(broken)


def test_a_block_is_told_to_the_rules_and_a_warning_is_not(people, verdict):
    trigger = Trigger.objects.create(name="wrong files", kind=acting.NAME, owner=people["operator"], extract="Visits")
    assert acting.tell(verdict, None, timezone.now()) == 1
    acting.tell(verdict, None, timezone.now())
    verdict.level = LEVEL.WARN
    assert acting.tell(verdict, None, timezone.now()) == 0
    (seen,) = Sighting.objects.filter(trigger=trigger)
    assert "fee is no number" in seen.told


@pytest.mark.parametrize(
    ("level", "state", "result"),
    [
        *(("pass", "open", "pass"), ("warn", "open", "inconclusive"), ("block", "open", "fail")),
        *(("block", "real", "fail"), ("block", "false alarm", "pass"), ("warn", "expected change", "pass")),
    ],
)
def test_a_wave_stops_at_what_is_proven_wrong(level, state, result):
    verdict = QualityVerdict(level=level, state=state, score=9.0, findings=[{"told": "fee is no number."}])
    found = acting.check([verdict, QualityVerdict(level="pass", state="open", score=1.0)])
    assert found is not None and (found.name, found.result) == ("quality", result)
    assert acting.check([]) is None


def test_scores_stay_within_their_frame():
    verdicts = [QualityVerdict(level="pass", score=s, limit=6.0) for s in (0.0, 3.0, 1e9)]
    verdicts[-1].level = "block"
    drawn = scores.drawn(verdicts)
    points = [tuple(map(float, p.split(","))) for p in f"{drawn.line} {drawn.limit}".split()]
    assert all(0 <= x <= drawn.width and 0 <= y <= drawn.height for x, y in points)
    assert len(drawn.marks) == 1 and scores.drawn([]).line == ""


def test_the_command_answers_wrong_input_in_words(told, console):
    assert "no load run" in told("quality", "00000000-0000-0000-0000-000000000000", code=1)["error"]
    assert told("quality") == {"judged": 0, "verdicts": []}
