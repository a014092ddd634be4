"""A job can wait in the queue for a time before which no worker takes it."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("jobs", "0003_parts_of_a_job")]

    operations = [migrations.AddField("job", "not_before", models.DateTimeField(null=True))]
