import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

# What was decided before policies were kept with a request.
FORMER = """
UPDATE approvals_request SET policy = jsonb_build_object(
    'rule', 'default', 'version', 0, 'why', why, 'in_sequence', true,
    'stages', '[{"groups": ["reviewer", "administrator"], "approvals": 1}]'::jsonb);
UPDATE approvals_decision d SET
    person = reviewer_id,
    verdict = CASE WHEN approved THEN 'approve' ELSE 'reject' END,
    role = COALESCE((
        SELECT g.name FROM auth_user_groups m JOIN auth_group g ON g.id = m.group_id
        WHERE m.user_id = d.reviewer_id AND g.name IN ('reviewer', 'administrator') ORDER BY g.name DESC LIMIT 1), '');
"""


class Migration(migrations.Migration):

    dependencies = [
        ('access', '0001_initial'),
        ('approvals', '0001_initial'),
        ('jobs', '0004_requests'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField('request', 'policy', models.JSONField(default=dict)),
        migrations.AddField('request', 'follows', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='approvals.request')),
        migrations.AddField('request', 'escalates_to', models.CharField(blank=True, default='', max_length=150), preserve_default=False),
        migrations.AddField('request', 'escalates_at', models.DateTimeField(null=True)),
        migrations.AddField('request', 'escalated', models.BooleanField(default=False)),
        migrations.AddField('request', 'reminded', models.PositiveSmallIntegerField(default=0)),
        migrations.AddField('request', 'window', models.JSONField(null=True)),
        migrations.AddField('request', 'valid_until', models.DateTimeField(null=True)),
        migrations.AlterField('request', 'state', models.CharField(choices=[('pending', 'Pending'), ('approved', 'Approved'), ('rejected', 'Rejected'), ('changes asked', 'Changes asked for'), ('withdrawn', 'Withdrawn'), ('emergency', 'Let through in an emergency'), ('void', 'Void')], default='pending', max_length=20)),
        migrations.AddField('decision', 'person', models.IntegerField(default=0), preserve_default=False),
        migrations.AddField('decision', 'verdict', models.CharField(choices=[('approve', 'Approved'), ('reject', 'Rejected'), ('changes', 'Asked for changes')], default='reject', max_length=10), preserve_default=False),
        migrations.AddField('decision', 'stage', models.PositiveSmallIntegerField(default=0)),
        migrations.AddField('decision', 'role', models.CharField(default='', max_length=150), preserve_default=False),
        migrations.RunSQL(FORMER, migrations.RunSQL.noop),
        migrations.RemoveField('decision', 'approved'),
        migrations.AlterModelOptions('decision', {'ordering': ['at', 'pk']}),
        migrations.AddConstraint('decision', models.UniqueConstraint(fields=['request', 'person'], name='a_person_decides_once')),
        migrations.CreateModel(
            name='Comment',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('text', models.CharField(max_length=2000)),
                ('at', models.DateTimeField(auto_now_add=True)),
                ('author', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('request', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='comments', to='approvals.request')),
            ],
            options={'ordering': ['at', 'pk']},
        ),
        migrations.CreateModel(
            name='Window',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=60, unique=True)),
                ('weekdays', models.JSONField(default=list)),
                ('begins', models.TimeField()),
                ('ends', models.TimeField()),
                ('zone', models.CharField(max_length=64)),
            ],
            options={'ordering': ['name']},
        ),
        migrations.CreateModel(
            name='Emergency',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('person', models.IntegerField()),
                ('reason', models.CharField(max_length=500)),
                ('digest', models.CharField(max_length=64)),
                ('at', models.DateTimeField(auto_now_add=True)),
                ('due', models.DateTimeField()),
                ('state', models.CharField(choices=[('to review', 'To review'), ('justified', 'Justified'), ('not justified', 'Not justified')], default='to review', max_length=20)),
                ('reviewed_at', models.DateTimeField(null=True)),
                ('note', models.CharField(blank=True, max_length=500)),
                ('overdue_told', models.BooleanField(default=False)),
                ('by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('request', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='emergency', to='approvals.request')),
                ('reviewed_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={'ordering': ['-at']},
        ),
    ]
