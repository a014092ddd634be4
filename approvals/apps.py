from django.apps import AppConfig
from django.core.checks import register


class ApprovalsConfig(AppConfig):
    name = "approvals"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from approvals import closing, gate, settings_check
        from jobs import reconciler, submission
        from warehouse.commands import CHECKS

        submission.use(gate.submit, gate.permit)
        reconciler.also(closing.upkeep)
        register(settings_check.roles, *CHECKS)
