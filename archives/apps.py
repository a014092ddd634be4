from django.apps import AppConfig


class ArchivesConfig(AppConfig):
    name = "archives"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from archives import backing_up, drills, recovering
        from archives.recovery_upkeep import Upkeep
        from jobs import kinds, reconciler

        for kind in (backing_up.KIND, drills.KIND, recovering.KIND):
            kinds.register(kind)
        reconciler.also(Upkeep())
