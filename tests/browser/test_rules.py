"""Approval rules in a real browser: moved by pointer and by keys, proposed and accepted."""

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import Person
from tests.browser.test_main_job import looked_at
from tests.stack import Stack

pytestmark = pytest.mark.browser


def names(page: Page) -> list[str]:
    return [text.strip() for text in page.locator(".rules strong").all_inner_texts()]


def test_rules_are_moved_by_hand_and_take_effect_by_two(stack: Stack, browser: Browser):
    url = stack.web()
    author, other = (Person(browser.new_context(), url, name) for name in ("administrator", "reviewer"))
    page = author.page
    page.goto(f"{url}/approvals/rules/")
    looked_at(page)
    page.get_by_role("button", name="Change the rules").click()
    handle = page.get_by_role("button", name="Move Long", exact=True)
    handle.focus()
    for key in ("Space", "ArrowUp", "ArrowUp", "Escape", "Space", "ArrowUp"):
        page.keyboard.press(key)
    expect(page.locator("#moved")).to_have_text("Long moved, place 2 of 5.")
    page.keyboard.press("Space")
    expect(handle).to_be_focused()
    assert names(page)[:3] == ["Destructive", "Long", "Many records"]
    page.set_viewport_size({"width": 1440, "height": 1000})
    start, end = handle.bounding_box(), page.locator(".rules li").nth(3).bounding_box()
    assert start and end
    page.mouse.move(start["x"] + 8, start["y"] + 8)
    page.mouse.down()
    page.mouse.move(end["x"] + 8, end["y"] + end["height"] - 4, steps=12)
    page.mouse.up()
    expect(page.locator(".rules li").nth(3)).to_contain_text("Long")
    looked_at(page)
    page.get_by_role("link", name="Add a rule").click()
    looked_at(page, "New rule")
    page.goto(f"{url}/approvals/rules/draft/")
    page.get_by_label("Why the rules should change").fill("Sums before lengths.")
    page.get_by_role("button", name="Propose these 5 rules").click()
    expect(page.get_by_text("You had a hand in it")).to_be_visible()
    other.page.goto(f"{url}/approvals/rules/draft/")
    other.page.get_by_role("button", name="Put these 5 rules in force").click()
    expect(other.page.get_by_text("Version 2, in force")).to_be_visible()
    assert names(other.page) == ["Destructive", "Many records", "Many records in many jobs", "Long", "Everything else"]
    assert author.complaints + other.complaints == []
