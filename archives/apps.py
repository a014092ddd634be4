from django.apps import AppConfig


class ArchivesConfig(AppConfig):
    name = "archives"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from archives import restore_kind
        from archives.restore_upkeep import Upkeep
        from jobs import kinds, reconciler

        for kind in restore_kind.KINDS:
            kinds.register(kind)
        reconciler.also(Upkeep())
