"""Making, finding and revoking tokens: made by a person at a page, never by a token."""

import hashlib
import secrets
from datetime import datetime, timedelta

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Q, QuerySet

from access import rights
from api.models import Token
from audit import circumstances
from audit.models import Event
from audit.transitions import record, write
from jobs.naming import NameTakenError
from warehouse.errors import TellableError

MARK = "restage_"  # by which those who look for leaked secrets know one
SHOWN = len(MARK) + 8
MOST_DAYS = 90
MOST_LIVING = 20
NOTED_EVERY = timedelta(minutes=5)  # how exactly is known when one was last used
REFUSED_EVERY = timedelta(hours=1)  # how often the trail says that one was refused: programs try again and again
REFUSED = "token refused"


class CannotGiveError(TellableError):
    """No token was made; the message says why."""


class OverError(TellableError):
    """The token is expired or revoked already. Nothing was changed."""


class DeadTokenError(TellableError):
    """It opens nothing; the message says why."""


def give(owner: User, *, name: str, scope: str, days: int, now: datetime) -> tuple[Token, str]:
    """A token with its secret, which is told this once. Raises CannotGiveError, NameTakenError."""
    if not 1 <= days <= MOST_DAYS:
        raise CannotGiveError(f"A token lasts 1 to {MOST_DAYS} days. None was made.")
    secret = MARK + secrets.token_urlsafe(32)
    with transaction.atomic():
        User.objects.select_for_update().get(pk=owner.pk)  # one after the other: they are counted
        others = living(now).filter(owner=owner)
        if len(others) >= MOST_LIVING:
            raise CannotGiveError(f"You have {MOST_LIVING} tokens: revoke one first. None was made.")
        if name in [other.name for other in others]:
            raise NameTakenError("You have a token of this name already. None was made.")
        made = Token.objects.create(
            owner=owner,
            name=name,
            scope=scope,
            begins=secret[:SHOWN],
            digest=_digest(secret),
            expires_at=now + timedelta(days=days),
        )
        record(owner, "token made", made, {"name": name, "scope": scope, "until": made.expires_at.isoformat()})
    return made, secret


def revoke(token: Token, actor: User, now: datetime) -> None:
    """One's own, or with the right anybody's. Raises NotAllowedError, OverError."""
    if token.owner_id != actor.pk:
        rights.demand(actor, rights.MANAGE_TOKENS)
    with transaction.atomic():
        open_still = Token.objects.filter(pk=token.pk, revoked_at=None, expires_at__gt=now)
        if not open_still.update(revoked_at=now, revoked_by=actor):
            raise OverError(f"The token {token.name} is expired or revoked already. Nothing was changed.")
        record(actor, "token revoked", token, {"name": token.name, "owner": token.owner.get_username()})


def of_secret(secret: str, now: datetime) -> Token:
    """The token; that it was used is noted, and that it was refused is in the trail. Raises DeadTokenError."""
    found = Token.objects.select_related("owner").filter(digest=_digest(secret)).first()
    if found is None:
        _note_refusal(None, now)
        raise DeadTokenError("This is no token of this console.")
    if why := found.why_dead(now):
        _note_refusal(found, now)
        raise DeadTokenError(f"The token {found.name} opens nothing any more: {why}.")
    Token.objects.filter(Q(used_at=None) | Q(used_at__lt=now - NOTED_EVERY), pk=found.pk).update(used_at=now)
    return found


def _digest(secret: str) -> str:
    """Of 256 random bits: nobody guesses them, and no salt or slow hash is needed."""
    return hashlib.sha256(secret.encode()).hexdigest()


def _note_refusal(token: Token | None, now: datetime) -> None:
    """Once an hour for each token, or for each address with what is none."""
    address = circumstances.current().address
    subject = f"token:{token.pk if token else 'unknown'}"
    told = Event.objects.filter(action=REFUSED, subject=subject, address=address, at__gt=now - REFUSED_EVERY)
    if not told.exists():
        detail = {"name": token.name, "why": token.why_dead(now)} if token else {}
        write(token.owner if token else None, REFUSED, subject, detail, result=Event.Result.REFUSED)


def living(now: datetime) -> QuerySet[Token]:
    """All that open something now, the newest first."""
    return Token.objects.filter(revoked_at=None, expires_at__gt=now, owner__is_active=True).select_related("owner")
