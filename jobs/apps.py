from django.apps import AppConfig


class JobsConfig(AppConfig):
    name = "jobs"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from audit import sealing
        from jobs import actors, reconciler, relay, tidying
        from warehouse import commands

        commands.on_refusal(actors.note_refusal)
        reconciler.also(tidying.sweep)
        reconciler.also(relay.upkeep)
        reconciler.also(sealing.upkeep)
