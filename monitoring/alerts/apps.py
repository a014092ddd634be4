from django.apps import AppConfig


class AlertsConfig(AppConfig):
    name = "monitoring.alerts"
    label = "alerts"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from jobs import upkeep as clock
        from monitoring.alerts import evaluation, news
        from notifications.news import register

        register(news.SOURCE)
        clock.regularly(evaluation.by_the_clock, every=evaluation.EVERY, failing="Alerts were not looked for")
