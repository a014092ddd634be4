"""A restore in a real browser: choose, see, confirm, approve, let raw decide again."""

import os
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.archived import archive
from tests.browser.conftest import Person
from tests.browser.test_main_job import looked_at
from tests.house import row
from tests.stack import Stack

pytestmark = pytest.mark.browser


def shown(page: Page, name: str) -> None:
    """Looked at, and kept as pictures where RESTAGE_PICTURES names a folder."""
    looked_at(page)
    if folder := os.environ.get("RESTAGE_PICTURES"):
        for width, theme in ((375, "light"), (1440, "light"), (1440, "dark")):
            page.set_viewport_size({"width": width, "height": 900})
            page.emulate_media(color_scheme="dark" if theme == "dark" else "light")
            page.screenshot(path=Path(folder) / f"{name}_{width}_{theme}.png", full_page=True)
        page.emulate_media(color_scheme="light")
        page.set_viewport_size({"width": 1280, "height": 720})


def test_an_admin_restores_and_takes_it_back(stack: Stack, browser: Browser):
    house = stack.house
    run = house.deliver("20260105", row("1", note="first"), row("2", fee="20"), row("3"), row("4"))
    archive(house, run)
    house.deliver("20260106", row("2", fee="21"), org="b")
    house.connection.execute("DELETE FROM stg.visits WHERE visit_id = '1'")
    house.connection.execute("UPDATE stg.visits SET fee = 7 WHERE visit_id = '3'")
    house.connection.execute("ALTER TABLE stg.visits ADD COLUMN room text")
    url = stack.web()
    stack.worker()
    admin = Person(browser.new_context(), url, "archive admin")
    page = admin.page
    page.goto(f"{url}/archives/restore/")
    shown(page, "choose")
    page.locator("table a.id").first.click()
    shown(page, "form")
    page.get_by_label("Overwrite its row").check()
    page.get_by_role("button", name="Work out the effect").click()
    expect(page.get_by_text("Say why: the reviewer")).to_be_visible()
    page.get_by_label("Overwrite its row").check()
    page.get_by_label("Reason").fill("Rows were lost by hand")
    page.get_by_role("button", name="Work out the effect").click()
    expect(page.get_by_role("button", name="Restore 3 rows")).to_be_visible(timeout=30_000)
    page.get_by_text("A sample of the changed rows").click()
    shown(page, "previewed")
    page.get_by_role("button", name="Restore 3 rows").click()
    expect(page.get_by_text("It overwrites 1 row of newer owners.")).to_be_visible(timeout=30_000)
    shown(page, "awaiting")
    reviewer = Person(browser.new_context(), url, "reviewer")
    reviewer.page.goto(page.url)
    reviewer.page.get_by_role("button", name="Approve 3 changes").click()
    expect(page.get_by_text("has the checksum").or_(page.get_by_text("have the checksum"))).to_be_visible(
        timeout=30_000
    )
    shown(page, "restored")
    page.get_by_role("link", name="Let raw decide again").click()
    shown(page, "unpin")
    page.get_by_label("Reason").fill("The newer fee was right")
    page.get_by_role("button", name="Work out what raw says").click()
    expect(page.get_by_text("takes published rows back")).to_be_visible(timeout=30_000)
    shown(page, "unpinning")
    assert house.violations() == 0
    assert all("422" in told for told in admin.complaints), "of the form without a reason, and of nothing else"
