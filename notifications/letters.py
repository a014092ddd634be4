"""A message as it is read: subject and text, for one person or for all who read a channel."""

from dataclasses import dataclass

from django.conf import settings

from notifications.models import Message


@dataclass(frozen=True)
class Letter:
    """`url`: where its link leads; a path where the console's own address is not set."""

    id: str
    topic: str
    count: int
    state: str
    subject: str
    lines: tuple[str, ...]
    url: str

    @property
    def text(self) -> str:
        return "\n".join((*self.lines, "", self.url, "", f"Restage, message {self.id}"))


def of(message: Message, *, personal: bool) -> Letter:
    """The letter of a message; the reasons of people only where it is `personal`."""
    said = message.content
    if message.count == 1:
        lines = [*(said["letter"] if personal else ()), *said["lines"]]
    else:
        lines = [f"The last of them: {item['title']}, {url(item['path'])}" for item in message.items]
    return Letter(
        id=str(message.pk),
        topic=message.topic,
        count=message.count,
        state=said["state"],
        subject=message.title,
        lines=tuple(lines),
        url=url(message.path),
    )


def url(path: str) -> str:
    """A page of the console for who reads of it elsewhere."""
    return f"{settings.BASE_URL}{path}" if settings.BASE_URL else f"In the console: {path}"
