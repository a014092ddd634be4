"""An approval counts as long as who gave it is active, holds the role by which they gave it, and has no hand in asking:
the database counts as the console does, so that somebody else can approve in the place of who has left."""

from django.db import migrations

GIVEN = """CREATE OR REPLACE FUNCTION approvals_given(request bigint, of_stage integer) RETURNS bigint LANGUAGE sql STABLE
SET search_path = public, pg_temp AS $$
    SELECT count(DISTINCT d.person) FROM approvals_decision d JOIN approvals_request r ON r.id = d.request_id
    WHERE r.id = request AND d.stage = of_stage AND d.verdict = 'approve' AND d.digest = r.digest{counting}
$$"""
COUNTING = """
        AND approvals_holds(d.reviewer_id, d.role)
        AND approvals_person(d.reviewer_id) NOT IN (SELECT approvals_hands(r.job_id))"""


class Migration(migrations.Migration):

    dependencies = [("approvals", "0004_rules")]

    operations = [migrations.RunSQL(GIVEN.format(counting=COUNTING), GIVEN.format(counting=""))]
