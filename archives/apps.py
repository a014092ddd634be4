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
            retaining,
            upkeep,
        )
        from jobs import kinds
        from jobs import upkeep as clock

        archive = (
            keeping.KIND,
            archiving_cold.KIND,
            cutting.KIND,
            retaining.KIND,
            cleaning.KIND,
            *cooling.KINDS,
            *restore_kind.KINDS,
        )
        for kind in (*archive, backing_up.KIND, drills.KIND, recovering.KIND):
            kinds.register(kind)
        for room, told in (
            (upkeep, "The upkeep of archives stopped"),
            (cold_upkeep, "The upkeep of the cold tier stopped"),
            (restore_upkeep, "The tidying after restores stopped"),
            (recovery_upkeep, "The upkeep of recovery stopped"),
        ):
            clock.regularly(room.by_the_clock, every=room.EVERY, failing=told)
