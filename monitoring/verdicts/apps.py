from django.apps import AppConfig


class VerdictsConfig(AppConfig):
    name = "monitoring.verdicts"
    label = "quality"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from jobs.upkeep import regularly
        from monitoring.verdicts import acting, upkeep, waves
        from reprocessing import rule_kinds, wave_checks

        rule_kinds.register(acting.BAD_VERDICT)
        rule_kinds.register(acting.WRONG_QUARANTINED)
        wave_checks.judged_by(waves.of_wave)
        regularly(upkeep.by_the_clock, every=upkeep.EVERY, failing="New files could not be judged")
