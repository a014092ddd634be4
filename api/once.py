"""A request with an Idempotency-Key asks once: sent again, it gives the job that it made the first time."""

import hashlib
import json
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone
from rest_framework.exceptions import ValidationError

from api.models import Asked
from audit import database
from jobs.models import Job
from jobs.submission import CannotAskError

HEADER = "Idempotency-Key"
LONGEST = 100
KEPT_FOR = timedelta(days=7)


def key_of(headers: Mapping[str, str]) -> str | None:
    """None where the request has none. Raises ValidationError."""
    key = headers.get(HEADER)
    if key is not None and not (0 < len(key) <= LONGEST and key.isascii() and key.isprintable()):
        raise ValidationError({HEADER: [f"A key has 1 to {LONGEST} letters, digits or signs."]})
    return key


def asked(user: User, key: str, body: Any, ask: Callable[[], Job]) -> tuple[Job, bool]:
    """The job, and whether it was made just now. What `ask` raises is not kept: the same key can be tried again.

    Raises CannotAskError where the key was used for another request.
    """
    digest = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
    with transaction.atomic():
        database.in_turn(f"key {key} of {user.pk}")
        Asked.objects.filter(user=user, at__lt=timezone.now() - KEPT_FOR).delete()
        known = Asked.objects.filter(user=user, key=key).select_related("job").first()
        if known is None:
            job = ask()
            Asked.objects.create(user=user, key=key, body=digest, job=job)
            return job, True
    if known.body != digest:
        raise CannotAskError("This Idempotency-Key was used for another request. Nothing was asked for.")
    return known.job, False
