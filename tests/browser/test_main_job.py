"""The main job in a real browser: an operator plans, a reviewer approves in another session, a worker runs."""

import re
from typing import Any, Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import Person
from tests.house import row
from tests.stack import Stack

pytestmark = pytest.mark.browser
RECORDS = 100_001
AXE = Axe().axe_script
ALL_RULES: dict[str, object] = {"resultTypes": ["violations"]}
OF_COLOURS: dict[str, object] = {
    **ALL_RULES,
    "runOnly": ["color-contrast", "link-in-text-block"],
}  # a theme changes nothing else
THEMES: dict[Literal["light", "dark"], dict[str, object]] = {"light": ALL_RULES, "dark": OF_COLOURS}


@pytest.fixture
def served(stack: Stack) -> str:
    return stack.web()


def rows(fee: str):
    return [row(str(n), fee=fee if n == 7 else "10") for n in range(RECORDS)]


def violations(page: Page, asked: dict[str, object]) -> list[dict[str, Any]]:
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE)
    found: list[dict[str, Any]] = page.evaluate("asked => axe.run(asked).then(found => found.violations)", asked)
    return found


def looked_at(page: Page, heading: str | re.Pattern[str] = "") -> None:
    """No axe violation, nothing wider than the window: on a desk and on a phone, light and dark. `heading`: of the page
    to which a click has led, that is waited for; without it the one before could be looked at, or none."""
    if heading:
        expect(page.get_by_role("heading", level=1, name=heading)).to_be_visible()
    for scheme, asked in THEMES.items():
        page.emulate_media(color_scheme=scheme)
        for width in (1440, 375):
            page.set_viewport_size({"width": width, "height": 900})
            found = violations(page, asked)
            assert not found, [(v["id"], v["nodes"][0]["html"]) for v in found]
            assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    page.set_viewport_size({"width": 1440, "height": 900})


def test_plan_approve_run_and_roll_back(stack: Stack, served: str, browser: Browser):
    house = stack.house
    run = house.deliver("20260105", *rows("10"))
    house.write("20260105", *rows("11"))
    stack.worker()
    operator = Person(browser.new_context(), served, "operator")
    page = operator.page
    page.get_by_text("As a table").first.click()
    expect(page.get_by_role("columnheader", name="completed")).to_be_visible()
    looked_at(page)
    for elsewhere in (
        *("/discovery/", "/breakers/", "/schedules/"),
        *("/freshness/", "/freshness/files/1/", "/downstream/"),
        *("/approvals/windows/", "/account/second-factor/"),
    ):
        page.goto(served + elsewhere)
        looked_at(page)
    page.goto(served + "/runs/")
    page.get_by_role("link", name=re.compile(str(run)[:8])).click()
    looked_at(page, re.compile("^Load run"))
    page.get_by_role("link", name="Reprocess this run").click()
    expect(page.locator("#selection")).to_contain_text("changed since the first load")
    page.get_by_label("Only the files that failed").check()
    expect(page.locator("#selection")).to_contain_text("only failed files were asked for")
    page.get_by_label("All files of the run").check()
    expect(page.locator("#selection")).to_contain_text("100,001 records")
    looked_at(page)
    page.get_by_role("button", name="Work out the effect").click()
    expect(page.get_by_text("Say why: the reviewer and the trail need it.")).to_be_visible()
    looked_at(page)
    page.get_by_label("Reason").fill("The fee of one visit was wrong")
    page.get_by_role("button", name="Work out the effect").click()
    expect(page.get_by_text("Awaiting approval", exact=True)).to_be_visible(timeout=60_000)
    expect(page.get_by_text("~ 1 changed")).to_be_visible()
    expect(page.get_by_text("You asked for it, so somebody else must decide.")).to_be_visible()
    assert house.staged()["7"][0] == "10.00"

    reviewer = Person(browser.new_context(), served, "reviewer")
    desk = reviewer.page
    desk.get_by_role("link", name="Approvals").click()
    looked_at(desk, "Approvals")
    desk.get_by_role("link", name=re.compile("Reprocess")).click()
    desk.get_by_text("A sample of the changed rows, values masked").click()
    expect(desk.get_by_role("row", name=re.compile("updated.*fee.*99.99.*99.99"))).to_be_visible()
    looked_at(desk)
    desk.get_by_role("button", name="Approve 1 change").click()
    expect(desk.get_by_text("Approved. A worker takes it up now.")).to_be_visible()
    expect(page.get_by_text("Published in")).to_be_visible(timeout=60_000)
    assert house.staged()["7"][0] == "11.00"
    assert house.violations() == 0
    looked_at(page)

    page.get_by_role("link", name="Roll it back").click()
    page.get_by_label("Reason").fill("The first fee was right after all")
    page.get_by_role("button", name="Work out the rollback").click()
    expect(page.get_by_text("Awaiting approval", exact=True)).to_be_visible(timeout=60_000)
    desk.goto(page.url)
    desk.get_by_role("button", name="Approve 1 change").click()
    expect(desk.get_by_text("Published in")).to_be_visible(timeout=60_000)
    assert house.staged()["7"][0] == "10.00"
    assert house.violations() == 0
    assert operator.complaints == [c for c in operator.complaints if "422" in c]  # the form without a reason
    assert reviewer.complaints == []

    desk.goto(served)
    desk.context.clear_cookies()  # as when a login has run out
    desk.get_by_text("As a table").first.click()
    expect(desk.get_by_label("Password")).to_be_visible()
    assert desk.url.startswith(f"{served}/login/")


def test_the_way_works_without_javascript(stack: Stack, served: str, browser: Browser):
    run = stack.house.deliver("20260105", row("1"))
    stack.worker()
    page = Person(browser.new_context(java_script_enabled=False), served, "operator").page
    page.goto(f"{served}/runs/{run}/reprocess/")
    page.get_by_label("Reason").fill("without scripts")
    page.get_by_role("button", name="Work out the effect").click()
    expect(page.get_by_text("Published in")).to_be_visible(timeout=60_000)
    page.goto(served)
    page.get_by_text("As a table").first.click()
    page.get_by_role("link", name="Files loaded, as a table").click()
    expect(page.get_by_role("heading", level=1, name="Files loaded")).to_be_visible()
    expect(page.get_by_role("columnheader", name="completed")).to_be_visible()


def test_the_warehouse_down_is_a_page_that_says_so(stack: Stack, browser: Browser, served: str):
    stack.env["RESTAGE_WAREHOUSE_URL"] = "postgresql://nobody@127.0.0.1:1/none"
    context = browser.new_context()
    page, url = context.new_page(), stack.web()
    page.goto(f"{url}/login/")
    page.get_by_label("Username").fill("viewer")
    page.get_by_label("Password").fill("pass-word-1")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_text("What is shown is what the console knows itself")).to_be_visible(timeout=20_000)
    looked_at(page)
    page.goto(f"{url}/runs/")
    expect(page.get_by_role("heading", name="The warehouse does not answer")).to_be_visible(timeout=20_000)
    looked_at(page)
