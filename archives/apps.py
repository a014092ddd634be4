from django.apps import AppConfig


class ArchivesConfig(AppConfig):
    name = "archives"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from archives import (
            archiving_cold,
            backing_up,
            cleaning,
            cold_upkeep,
            cooling,
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

        archive = (keeping.KIND, archiving_cold.KIND, cutting.KIND, cleaning.KIND, *cooling.KINDS, *restore_kind.KINDS)
        for kind in (*archive, backing_up.KIND, drills.KIND, recovering.KIND):
            kinds.register(kind)
        for one in (upkeep.Upkeep(), cold_upkeep.Upkeep(), restore_upkeep.Upkeep(), recovery_upkeep.Upkeep()):
            reconciler.also(one)
