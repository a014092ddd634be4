"""What alerts have to tell: that one opens, comes again, has a further case, or is over."""

from collections.abc import Sequence

from django.utils import timezone

from access import rights
from audit.models import Event
from monitoring.alerts.lifecycle import AGAIN, OPENED
from monitoring.alerts.models import Alert, Rule
from notifications.models import Topic
from notifications.news import News, Source
from warehouse.amounts import things

REOPENED, RESOLVED = "alert reopened", "alert resolved"
SAID = {OPENED: "", AGAIN: " (again)", REOPENED: " (it is back)", RESOLVED: " is over"}


def tell(events: Sequence[Event]) -> list[News]:
    """All alerts of one cause go together: one message for each key and window, however many rules fire."""
    ids = {int(event.subject.partition(":")[2]) for event in events}
    alerts = Alert.objects.select_related("rule").in_bulk([*ids])
    keepers = rights.holder_ids(rights.MANAGE_ALERTS)
    found = []
    for event in events:
        alert = alerts.get(int(event.subject.partition(":")[2]))
        if alert is not None:
            found.append(_news(event, alert, keepers))
    return found


def _news(event: Event, alert: Alert, keepers: frozenset[int]) -> News:
    over = event.action == RESOLVED
    flaps = " It comes and goes: from now on only its beginnings are told." if event.detail.get("begins") else ""
    state = "ok" if over else "bad" if alert.severity == Rule.Severity.CRITICAL else "attention"
    cases = f"{things(alert.count, 'case')} since {timezone.localtime(alert.opened_at):%Y-%m-%d %H:%M %Z}."
    return News(
        topic=Topic.ALERT,
        key=f"{'over' if over else 'alert'}:{alert.cause}",
        title=f"{alert.rule}: {alert.series}{SAID[event.action]}",
        many=f"{{count}} alerts about {alert.cause}{' are over' if over else ''}",
        path=alert.get_absolute_url(),
        all_path="/alerts/",
        state=state,
        lines=(f"{alert.told}.{flaps}", cases, *((f"What to do: {alert.rule.todo}",) if alert.rule.todo else ())),
        concerned=keepers | ({alert.owner_id} if alert.owner_id else frozenset()),
    )


def _wanted(event: Event) -> bool:
    """Not each change of what comes and goes; and not what a person has closed: they know."""
    if event.action == RESOLVED and event.actor_id:
        return False
    return not event.detail.get("flapping") or bool(event.detail.get("begins"))


SOURCE = Source(frozenset(SAID), tell, _wanted)
