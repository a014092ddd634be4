"""A reprocessing in waves in a real browser: asked for, promoted, aborted and taken back; and without scripts."""

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.conftest import Person
from tests.browser.test_main_job import looked_at
from tests.house import row
from tests.stack import Stack

pytestmark = pytest.mark.browser


def delivered(stack: Stack):
    for org in "abcd":
        stack.house.write("20260105", *[row(f"{org}{n}", fee="1") for n in range(40)], org=org)
    (loaded,) = stack.house.load().runs
    for org in "abcd":
        stack.house.write("20260105", *[row(f"{org}{n}", fee="2") for n in range(40)], org=org)
    return loaded.load_run_id


def test_waves_are_promoted_then_aborted_and_taken_back(stack: Stack, browser: Browser):
    run = delivered(stack)
    url = stack.web()
    stack.worker()
    operator = Person(browser.new_context(), url, "operator")
    page = operator.page
    page.goto(f"{url}/runs/{run}/reprocess/")
    page.get_by_label("Reason").fill("The fee rule was wrong")
    page.get_by_label("In waves, with checks after each").check()
    page.get_by_text("Waves", exact=True).click()
    page.get_by_label("Waves up to").fill("25, 50, 100")
    page.get_by_label("After a wave whose checks passed").select_option(label="Wait until somebody promotes the next")
    looked_at(page)
    page.get_by_role("button", name="Work out the effect").click()
    expect(page.get_by_role("button", name="Publish wave 2, 40 records")).to_be_visible(timeout=60_000)
    page.get_by_text("Wave 1: 40 changes, checks passed").click()
    expect(page.get_by_text("Visits: 100.0 % of the keys changed, 100.0 % in the whole preview.")).to_be_visible()
    page.get_by_text("Abort", exact=True).click()
    looked_at(page)
    page.get_by_role("button", name="Publish wave 2, 40 records").click()
    expect(page.get_by_role("button", name="Publish wave 3, 80 records")).to_be_visible(timeout=60_000)
    page.get_by_text("Abort", exact=True).click()
    page.locator("#id_abort_reason").fill("The first fee was right after all")
    page.get_by_role("button", name="Stop and plan the rollback of 2 waves").click()
    expect(page.get_by_text("2 of 3 waves are published; nothing more will be.")).to_be_visible(timeout=60_000)
    looked_at(page)
    ((rollback,),) = stack.console("SELECT id FROM jobs_job WHERE kind = 'rollback'")
    reviewer = Person(browser.new_context(), url, "reviewer")
    desk = reviewer.page
    desk.goto(f"{url}/jobs/{rollback}/")
    looked_at(desk)
    desk.get_by_role("button", name="Approve 80 changes").click()
    expect(desk.get_by_text("Published in")).to_be_visible(timeout=60_000)
    assert {fee for fee, _note in stack.house.staged().values()} == {"1.00"}
    assert stack.house.violations() == 0
    page.reload()
    expect(page.get_by_text("This job was rolled back")).to_be_visible()
    looked_at(page)
    assert operator.complaints == reviewer.complaints == []


def test_a_rollout_works_without_javascript(stack: Stack, browser: Browser):
    run = delivered(stack)
    url = stack.web()
    stack.worker()
    page = Person(browser.new_context(java_script_enabled=False), url, "operator").page
    page.goto(f"{url}/runs/{run}/reprocess/")
    page.get_by_label("Reason").fill("without scripts")
    page.get_by_label("In waves, with checks after each").check()
    page.get_by_role("button", name="Work out the effect").click()
    expect(page.get_by_text("All 3 waves are published")).to_be_visible(timeout=90_000)
