"""A real Chromium, one for the session; a context (its own cookies) for each person."""

import os
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from config import databases
from tests.conftest import database, name_of
from tests.processes import Process
from tests.stack import MANAGE, ROOT

ARGUMENTS = [
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

MAKE_PEOPLE = """
from django.contrib.auth.models import User
from access import rights
for role in rights.ROLES:
    user = User.objects.create_user(role, password="pass-word-1")
    rights.give(user, [role])
"""


@pytest.fixture(scope="session")
def migrated(migrated: str) -> Iterator[str]:
    """The name of a console database to be copied, with one person of each role, named like it."""
    with database(migrated) as url:
        env = {**os.environ, databases.CONSOLE_URL: url, "DJANGO_SETTINGS_MODULE": "config.settings"}
        assert Process([str(MANAGE), "shell", "-v", "0", "-c", MAKE_PEOPLE], ROOT, env).wait(60) == 0
        yield name_of(url)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    if found is None:
        told = "No Chromium here. On Debian or Ubuntu: apt-get install --no-install-recommends chromium"
        if os.environ.get("CI"):
            pytest.fail(told)
        pytest.skip(told)
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=found, args=ARGUMENTS)
        yield opened
        opened.close()


class Person:
    """Somebody at a browser, logged in. `complaints`: what the console of the browser said that it should not."""

    def __init__(self, context: BrowserContext, url: str, name: str) -> None:
        self.page: Page = context.new_page()
        self.url = url
        self.complaints: list[str] = []
        self.page.on("console", lambda m: self.complaints.append(m.text) if m.type in ("error", "warning") else None)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.goto(f"{url}/login/")
        self.page.get_by_label("Username").fill(name)
        self.page.get_by_label("Password").fill("pass-word-1")
        self.page.get_by_role("button", name="Log in").click()
        self.page.get_by_role("heading", name="Dashboard").wait_for()
