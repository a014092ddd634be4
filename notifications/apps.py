from datetime import timedelta

from django.apps import AppConfig


class NotificationsConfig(AppConfig):
    name = "notifications"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from audit import listeners
        from jobs import upkeep as clock
        from notifications import channel_news, job_news, news, upkeep

        listeners.register(news.note)
        news.register(job_news.SOURCE)
        news.register(channel_news.SOURCE)
        clock.regularly(upkeep.by_the_clock, every=upkeep.EVERY, failing="Notifications were not sent")
        clock.regularly(upkeep.prune, every=timedelta(hours=1), failing="Old notifications were not removed")
