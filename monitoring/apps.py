from django.apps import AppConfig


class MonitoringConfig(AppConfig):
    name = "monitoring"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from jobs import reconciler, upkeep
        from monitoring import figures_upkeep, heartbeats, needs, needs_known

        for finder in needs_known.KNOWN:
            needs.register(finder)
        reconciler.also(heartbeats.worker)
        upkeep.regularly(
            figures_upkeep.by_the_clock,
            every=figures_upkeep.EVERY,
            failing="The dashboard's figures were not refreshed",
        )
