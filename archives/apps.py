from django.apps import AppConfig


class ArchivesConfig(AppConfig):
    name = "archives"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from archives import cleaning, cutting, keeping
        from archives.upkeep import Upkeep
        from jobs import kinds, reconciler

        for kind in (keeping.KIND, cutting.KIND, cleaning.KIND):
            kinds.register(kind)
        reconciler.also(Upkeep())
