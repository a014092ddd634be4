from django.apps import AppConfig


class LineageConfig(AppConfig):
    name = "lineage"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from jobs import upkeep
        from lineage import emitting

        upkeep.regularly(emitting.by_the_clock, every=emitting.EVERY, failing="OpenLineage events wait")
