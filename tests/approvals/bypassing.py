"""What an attempt at a way around an approval gets."""

from collections.abc import Callable
from dataclasses import dataclass

from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from api import tokens
from approvals.models import Request
from jobs import submission
from jobs.models import Job
from tests.approvals.conftest import PASSWORD, Asks, again, approve, state

Attempt = Callable[["Case"], object]


@dataclass
class Case:
    request: Request
    people: dict[str, User]
    asked: Asks

    @property
    def job(self) -> Job:
        return again(self.request).job

    @property
    def reviewer(self) -> User:
        return self.people["reviewer"]

    @property
    def operator(self) -> User:
        return self.people["operator"]

    def approved(self) -> Job:
        approve(self.request, self.reviewer)
        return self.job

    def post(self, user: User, *, follow: bool = False, client: Client | None = None, **more: str) -> int:
        """The form of a decision, sent; the status of the answer."""
        client = client or Client()
        client.force_login(user)
        good = {"digest": self.request.digest, "verdict": "approve", "reason": "", "password": PASSWORD}
        return client.post(f"/jobs/{self.request.job_id}/decision/", {**good, **more}).status_code

    def api(self, client: Client, *, token: str = "", **more: str) -> int:
        """The same by the API."""
        good = {"digest": self.request.digest, "verdict": "approve", "password": PASSWORD}
        path = f"/api/v1/approvals/{self.request.job_id}/decision/"
        headers = {"Authorization": f"Token {token}"} if token else {}
        return client.post(path, {**good, **more}, content_type="application/json", headers=headers).status_code

    def logged_in(self, user: User, *, checked: bool = False) -> Client:
        client = Client(enforce_csrf_checks=checked)
        client.force_login(user)
        return client

    def token(self, owner: User) -> str:
        _token, secret = tokens.give(owner, name="ci", scope="ask", days=1, now=timezone.now())
        return secret

    def begins(self, job: Job | None = None) -> str:
        """A worker asks whether it may."""
        submission.check_permit(job or self.job)
        return "it began"

    def mark(self) -> None:
        """What is prepared is done: from here on nothing may change."""
        self.before = state(self.request)


def adding_to(attempts: dict[str, Attempt]) -> Callable[[Attempt], Attempt]:
    """A decorator that keeps an attempt under its name."""

    def attempt(function: Attempt) -> Attempt:
        attempts[function.__name__] = function
        return function

    return attempt
