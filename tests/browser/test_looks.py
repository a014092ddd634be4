"""What only a browser can tell of the look: which theme is offered, and whether a table shows that it goes on."""

from base64 import b64encode

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.conftest import Person
from tests.house import row
from tests.stack import Stack

pytestmark = pytest.mark.browser
# Of a picture's columns beside its left border, in its middle and beside its right border: the commonest colour.
COMMONEST = """async drawn => {
  const picture = new Image()
  picture.src = drawn
  await picture.decode()
  const canvas = new OffscreenCanvas(picture.width, picture.height).getContext("2d")
  canvas.drawImage(picture, 0, 0)
  return [3, Math.floor(picture.width / 2), picture.width - 4].map(x => {
    const colours = canvas.getImageData(x, 0, 1, picture.height).data, counts = {}
    for (let y = 0; y < colours.length; y += 4) {
      const colour = colours.slice(y, y + 3).join()
      counts[colour] = (counts[colour] ?? 0) + 1
    }
    return Object.keys(counts).reduce((most, colour) => counts[colour] > counts[most] ? colour : most)
  })
}"""


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
    page.set_viewport_size({"width": 375, "height": 900})
    shown(table, left=False, right=True)
    table.evaluate("found => { found.scrollLeft = 100 }")
    shown(table, left=True, right=True)
    table.evaluate("found => { found.scrollLeft = 10000 }")
    shown(table, left=True, right=False)
    page.set_viewport_size({"width": 1440, "height": 900})
    shown(table, left=False, right=False)


def shown(table: Locator, *, left: bool, right: bool) -> None:
    """The sides of the table that are shaded, by the colour that most of the pixels beside its border have."""
    drawn = "data:image/png;base64," + b64encode(table.screenshot()).decode()
    canvas = table.page.context.new_page()
    near_left, middle, near_right = canvas.evaluate(COMMONEST, drawn)
    canvas.close()
    assert (near_left != middle, near_right != middle) == (left, right), (near_left, middle, near_right)


def test_the_zone_of_the_browser_is_chosen_for_who_has_not_and_offered_to_who_has(stack: Stack, browser: Browser):
    url = stack.web()
    page = Person(browser.new_context(timezone_id="Europe/Berlin"), url, "viewer").page
    refused: list[str] = []
    page.on("console", lambda told: refused.append(told.text) if told.type == "error" else None)
    page.get_by_role("link", name="Change the zone").click()
    zone, offer, foot = page.get_by_label("Time zone"), page.get_by_role("status").last, page.locator("footer")
    expect(offer).to_contain_text("This browser is in Europe/Berlin, so it is chosen here.")
    expect(zone).to_have_value("Europe/Berlin")
    expect(foot).to_contain_text("Times in Pacific/Auckland")
    page.get_by_role("button", name="Save").click()
    expect(foot).to_contain_text("Times in Europe/Berlin")
    page.get_by_role("link", name="Change the zone").click()
    expect(offer).to_be_empty()
    zone.select_option("")
    page.get_by_role("button", name="Save").click()
    expect(foot).to_contain_text("Times in Pacific/Auckland")
    page.get_by_role("link", name="Change the zone").click()
    expect(zone).to_have_value("")
    page.get_by_role("button", name="Choose Europe/Berlin").click()
    expect(zone).to_have_value("Europe/Berlin")
    assert not refused
