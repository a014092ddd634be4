from django.apps import AppConfig


class ReprocessingConfig(AppConfig):
    name = "reprocessing"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from jobs import kinds, reconciler
        from reprocessing import rollout, rule_kinds
        from reprocessing.execution import KINDS
        from reprocessing.image_retention import Upkeep

        for kind in KINDS:
            kinds.register(kind)
        for rule in rule_kinds.KINDS:
            rule_kinds.register(rule)
        reconciler.also(Upkeep())
        reconciler.also(rollout.resume)
