"""A job can make jobs as parts of itself, pause between them, do a part only, and be quarantined."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("jobs", "0002_several_runs_a_job")]

    operations = [
        migrations.AddField(
            model_name="job",
            name="parent",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.PROTECT, related_name="children", to="jobs.job"
            ),
        ),
        migrations.AlterField(
            model_name="job",
            name="state",
            field=models.CharField(
                choices=[
                    ("previewing", "Preview being made"),
                    ("previewed", "Dry run done"),
                    ("awaiting approval", "Awaiting approval"),
                    ("queued", "Queued"),
                    ("running", "Running"),
                    ("paused", "Paused"),
                    ("succeeded", "Succeeded"),
                    ("partial", "Succeeded in part"),
                    ("failed", "Failed"),
                    ("quarantined", "Quarantined"),
                    ("cancelled", "Cancelled"),
                    ("rejected", "Rejected"),
                    ("rolled back", "Rolled back"),
                ],
                default="previewing",
                max_length=20,
            ),
        ),
    ]
