"""What only a browser can tell of the look: which theme is offered, and whether a table shows that it goes on."""

import re

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import Person
from tests.house import row
from tests.stack import Stack

pytestmark = pytest.mark.browser
TO_THE_RIGHT = re.compile(" -18px 0px 12px -12px inset")


def offered(page: Page, scheme: str, name: str) -> None:
    """One theme is offered, by this name."""
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]  # "light" or "dark"
    expect(page.get_by_role("button", name="theme")).to_have_count(1)
    expect(page.get_by_role("button", name=name)).to_be_visible()


def test_the_other_theme_is_offered_and_wide_tables_show_that_they_go_on(stack: Stack, browser: Browser):
    run = stack.house.deliver("20260105", row("1"))
    url = stack.web()
    page = Person(browser.new_context(), url, "viewer").page
    offered(page, "light", "Dark theme")
    offered(page, "dark", "Light theme")
    page.get_by_role("button", name="Light theme").click()
    offered(page, "dark", "Dark theme")
    offered(page, "light", "Dark theme")
    page.goto(f"{url}/runs/{run}/")
    table = page.locator(".table-scroll").first
    for motion in ("no-preference", "reduce"):
        page.emulate_media(reduced_motion=motion)
        page.set_viewport_size({"width": 1440, "height": 900})
        expect(table).to_have_css("box-shadow", "none")
        page.set_viewport_size({"width": 375, "height": 900})
        expect(table).to_have_css("box-shadow", TO_THE_RIGHT)
        table.evaluate("found => { found.scrollLeft = 10000 }")
        expect(table).not_to_have_css("box-shadow", TO_THE_RIGHT)
        table.evaluate("found => { found.scrollLeft = 0 }")
