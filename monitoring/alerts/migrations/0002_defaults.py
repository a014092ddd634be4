from django.db import migrations
from django.utils import timezone

HOUR = 3600.0
RULES = [
    dict(name="A load run takes more than 4 h", metric="run duration", threshold=4 * HOUR, severity="critical",
         todo="See whether it still goes, and what it waits for."),
    dict(name="A job takes more than 4 h", metric="job duration", threshold=4 * HOUR, severity="critical",
         todo="Its page says how far it is; it can be cancelled before it publishes."),
    dict(name="More than 5 % of a load run is refused", metric="run error rate", threshold=0.05,
         todo="Its page names the causes; reprocess it once the source or the rule is mended."),
    dict(name="More than 5 % of a job is refused", metric="job error rate", threshold=0.05,
         todo="Its page names the causes."),
    dict(name="A load run has more than 1,000,000 records", metric="run records", threshold=1_000_000,
         todo="See whether the source has sent a whole history."),
    dict(name="A job has more than 1,000,000 records", metric="job records", threshold=1_000_000),
    dict(name="A rollback", metric="rollback", threshold=0, every=True, severity="critical",
         todo="Published rows are taken back: see the job that it is about."),
    dict(name="3 of the last 5 jobs failed", metric="job failed", threshold=0, x=3, y=5, severity="critical"),
    dict(name="A circuit breaker is open", metric="breaker", threshold=0,
         todo="Nothing of this extract is reprocessed until it is reset."),
    dict(name="Jobs wait for a worker", metric="queue age", threshold=0.25 * HOUR, x=2, y=2, recover=2,
         severity="critical", todo="See whether a worker runs: manage.py worker."),
    dict(name="Nothing of an extract for 36 h", metric="freshness", threshold=36 * HOUR, state="paused",
         todo="See whether the source delivers, and whether its loads run."),
    dict(name="A load run takes twice as long as usual", metric="run duration", threshold=2, relative=True,
         state="paused"),
    dict(name="A request waits for a decision for a day", metric="decision age", threshold=24 * HOUR, state="paused"),
]


def fill(apps, schema_editor):
    rule = apps.get_model("alerts", "Rule")
    now = timezone.now()
    rule.objects.bulk_create(rule(active_from=now, **given) for given in RULES)
    apps.get_model("alerts", "Heartbeat").objects.create(pk=1)


def empty(apps, schema_editor):
    apps.get_model("alerts", "Rule").objects.all().delete()


class Migration(migrations.Migration):
    dependencies = [("alerts", "0001_rules_and_alerts")]
    operations = [migrations.RunPython(fill, empty)]
