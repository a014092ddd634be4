"""What the channels themselves have to tell: a letter that could not be delivered. In the inbox only."""

from collections.abc import Sequence
from uuid import UUID

from django.urls import reverse

from access import rights
from audit.models import Event
from notifications.models import Message, Topic
from notifications.news import News, Source
from notifications.sending import DEAD


def tell(events: Sequence[Event]) -> list[News]:
    ids = {UUID(event.subject.partition(":")[2]) for event in events}
    letters = Message.objects.select_related("channel").in_bulk([*ids])
    keepers = rights.holder_ids(rights.MANAGE_CHANNELS)
    return [_news(letter, keepers) for letter in letters.values()]


def _news(letter: Message, keepers: frozenset[int]) -> News:
    return News(
        topic=Topic.ALERT,
        key=f"dead:{letter.channel_id}",
        title=f"A letter by {letter.channel} was not delivered",
        many=f"{{count}} letters by {letter.channel} were not delivered",
        path=reverse("letters"),
        all_path=reverse("letters"),
        state="bad",
        lines=(letter.error,),
        concerned=keepers,
        deciders_only=True,
        inbox_only=True,
    )


SOURCE = Source(frozenset({DEAD}), tell)
