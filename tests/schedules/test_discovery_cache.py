"""Discovery's page may be 30 s old and says so; what is asked for never is."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from jobs.models import Job
from reprocessing import acts, bookmarks, discovery_cache, requests
from reprocessing.planning import CannotPlanError
from tests.house import House
from tests.schedules.conftest import cancel, look, spoil
from warehouse.discovery import Filter

pytestmark = pytest.mark.django_db(databases="__all__")


def files(**more) -> int:
    return discovery_cache.shown(Filter(), **more).found.files


def test_what_was_found_is_kept_for_half_a_minute(console: House):
    now = timezone.now()
    assert files(clock=lambda: now) == 0
    spoil(console)
    assert files(clock=lambda: now + timedelta(seconds=29)) == 0
    assert files(clock=lambda: now + timedelta(seconds=31)) == 1


def test_a_watcher_makes_every_process_look_anew(console: House):
    assert files() == 0
    spoil(console)
    look(console)
    assert files() == 1
    console.connection.execute("UPDATE etl.load_run_files SET superseded_at = now()")
    look(console)
    assert files() == 0


def test_whoever_asks_for_it_gets_a_fresh_look(console: House):
    assert files() == 0
    spoil(console)
    assert files(fresh=True) == 1 == files()


def test_jobs_and_releases_are_seen_at_once(console: House, people, settings):
    spoil(console)
    assert discovery_cache.shown(Filter()).found.taken == 1
    job = requests.ask_found(settings.WAREHOUSE_URL, Filter(), expected=None, reason="r", actor=people["operator"])
    assert discovery_cache.shown(Filter()).found.left_out == {"in flight": 1}
    cancel(job)
    console.connection.execute(
        "INSERT INTO restage.failed_tries (load_run_file_id, job_id, reason)"
        " SELECT load_run_file_id, %s, 'r' FROM etl.load_run_files",
        [job.pk],
    )
    assert discovery_cache.shown(Filter()).found.left_out == {"backing off": 1}, "not what was kept before the job"
    acts.release(settings.WAREHOUSE_URL, [1], reason="r", actor=people["operator"])
    assert discovery_cache.shown(Filter()).found.taken == 1


def test_another_filter_is_another_look(console: House):
    spoil(console)
    assert discovery_cache.shown(Filter(extract="Calls")).found.files == 0
    assert files() == 1


def test_asking_never_reads_what_was_kept(console: House, people, settings):
    """The page shows nothing to do, and everything is kept that could mislead; what is asked for is what is there."""
    client = Client()
    client.force_login(people["operator"])
    assert client.get("/discovery/").context["found"].files == 0
    run = spoil(console)
    assert client.get("/discovery/").context["found"].files == 0, "kept"
    job = requests.ask_found(settings.WAREHOUSE_URL, Filter(), expected=None, reason="r", actor=people["operator"])
    assert job.plan.load_runs == [run]
    cancel(job)
    console.connection.execute("UPDATE etl.load_run_files SET superseded_at = now()")
    assert len(client.get("/discovery/reprocess/").context["taken"]) == 0, "the page that acts looks anew, too"
    with pytest.raises(CannotPlanError):
        requests.ask_found(settings.WAREHOUSE_URL, Filter(), expected=None, reason="r", actor=people["operator"])
    assert Job.objects.count() == 1


def test_the_page_says_how_old_it_is(console: House, people):
    client = Client()
    client.force_login(people["operator"])
    spoil(console)
    page = client.get("/discovery/?why=failed").content.decode()
    assert "As of <time" in page and "?why=failed&amp;fresh=1" in page
    assert client.get("/discovery/?fresh=1").context["filtered"] is False


def test_little_is_kept(console: House):
    for number in range(discovery_cache.MOST_KEPT + 10):
        discovery_cache.shown(Filter(most=number + 1))
    assert len(discovery_cache._kept) == discovery_cache.MOST_KEPT


def test_the_version_is_another_after_each_change(console: House):
    seen = [bookmarks.discovery_version()]
    for _ in range(3):
        bookmarks.outdate_discovery(timezone.now())
        seen.append(bookmarks.discovery_version())
    assert len(set(seen)) == 4
