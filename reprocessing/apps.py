from django.apps import AppConfig


class ReprocessingConfig(AppConfig):
    name = "reprocessing"

    def ready(self) -> None:
        from jobs import kinds
        from reprocessing.execution import KINDS

        for kind in KINDS:
            kinds.register(kind)
