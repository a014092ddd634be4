from django.apps import AppConfig


class ReprocessingConfig(AppConfig):
    name = "reprocessing"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from jobs import kinds, reconciler, upkeep
        from reprocessing import image_retention, rollout, rule_kinds
        from reprocessing.execution import KINDS

        for kind in KINDS:
            kinds.register(kind)
        for rule in rule_kinds.KINDS:
            rule_kinds.register(rule)
        upkeep.regularly(
            image_retention.by_the_clock, every=image_retention.EVERY, failing="Before-images could not be purged"
        )
        reconciler.also(rollout.resume)
