"""A job can be about several load runs: they move from the job to rows of their own."""

import django.db.models.deletion
from django.db import migrations, models

ACTIVE = ("previewing", "queued", "running", "awaiting approval")


def carry_over(apps, schema_editor):
    """A plan that was frozen before no longer has its digest: a job that still waits with it must be planned anew."""
    job_model, job_run = apps.get_model("jobs", "Job"), apps.get_model("jobs", "JobRun")
    for job in job_model.objects.select_related("plan").iterator():
        job_run.objects.create(job=job, load_run_id=job.load_run_id, held=job.state in ACTIVE)
        for items in (job.plan.included, job.plan.excluded):
            for item in items:
                item.setdefault("run", str(job.load_run_id))
        job.plan.save(update_fields=["included", "excluded"])


class Migration(migrations.Migration):
    dependencies = [("jobs", "0001_initial")]

    operations = [
        migrations.CreateModel(
            name="JobRun",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("load_run_id", models.UUIDField(db_index=True)),
                ("held", models.BooleanField(default=True)),
                (
                    "job",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="runs", to="jobs.job"
                    ),
                ),
            ],
            options={"ordering": ["id"]},
        ),
        migrations.RunPython(carry_over, migrations.RunPython.noop),
        migrations.RemoveConstraint(model_name="job", name="one_active_job_a_run"),
        migrations.RemoveField(model_name="job", name="load_run_id"),
        migrations.RemoveField(model_name="plan", name="load_run_id"),
        migrations.AddConstraint(
            model_name="jobrun",
            constraint=models.UniqueConstraint(fields=("job", "load_run_id"), name="a_run_once_a_job"),
        ),
        migrations.AddConstraint(
            model_name="jobrun",
            constraint=models.UniqueConstraint(
                condition=models.Q(("held", True)), fields=("load_run_id",), name="one_job_holds_a_run"
            ),
        ),
    ]
