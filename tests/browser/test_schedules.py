"""Schedules, triggers and blackout windows in a real browser, with scripts and without."""

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.conftest import Person
from tests.browser.test_main_job import looked_at
from tests.stack import Stack

pytestmark = pytest.mark.browser


def test_ops_writes_a_schedule_a_trigger_and_a_window(stack: Stack, browser: Browser):
    url = stack.web()
    stack.watcher()
    stack.worker()
    person = Person(browser.new_context(), url, "ops")
    page = person.page
    page.get_by_role("link", name="Schedules").click()
    looked_at(page, "Schedules")
    page.get_by_role("link", name="New schedule").click()
    page.get_by_label("Name").fill("Each minute")
    page.get_by_label("When (cron)").fill("* * * * *")
    page.get_by_label("Name").focus()
    expect(page.locator("#times li")).to_have_count(5)
    page.get_by_role("button", name="Save the schedule").click()
    expect(page.get_by_text("This field is required.")).to_be_visible()
    looked_at(page)
    page.get_by_label("Owner").select_option(label="operator")
    page.get_by_role("button", name="Save the schedule").click()
    expect(page.get_by_role("heading", name="Each minute")).to_be_visible()
    looked_at(page)
    page.get_by_role("button", name="Ask once, now").click()
    expect(page.get_by_text("No job was made. No file that is found would be taken.")).to_be_visible()
    page.goto(f"{url}/schedules/triggers/new/")
    looked_at(page)
    page.get_by_label("Name").fill("Retry")
    page.get_by_label("Run failed").check()
    page.get_by_label("Quiet time").fill("0")
    page.get_by_label("Owner").select_option(label="operator")
    page.get_by_role("button", name="Save the trigger").click()
    (stack.house.folder / "a_visits_20260105.csv").write_text("spoilt\n")
    stack.house.load()
    expect(page.get_by_text("It has seen nothing yet")).to_be_visible()
    page.wait_for_timeout(2_000)
    page.reload()
    expect(page.get_by_text("1 file of Visits failed")).to_be_visible()
    looked_at(page)
    page.goto(f"{url}/schedules/blackouts/new/")
    looked_at(page)
    page.get_by_label("Monday").check()
    page.get_by_label("From").fill("22:00")
    page.get_by_label("To", exact=True).fill("04:00")
    page.get_by_label("Reason").fill("Nightly loads")
    page.get_by_role("button", name="Add the window").click()
    expect(page.get_by_role("cell", name="Nightly loads", exact=True)).to_be_visible()
    looked_at(page)
    assert person.complaints == [c for c in person.complaints if "422" in c]


def test_the_form_works_without_javascript(stack: Stack, browser: Browser):
    url = stack.web()
    page = Person(browser.new_context(java_script_enabled=False), url, "ops").page
    page.goto(f"{url}/schedules/new/")
    page.get_by_label("Name").fill("Nightly")
    page.get_by_label("When (cron)").fill("30 2 * * *")
    page.get_by_label("Owner").select_option(label="operator")
    page.get_by_role("button", name="Show the next times").click()
    expect(page.locator("#times li")).to_have_count(5)
    page.get_by_role("button", name="Save the schedule").click()
    expect(page.get_by_role("heading", name="Nightly")).to_be_visible()
