"""`manage.py alerts [list | acknowledge ID | snooze ID --hours N | resolve ID --reason TEXT]`."""

from argparse import SUPPRESS
from datetime import timedelta
from typing import Any

from django.core.management.base import CommandParser
from django.utils import timezone

from audit.transitions import StateChangedError
from jobs import actors
from monitoring.alerts import lifecycle
from monitoring.alerts.models import Alert, Heartbeat
from warehouse.commands import JSON, AnsweringCommand, Refusal, answer, offer_json

MOST_HOURS = 720.0


class Command(AnsweringCommand):
    help = "Lists the alerts that are not over (the worst first), takes one on, snoozes or resolves it."

    def add_arguments(self, parser: CommandParser) -> None:
        offer_json(parser)
        actions = parser.add_subparsers(dest="action", metavar="ACTION")
        actions.add_parser("list", help="what is wrong now (this is done where no action is named)")
        for name, does in (
            ("acknowledge", "take it on"),
            ("snooze", "silent for some hours"),
            ("resolve", "dealt with"),
        ):
            action = actions.add_parser(name, help=does)
            action.add_argument("alert", type=int, help="its number")
            action.add_argument("--as", dest="actor", help="the console's account to act as (named like yours)")
            if name != "acknowledge":
                action.add_argument("--reason", required=True, help="why; it is kept with the alert")
            if name == "snooze":
                action.add_argument("--hours", type=float, default=1.0)
        for action in actions.choices.values():
            action.add_argument(JSON, action="store_true", default=SUPPRESS, help="print one JSON object")

    def handle(self, *, action: str | None, **options: Any) -> None:
        with answer(self, as_json=options["json"]) as said:
            if action in (None, "list"):
                found = list(Alert.objects.filter(state__in=Alert.LIVING).select_related("rule", "owner"))
                beat = Heartbeat.objects.filter(pk=1).first()
                said.result = {
                    "alerts": [_as_json(alert) for alert in found],
                    "looked_at": beat.at.isoformat() if beat and beat.at else None,
                    "problem": beat.problem if beat else "",
                }
                for alert in found:
                    said.line(f"{alert.pk}  {alert.severity}  {alert.state}  {alert}: {alert.told}")
                if not found:
                    said.line("Nothing alerts.")
                return
            said.result = _as_json(self._act(action or "", options))
            said.line(f"Alert {said.result['id']} is {said.result['state']}.")

    def _act(self, action: str, options: dict[str, Any]) -> Alert:
        alert = Alert.objects.select_related("rule", "owner").filter(pk=options["alert"]).first()
        if alert is None:
            raise Refusal(f"There is no alert {options['alert']}.")
        actor, now = actors.of_shell(options["actor"]), timezone.now()
        try:
            if action == "acknowledge":
                lifecycle.acknowledge(alert, actor)
            elif action == "snooze":
                hours = options["hours"] if 0 < options["hours"] <= MOST_HOURS else 0.0
                lifecycle.snooze(alert, actor, until=now + timedelta(hours=hours), reason=options["reason"], now=now)
            else:
                lifecycle.resolve(alert, actor, reason=options["reason"], now=now)
        except StateChangedError as error:
            raise Refusal(f"The alert is {alert.state}; nothing was changed.") from error
        return alert


def _as_json(alert: Alert) -> dict[str, Any]:
    return {
        "id": alert.pk,
        "rule": alert.rule.name,
        "series": alert.series,
        "cause": alert.cause,
        "severity": alert.severity,
        "state": alert.state,
        "told": alert.told,
        "count": alert.count,
        "owner": alert.owner.get_username() if alert.owner else None,
        "opened": alert.opened_at.isoformat(),
        "last": alert.last_at.isoformat(),
        "cases": [{name: case[name] for name in ("subject", "value", "at")} for case in alert.cases],
    }
