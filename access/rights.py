"""Who may do what. Roles are groups of the same name; their rights stand here, in one place, as code."""

from collections.abc import Callable, Iterable
from functools import wraps
from typing import Concatenate, ParamSpec, cast

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, Group, User
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet, prefetch_related_objects
from django.http import HttpRequest, HttpResponseBase

SEE = "see load runs, jobs and approvals"
REPROCESS = "ask for reprocessing"
ROLL_BACK = "ask for a rollback"
RELEASE = "release quarantined files"
RESET_BREAKER = "reset a circuit breaker"
CANCEL = "cancel a job"
DECIDE = "decide on approvals"
REMERGE = "say that core is up to date"
EXPORT_KEYS = "export natural keys in clear"
MANAGE_SCHEDULES = "manage schedules and triggers"
ANSWER_VERDICTS = "answer quality verdicts"
SEE_TRAIL = "read the audit trail"
EXPORT_TRAIL = "export the audit trail"
ARCHIVE = "archive load runs"
RESTORE = "restore archives"
HOLD = "place and release legal holds"
CLEAN_UP = "clean up archives"
DISCUSS = "comment on approvals"
BREAK_GLASS = "let a job through in an emergency"
MANAGE_CHANNELS = "manage notification channels"
TRACE = "trace rows by their natural key"
REVEAL = "see values of rows in clear"
MANAGE_RULES = "change the approval rules"
HANDLE_ALERTS = "handle alerts"
MANAGE_ALERTS = "manage the rules of alerts"
EXPORT_FIGURES = "export the tables of the dashboard"
SUSPEND = "suspend and resume the loading of an extract"
MANAGE_TOKENS = "revoke the tokens of others"
RIGHTS = (
    *(SEE, REPROCESS, RELEASE, RESET_BREAKER, ROLL_BACK, CANCEL, DECIDE),
    *(SEE_TRAIL, EXPORT_TRAIL),
    *(REMERGE, EXPORT_KEYS, MANAGE_SCHEDULES, ARCHIVE, RESTORE, HOLD, CLEAN_UP),
    *(DISCUSS, BREAK_GLASS, MANAGE_CHANNELS, TRACE, REVEAL, MANAGE_RULES, HANDLE_ALERTS, MANAGE_ALERTS),
    *(ANSWER_VERDICTS, EXPORT_FIGURES, SUSPEND, MANAGE_TOKENS),
)

ROLES: dict[str, frozenset[str]] = {
    "viewer": frozenset({SEE}),
    "operator": frozenset(
        {
            *(SEE, REPROCESS, RELEASE, ROLL_BACK, CANCEL, REMERGE, EXPORT_KEYS, ARCHIVE, DISCUSS, TRACE),
            *(HANDLE_ALERTS, ANSWER_VERDICTS, EXPORT_FIGURES, SUSPEND),
        }
    ),
    "reviewer": frozenset({SEE, RESET_BREAKER, DECIDE, DISCUSS, TRACE, MANAGE_RULES}),
    "archive admin": frozenset({SEE, ARCHIVE, RESTORE, HOLD, CLEAN_UP, CANCEL, DISCUSS, TRACE}),
    "ops": frozenset(
        {
            *(SEE, RELEASE, RESET_BREAKER, CANCEL, MANAGE_SCHEDULES, MANAGE_CHANNELS, DISCUSS),
            *(HANDLE_ALERTS, MANAGE_ALERTS, ANSWER_VERDICTS, EXPORT_FIGURES, SUSPEND),
        }
    ),
    "on call": frozenset({SEE, DISCUSS, BREAK_GLASS}),
    "auditor": frozenset({SEE, SEE_TRAIL, EXPORT_TRAIL, TRACE, EXPORT_FIGURES}),
    "administrator": frozenset(RIGHTS),
}

P = ParamSpec("P")


class NotAllowedError(PermissionDenied):
    """Somebody has not the right to do what they asked for."""

    def __init__(self, user: AbstractBaseUser | AnonymousUser, right: str) -> None:
        having = ", ".join(role for role, rights in ROLES.items() if right in rights)
        super().__init__(f"Your roles do not let you {right}. The roles that do: {having}.")
        self.user = user
        self.right = right


class Asked(HttpRequest):
    """A request behind requires(): its right was checked, so that a user of ours has asked."""

    user: User


def roles_of(user: AbstractBaseUser | AnonymousUser) -> list[str]:
    """The roles of an active user, in the order of ROLES; of somebody behind requires(), as they were there."""
    if not isinstance(user, User) or not user.is_active:
        return []
    names = {group.name for group in user.groups.all()}
    return [role for role in ROLES if role in names]


def roles_of_accounts(accounts: Iterable[int]) -> dict[int, frozenset[str]]:
    """Each account → its roles; none where it is not active."""
    found: dict[int, set[str]] = {account: set() for account in accounts}
    held = User.groups.through.objects.filter(user__in=found, user__is_active=True, group__name__in=ROLES)
    for account, role in held.values_list("user_id", "group__name"):
        found[account].add(role)
    return {account: frozenset(roles) for account, roles in found.items()}


def having(right: str) -> tuple[str, ...]:
    """The roles that have a right, in the order of ROLES."""
    return tuple(role for role, theirs in ROLES.items() if right in theirs)


def holders(right: str) -> QuerySet[User]:
    """The active people whose roles have a right, each once."""
    return people_of(having(right))


def holder_ids(right: str) -> frozenset[int]:
    return frozenset(holders(right).values_list("pk", flat=True))


def people_of(roles: Iterable[str]) -> QuerySet[User]:
    """The active people who have any of the roles, each once."""
    return User.objects.filter(is_active=True, groups__name__in=[*roles]).distinct()


def may(user: AbstractBaseUser | AnonymousUser, right: str) -> bool:
    return any(right in ROLES[role] for role in roles_of(user))


def demand(user: AbstractBaseUser | AnonymousUser, right: str) -> None:
    """Raises NotAllowedError, a PermissionDenied naming the right and the roles that have it."""
    if not may(user, right):
        raise NotAllowedError(user, right)


def requires(
    right: str,
) -> Callable[
    [Callable[Concatenate[Asked, P], HttpResponseBase]], Callable[Concatenate[HttpRequest, P], HttpResponseBase]
]:
    """Declare the right that a view needs."""

    def declare(
        view: Callable[Concatenate[Asked, P], HttpResponseBase],
    ) -> Callable[Concatenate[HttpRequest, P], HttpResponseBase]:
        @wraps(view)
        def guarded(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
            if isinstance(request.user, User):
                prefetch_related_objects([request.user], "groups")  # a page asks for roles often: read once
            demand(request.user, right)
            return view(cast(Asked, request), *args, **kwargs)

        guarded.__dict__["right"] = right  # the tests of all views read it
        return guarded

    return declare


def give(user: User, roles: Iterable[str]) -> None:
    """Make these the user's roles, and no others."""
    user.groups.set([Group.objects.get_or_create(name=role)[0] for role in roles])
