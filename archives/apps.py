from django.apps import AppConfig


class ArchivesConfig(AppConfig):
    name = "archives"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from archives import (
            backing_up,
            cleaning,
            cutting,
            drills,
            keeping,
            recovering,
            recovery_upkeep,
            restore_kind,
            restore_upkeep,
            upkeep,
        )
        from jobs import kinds, reconciler

        archive = (keeping.KIND, cutting.KIND, cleaning.KIND, *restore_kind.KINDS)
        for kind in (*archive, backing_up.KIND, drills.KIND, recovering.KIND):
            kinds.register(kind)
        for one in (upkeep.Upkeep(), restore_upkeep.Upkeep(), recovery_upkeep.Upkeep()):
            reconciler.also(one)
