"""A person may have several accounts; where distinct people are needed, people count and not accounts."""

from collections.abc import Iterable

from django.contrib.auth.models import User
from django.db import transaction

from access.models import Account


def of(accounts: Iterable[int]) -> dict[int, int]:
    """Id of an account → the id that stands for its person."""
    wanted = set(accounts)
    linked = dict(Account.objects.filter(user__in=wanted).values_list("user_id", "person_id"))
    return {account: linked.get(account, account) for account in wanted}


def person_of(user: User) -> int:
    return of([user.pk])[user.pk]


def accounts_of(person: int) -> list[User]:
    """Every account of a person."""
    linked = Account.objects.filter(person=person).values_list("user_id", flat=True)
    return list(User.objects.filter(pk__in={person, *linked}).order_by("username"))


def link(one: User, other: User) -> list[User]:
    """Have two accounts, and all that are linked to them, be one person's; every account of that person."""
    with transaction.atomic():
        list(User.objects.select_for_update().filter(pk__in=(one.pk, other.pk)).order_by("pk"))
        persons = {person_of(one), person_of(other)}
        stands = min(persons)
        for user in [user for person in persons for user in accounts_of(person)]:
            Account.objects.update_or_create(user=user, defaults={"person_id": stands})
    return accounts_of(stands)


def unlink(user: User) -> list[User]:
    """Have an account be a person of its own again; the accounts that it was one person with."""
    with transaction.atomic():
        person = person_of(user)
        others = [other for other in accounts_of(person) if other != user]
        Account.objects.filter(user=user).delete()
        if len(others) == 1:
            Account.objects.filter(user=others[0]).delete()
        elif person == user.pk:
            Account.objects.filter(person=person).update(person=min(other.pk for other in others) if others else person)
    return others
