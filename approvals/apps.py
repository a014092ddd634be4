from django.apps import AppConfig


class ApprovalsConfig(AppConfig):
    name = "approvals"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from approvals import gate
        from jobs import reconciler, submission

        submission.use(gate.submit, gate.permit)
        reconciler.also(gate.expire)
