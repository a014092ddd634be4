"""The dashboard: every figure true, every count links to exactly what it counts, and it tells what it cannot do."""

import csv
import io
import re
from collections.abc import Iterator
from datetime import timedelta
from html import unescape

import pytest
from django.http import QueryDict
from django.test import Client
from django.utils import timezone

from audit.models import Event
from jobs.models import Job, Plan
from monitoring import dashboard, needs, periods
from monitoring.needs import Need
from monitoring.tables import Linked
from monitoring.wanted import DashboardFilter
from reprocessing.models import Breaker
from tests.house import House
from tests.monitoring import loads
from tests.monitoring.loads import Told
from warehouse import registry

pytestmark = pytest.mark.django_db(databases="__all__")
ZONE = "Pacific/Auckland"


@pytest.fixture(autouse=True)
def nothing_is_kept() -> Iterator[None]:
    dashboard._kept.clear()
    yield
    dashboard._kept.clear()


@pytest.fixture
def busy(console: House, people) -> House:
    """Load runs of several days, states, extracts and practices, and jobs about some."""
    at, connection = timezone.now() - timedelta(hours=1), console.connection
    good = loads.run(connection, at)
    loads.file(connection, good, at)
    loads.file(connection, good, at, extract="Calls", practice="p2", status="failed", error="Line 7 is short")
    loads.staging(connection, good, "Visits", 15)
    bad = loads.run(connection, at - timedelta(days=3), "failed")
    old = loads.file(connection, bad, at - timedelta(days=3), status="failed", error="Line 9 is short")
    loads.supersede(connection, old, at - timedelta(days=2))
    silent = loads.run(connection, at - timedelta(days=1), "running")
    loads.file(connection, silent, at - timedelta(days=1), status="processing", practice="p2")
    replaced = loads.file(connection, good, at, read=300, ingested=300, rejected=0)
    loads.supersede(connection, replaced, at)
    loads.run(connection, at - timedelta(days=60))
    for number, state in enumerate(["succeeded", "succeeded", "failed", "quarantined", "queued", "cancelled"]):
        plan = Plan.objects.create(
            kind="reprocess",
            reason=["Fee rule", "Late file"][number % 2],
            options={"source": "files"},
            preview={"tables": {["visits", "calls"][number % 2]: {}}, "estimate_seconds": 5, "records": 1},
        )
        begun = at + timedelta(seconds=60) if state not in ("queued", "cancelled") else None
        job = Job.objects.create(
            plan=plan, kind="reprocess", state=state, requested_by=people["operator"], started_at=begun
        )
        ended = begun + timedelta(seconds=10 * (number + 1)) if begun else None
        Job.objects.filter(pk=job.pk).update(finished_at=ended, created_at=at)
    return console


def look(client: Client, query: str = "") -> dashboard.Dashboard:
    answer = client.get(f"/?{query}")
    assert answer.status_code == 200
    found: dashboard.Dashboard = answer.context["found"]
    return found


def listed(client: Client, url: str) -> int:
    """How many entries the list behind a link has."""
    answer = client.get(url)
    assert answer.status_code == 200, url
    if "page" in answer.context:
        return int(answer.context["page"].paginator.count)
    return int(answer.context["found"].files)


@pytest.mark.parametrize("query", ["range=7d", "range=30d&extract=Visits", "practice=p2", "range=2d&extract=Calls"])
def test_every_figure_of_loads_is_what_lies_in_etl(busy, as_, query):
    found = look(as_("viewer"), query)
    assert found.loads
    asked = dict(pair.split("=") for pair in query.split("&"))
    period = periods.of(asked.get("range", "7d"), timezone.now())
    of = (asked.get("extract", ""), asked.get("practice", ""))
    told = Told(busy.connection, ZONE)
    assert vars(found.loads.totals) == pytest.approx(told.totals(period.start, period.stop, *of))
    states = {state: number.value for state, number in found.loads.states.rows}
    states["running"] = states.pop("stuck", 0) + states.get("running", 0)
    assert {k: v for k, v in states.items() if v} == told.states(period.start, period.stop, *of)
    for table, name in ((found.loads.extracts, "extract"), (found.loads.practices, "practice")):
        for row in table.rows:
            part = dict(zip(("extract", "practice"), of, strict=True)) | {name: row[0].value}
            expected = told.totals(period.start, period.stop, **part)
            rate = expected["rejected"] / expected["rows_read"] if expected["rows_read"] else None
            assert (row[3], row[4], row[5], row[6]) == (
                *(expected["files"], expected["failed"], expected["rows_read"]),
                pytest.approx(rate),
            )
    drawn = {series.label: series.total for series in found.loads.files.series}
    totals = found.loads.totals
    assert drawn == {"completed": totals.completed, "in work": totals.waiting, "failed": totals.failed}
    shown = sum(row[1] for row in found.loads.files.table.rows)
    assert shown == totals.completed


def test_every_count_links_to_exactly_what_it_counts(busy, as_):
    client = as_("viewer")
    for query in ("range=7d", "range=30d&extract=Visits", "extract=Visits&practice=p2"):
        answer = client.get(f"/?{query}")
        found = answer.context["found"]
        for table in (found.loads.states, found.jobs.states):
            for _state, number in table.rows:
                assert isinstance(number, Linked) and listed(client, number.url) == number.value, number
    for number, _told, _extracts in found.loads.causes.rows:
        assert listed(client, number.url) == number.value
    lines = {need.url: need.count for need in client.get("/").context["needs"]}
    assert len(lines) == 4 and all(listed(client, url) == count for url, count in lines.items())


def test_every_figure_of_jobs_is_what_lies_in_the_console(busy, as_):
    jobs = look(as_("viewer")).jobs
    states = {state: n.value for state, n in jobs.states.rows}
    assert states == {"succeeded": 2, "failed": 1, "quarantined": 1, "queued": 1, "cancelled": 1}
    assert (jobs.ended.success_rate, jobs.ended.median, jobs.ended.p95) == (0.5, 10, 20)
    assert [row[:4] for row in jobs.reasons.rows] == [("Fee rule", 3, 1, 1), ("Late file", 3, 1, 1)]
    assert [row[:4] for row in jobs.extracts.rows] == [("Calls", 3, 1, 1), ("Visits", 3, 1, 1)]
    assert {s.label: s.total for s in jobs.chart.series} == {"succeeded": 2, "failed": 2, "neither": 2}
    only = look(as_("viewer"), "extract=Calls").jobs
    assert sum(n.value for _state, n in only.states.rows) == 3
    assert jobs.queue.waiting == 1 and [row[2] for row in jobs.running.rows] == ["Fee rule"]


def test_what_others_offer_is_shown_and_what_has_no_count_is_not(busy, as_, monkeypatch):
    monkeypatch.setattr(needs, "_known", [])
    needs.register(lambda user, now: [Need(3, "alerts are open", "/breakers/"), Need(0, "snoozed", "/runs/")])
    page = as_("viewer").get("/").content.decode()
    assert "<strong>3</strong> alerts are open" in page and "snoozed" not in page


def test_what_waits_for_a_person_is_told_to_that_person(busy, as_, people):
    Breaker.objects.create(extract="Visits", state="open")
    told = [need.told for need in as_("viewer").get("/").context["needs"]]
    assert told == [
        "failed file waits, of 1 cause",
        "load run is stuck",
        "job quarantined in the last 7 days",
        "job failed in the last 7 days",
        "circuit breaker is open: its extract is not reprocessed",
    ]


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("range=dates&since=2026-02-02&until=2026-01-01", "before the first one"),
        ("range=dates&since=2026-02-02", "Give both days"),
        ("range=dates&since=1026-02-02&until=2026-02-02", "more than 3,660 days"),
        ("range=dates&since=x&until=y", "Enter a valid date"),
        ("range=yesterday", "Select a valid choice"),
        ("extract=Nothing", "Select a valid choice"),
        ("practice=" + "x" * 200, "at most 100"),
    ],
)
def test_a_filter_that_cannot_be_used_says_so(console, as_, query, told):
    answer = as_("viewer").get(f"/?{query}")
    assert answer.status_code == 200 and told in answer.content.decode()


def test_days_of_the_console_zone_are_looked_at_and_kept_in_links(busy, as_):
    answer = as_("viewer").get("/?since=2026-04-04&until=2026-04-06&extract=Visits")
    wanted = answer.context["wanted"]
    assert [len(wanted.period.hours), len(wanted.period.days)] == [73, 3]  # the clocks went back
    links = re.findall(r'href="(/\?[^"]*practice=p1[^"]*)"', answer.content.decode())
    assert unescape(links[0]) == "/?range=dates&since=2026-04-04&until=2026-04-06&extract=Visits&practice=p1"


@pytest.mark.parametrize(
    ("query", "days"),
    [
        ("", 7),
        ("range=30d", 30),
        ("range=7d&was=7d&since=2026-01-01&until=2026-01-03", 3),  # days were filled in
        ("range=30d&was=dates&since=2026-01-01&until=2026-01-03", 30),  # another time was chosen
        ("range=dates&was=7d&since=2026-01-01&until=2026-01-03", 3),
        ("range=dates&was=dates&since=2026-01-01&until=2026-01-02", 2),
        ("range=30d&was=7d&since=&until=", 30),
    ],
)
def test_the_days_or_the_time_that_was_chosen_last_holds(query, days):
    form = DashboardFilter(QueryDict(query), registry.current())
    assert form.is_valid() and len(form.wanted(timezone.now()).period.days) == days


def test_the_live_part_is_the_page_s_own_and_a_change_is_seen_at_once(busy, as_, people):
    client = as_("viewer")
    live = client.get("/?range=30d", headers={"HX-Request": "true", "HX-Target": "live"})
    page = live.content.decode()
    assert page.strip().startswith('<div id="live"') and 'hx-get="/?range=30d"' in page and "<html" not in page
    before = look(client)
    assert look(client) is before
    job = Job.objects.get(state="queued")
    Event.objects.create(actor_name="x", action="job running", subject=f"job:{job.pk}")
    assert look(client) is not before


def test_figures_that_are_not_made_yet_are_told(busy, as_, monkeypatch):
    monkeypatch.setattr("warehouse.figures.SMALL_BYTES", 0)
    answer = as_("viewer").get("/")
    assert "being put together" in answer.content.decode() and answer.context["found"].loads is None


def test_the_table_behind_a_chart_comes_when_it_is_asked_for(busy, as_):
    client = as_("viewer")
    page = client.get("/?range=30d").content.decode()
    found = look(client, "range=30d")
    assert found.loads
    for chart in (found.loads.files, found.loads.records, found.loads.superseded_days, found.jobs.chart):
        address = f"/figures/{chart.table.name}/?range=30d"
        if chart.most:
            assert f'hx-get="{address}"' in page and f'<a href="{address}">' in page
        alone = client.get(address, headers={"HX-Request": "true"}).content.decode()
        whole = client.get(address).content.decode()
        assert alone.count("<tr>") == len(chart.table.rows) + bool(chart.table.rows) and "<html" not in alone
        assert alone.strip() in whole and f"<h1>{chart.title}</h1>" in whole and 'href="/?range=30d"' in whole
    assert client.get("/figures/nothing/").status_code == 404
    assert client.get("/figures/files/?range=x").headers["Location"] == "/?range=x"
    assert "as CSV" not in alone and "as CSV" in as_("ops").get(address).content.decode()


def test_a_table_leaves_as_csv_with_a_trace(busy, as_):
    client = as_("ops")
    answer = client.post("/figures/by-extract/export/", {"query": "range=30d&practice=p1"})
    rows = list(csv.DictReader(io.StringIO(b"".join(answer.streaming_content).decode())))
    assert [(row["Extract"], row["Files"]) for row in rows] == [("Visits", "3")]
    assert "attachment" in answer.headers["Content-Disposition"]
    event = Event.objects.get(action="figures exported")
    assert event.detail == {"table": "by-extract", "rows": 1, "filter": {"range": "30d", "practice": "p1"}}
    shown = [table.name for table in look(client).tables()]
    assert len(shown) == len(set(shown)) == 15
    for name in shown:
        assert client.post(f"/figures/{name}/export/", {"query": ""}).status_code == 200


def test_an_export_needs_the_right_a_post_and_a_table(busy, as_):
    assert as_("viewer").post("/figures/by-extract/export/").status_code == 403
    assert as_("ops").get("/figures/by-extract/export/").status_code == 405
    assert as_("ops").post("/figures/nothing/export/").status_code == 404
    assert as_("ops").post("/figures/by-extract/export/", {"query": "range=x"}).status_code == 302
    assert not Event.objects.filter(action="figures exported").exists()


def test_a_formula_leaves_as_text(busy, as_):
    Plan.objects.update(reason="=cmd|x")
    answer = as_("ops").post("/figures/by-reason/export/", {"query": ""})
    assert "'=cmd|x" in b"".join(answer.streaming_content).decode()


def test_it_opens_on_an_empty_warehouse(console, as_):
    answer = as_("viewer").get("/?range=today")
    assert "Nothing. No file failed" in answer.content.decode() and "style=" not in answer.content.decode()
