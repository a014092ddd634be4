from django.apps import AppConfig


class ReprocessingConfig(AppConfig):
    name = "reprocessing"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from jobs import kinds, reconciler
        from reprocessing import rollout
        from reprocessing.execution import KINDS
        from reprocessing.image_retention import Upkeep

        for kind in KINDS:
            kinds.register(kind)
        reconciler.also(Upkeep())
        reconciler.also(rollout.resume)
