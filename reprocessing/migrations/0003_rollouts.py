"""Rollouts and their waves."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('jobs', '0003_parts_of_a_job'),
        ('reprocessing', '0002_schedules'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='Rollout',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('why', models.TextField(blank=True)),
                ('resume_at', models.DateTimeField(null=True)),
                ('promoted_all', models.BooleanField(default=False)),
                ('abort_reason', models.CharField(blank=True, max_length=500)),
                ('roll_back', models.BooleanField(default=False)),
                ('abort_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('job', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='rollout', to='jobs.job')),
                ('pause_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
        ),
        migrations.CreateModel(
            name='Wave',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('number', models.PositiveSmallIntegerField()),
                ('state', models.CharField(choices=[('waiting', 'Waiting'), ('running', 'Running'), ('passed', 'Checks passed'), ('failed', 'Checks failed'), ('inconclusive', 'Checks inconclusive'), ('stopped', 'Stopped'), ('rolled back', 'Rolled back')], default='waiting', max_length=12)),
                ('checks', models.JSONField(default=list)),
                ('job', models.OneToOneField(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='wave', to='jobs.job')),
                ('rollout', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='waves', to='reprocessing.rollout')),
            ],
            options={
                'ordering': ['number'],
                'constraints': [models.UniqueConstraint(fields=('rollout', 'number'), name='a_wave_is_made_once')],
            },
        ),
    ]
