from django.apps import AppConfig


class ArchivesConfig(AppConfig):
    name = "archives"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from archives import cleaning, cutting, keeping, restore_kind, restore_upkeep, upkeep
        from jobs import kinds, reconciler

        for kind in (keeping.KIND, cutting.KIND, cleaning.KIND, *restore_kind.KINDS):
            kinds.register(kind)
        reconciler.also(upkeep.Upkeep())
        reconciler.also(restore_upkeep.Upkeep())
