"""What the database itself refuses, whoever asks: a decision by somebody who had a hand in asking, an approval without
the decisions that its policy wants, a changed plan, policy or decision.

ENABLE ALWAYS: the triggers fire in sessions that replicate, too. Who owns the tables can still take them away. The
functions look only into the schema of the console's tables, so that a temporary table cannot stand in for one.
"""

from django.db import migrations

PINNED = "SET search_path = public, pg_temp"
REFUSED = "USING ERRCODE = 'insufficient_privilege'"

FUNCTIONS = f"""
CREATE FUNCTION approvals_person(account integer) RETURNS integer LANGUAGE sql STABLE {PINNED} AS $$
    SELECT COALESCE((SELECT person_id FROM access_account WHERE user_id = account), account)
$$;

-- The persons who had a hand in asking for a job.
CREATE FUNCTION approvals_hands(job uuid) RETURNS SETOF integer LANGUAGE sql STABLE {PINNED} AS $$
    WITH asked AS (SELECT j.requested_by_id, p.options FROM jobs_job j JOIN jobs_plan p ON p.id = j.plan_id WHERE j.id = job)
    SELECT approvals_person(requested_by_id) FROM asked
    UNION SELECT approvals_person(found::integer)
        FROM asked, jsonb_array_elements_text(COALESCE(options -> 'origin' -> 'authors', '[]')) found
    UNION SELECT approvals_person(found::integer)
        FROM asked, jsonb_array_elements_text(COALESCE(options -> 'asked_before_by', '[]')) found
$$;

CREATE FUNCTION approvals_holds(account integer, role text) RETURNS boolean LANGUAGE sql STABLE {PINNED} AS $$
    SELECT EXISTS (
        SELECT FROM auth_user u JOIN auth_user_groups m ON m.user_id = u.id JOIN auth_group g ON g.id = m.group_id
        WHERE u.id = account AND u.is_active AND g.name = role)
$$;

-- How many distinct people have approved a stage of a request, by its digest.
CREATE FUNCTION approvals_given(request bigint, of_stage integer) RETURNS bigint LANGUAGE sql STABLE {PINNED} AS $$
    SELECT count(DISTINCT d.person) FROM approvals_decision d JOIN approvals_request r ON r.id = d.request_id
    WHERE r.id = request AND d.stage = of_stage AND d.verdict = 'approve' AND d.digest = r.digest
$$;

CREATE FUNCTION approvals_stage_is_complete(request approvals_request, of_stage integer) RETURNS boolean
LANGUAGE sql STABLE {PINNED} AS $$
    SELECT COALESCE(
        (request.policy -> 'stages' -> of_stage ->> 'approvals')::integer BETWEEN 1 AND approvals_given(request.id, of_stage),
        false)
$$;

CREATE FUNCTION approvals_only_added_to() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    RAISE EXCEPTION 'What was decided and said stays: % on % is refused.', TG_OP, TG_TABLE_NAME {REFUSED};
END $$;

CREATE FUNCTION approvals_check_decision() RETURNS trigger LANGUAGE plpgsql {PINNED} AS $$
DECLARE
    request approvals_request;
    job jobs_job;
    named jsonb;
BEGIN
    SELECT * INTO request FROM approvals_request WHERE id = NEW.request_id FOR UPDATE;
    SELECT * INTO job FROM jobs_job WHERE id = request.job_id;
    IF request.state IS DISTINCT FROM 'pending' OR job.state IS DISTINCT FROM 'awaiting approval' THEN
        RAISE EXCEPTION 'The request is not open for a decision.' {REFUSED};
    END IF;
    IF request.expires_at < clock_timestamp() THEN
        RAISE EXCEPTION 'The request has expired.' {REFUSED};
    END IF;
    IF NEW.digest IS DISTINCT FROM request.digest
        OR NEW.digest IS DISTINCT FROM (SELECT digest FROM jobs_plan WHERE id = job.plan_id) THEN
        RAISE EXCEPTION 'The decision is about another plan.' {REFUSED};
    END IF;
    NEW.person := approvals_person(NEW.reviewer_id);
    NEW.at := clock_timestamp();
    IF NEW.person IN (SELECT approvals_hands(job.id)) THEN
        RAISE EXCEPTION 'Who had a hand in asking does not decide.' {REFUSED};
    END IF;
    IF EXISTS (SELECT FROM approvals_decision d WHERE d.request_id = request.id
            AND approvals_person(d.reviewer_id) = NEW.person) THEN
        RAISE EXCEPTION 'A person decides once.' {REFUSED};
    END IF;
    named := request.policy -> 'stages' -> NEW.stage -> 'groups';
    IF NOT COALESCE(jsonb_typeof(named) = 'array' AND named ? NEW.role
            OR NEW.role = request.escalates_to AND request.escalates_at <= clock_timestamp() AND named IS NOT NULL, false)
        OR NOT approvals_holds(NEW.reviewer_id, NEW.role) THEN
        RAISE EXCEPTION 'The policy of the request does not name a role of this account.' {REFUSED};
    END IF;
    IF NEW.verdict <> 'approve' THEN
        RETURN NEW;
    END IF;
    IF approvals_stage_is_complete(request, NEW.stage) THEN
        RAISE EXCEPTION 'The stage has its approvals.' {REFUSED};
    END IF;
    IF COALESCE((request.policy ->> 'in_sequence')::boolean, true) AND EXISTS (
            SELECT FROM generate_series(0, NEW.stage - 1) earlier
            WHERE NOT approvals_stage_is_complete(request, earlier)) THEN
        RAISE EXCEPTION 'The stage is not open yet.' {REFUSED};
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION approvals_check_new_request() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF NEW.state <> 'pending' THEN
        RAISE EXCEPTION 'A request begins as pending.' {REFUSED};
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION approvals_check_request() RETURNS trigger LANGUAGE plpgsql {PINNED} AS $$
DECLARE
    stages integer;
BEGIN
    IF (NEW.id, NEW.job_id, NEW.digest, NEW.policy, NEW.why, NEW.created_at, NEW.follows_id, NEW.escalates_to, NEW.escalates_at)
        IS DISTINCT FROM
       (OLD.id, OLD.job_id, OLD.digest, OLD.policy, OLD.why, OLD.created_at, OLD.follows_id, OLD.escalates_to, OLD.escalates_at)
        OR NEW.expires_at > OLD.expires_at THEN
        RAISE EXCEPTION 'A request keeps its digest, its policy and its time.' {REFUSED};
    END IF;
    IF (NEW.window, NEW.valid_until) IS DISTINCT FROM (OLD.window, OLD.valid_until)
        AND (OLD.state <> 'pending' OR OLD.window IS NOT NULL AND NEW.window IS DISTINCT FROM OLD.window) THEN
        RAISE EXCEPTION 'When a job may begin is said with its approval.' {REFUSED};
    END IF;
    IF NEW.state = OLD.state THEN
        RETURN NEW;
    END IF;
    IF OLD.state <> 'pending' AND NOT (OLD.state = 'approved' AND NEW.state = 'void') THEN
        RAISE EXCEPTION 'The request is decided: it stays %.', OLD.state {REFUSED};
    END IF;
    IF NEW.state = 'approved' THEN
        stages := jsonb_array_length(NEW.policy -> 'stages');
        IF COALESCE(stages, 0) = 0
            OR EXISTS (SELECT FROM approvals_decision d WHERE d.request_id = NEW.id AND d.verdict <> 'approve')
            OR EXISTS (SELECT FROM generate_series(0, stages - 1) n WHERE NOT approvals_stage_is_complete(NEW, n)) THEN
            RAISE EXCEPTION 'The request has not the approvals that its policy wants.' {REFUSED};
        END IF;
    ELSIF NEW.state = 'emergency' AND NOT EXISTS (SELECT FROM approvals_emergency WHERE request_id = NEW.id) THEN
        RAISE EXCEPTION 'Nobody has taken it upon themselves to let it through.' {REFUSED};
    ELSIF NEW.state IN ('rejected', 'changes asked') AND NOT EXISTS (
            SELECT FROM approvals_decision d WHERE d.request_id = NEW.id AND d.verdict <> 'approve') THEN
        RAISE EXCEPTION 'Nobody has decided that.' {REFUSED};
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION approvals_check_new_emergency() RETURNS trigger LANGUAGE plpgsql {PINNED} AS $$
DECLARE
    request approvals_request;
BEGIN
    SELECT * INTO request FROM approvals_request WHERE id = NEW.request_id FOR UPDATE;
    NEW.person := approvals_person(NEW.by_id);
    IF request.state <> 'pending' OR request.digest <> NEW.digest OR request.expires_at < clock_timestamp()
        OR NEW.state <> 'to review' OR NEW.reviewed_by_id IS NOT NULL OR length(btrim(NEW.reason)) < 20
        OR NEW.due > clock_timestamp() + interval '24 hours 1 minute'
        OR NOT EXISTS (SELECT FROM auth_user WHERE id = NEW.by_id AND is_active) THEN
        RAISE EXCEPTION 'This cannot be let through.' {REFUSED};
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION approvals_check_emergency() RETURNS trigger LANGUAGE plpgsql {PINNED} AS $$
BEGIN
    IF (NEW.id, NEW.request_id, NEW.by_id, NEW.person, NEW.reason, NEW.digest, NEW.at, NEW.due)
        IS DISTINCT FROM (OLD.id, OLD.request_id, OLD.by_id, OLD.person, OLD.reason, OLD.digest, OLD.at, OLD.due)
        OR OLD.state <> 'to review' AND NEW IS DISTINCT FROM OLD THEN
        RAISE EXCEPTION 'An emergency stays as it was written down.' {REFUSED};
    END IF;
    IF NEW.state <> 'to review' AND (NEW.reviewed_by_id IS NULL
        OR approvals_person(NEW.reviewed_by_id) = approvals_person(NEW.by_id)
        OR approvals_person(NEW.reviewed_by_id) IN (
            SELECT approvals_hands(job_id) FROM approvals_request WHERE id = NEW.request_id)) THEN
        RAISE EXCEPTION 'Somebody else reviews an emergency.' {REFUSED};
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION approvals_check_plan() RETURNS trigger LANGUAGE plpgsql {PINNED} AS $$ BEGIN
    IF EXISTS (SELECT FROM jobs_job j JOIN approvals_request r ON r.job_id = j.id WHERE j.plan_id = OLD.id) THEN
        RAISE EXCEPTION 'A plan that a decision is asked about stays as it is.' {REFUSED};
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION approvals_check_job() RETURNS trigger LANGUAGE plpgsql {PINNED} AS $$
DECLARE
    asked text;
BEGIN
    IF (NEW.id, NEW.plan_id, NEW.kind, NEW.requested_by_id, NEW.parent_id, NEW.undoes_id, NEW.dry_run)
        IS DISTINCT FROM (OLD.id, OLD.plan_id, OLD.kind, OLD.requested_by_id, OLD.parent_id, OLD.undoes_id, OLD.dry_run) THEN
        RAISE EXCEPTION 'What a job is, and who asked for it, stays.' {REFUSED};
    END IF;
    SELECT state INTO asked FROM approvals_request WHERE job_id = NEW.id;
    IF asked IS NOT NULL AND NEW.state IS DISTINCT FROM OLD.state AND NEW.state IN ('queued', 'running') AND (
            asked NOT IN ('approved', 'emergency')
            OR OLD.state NOT IN ('awaiting approval', 'queued', 'running', 'paused')) THEN
        RAISE EXCEPTION 'The job has no approval for this.' {REFUSED};
    END IF;
    RETURN NEW;
END $$;
"""

# (table, name of the trigger, when, function)
TRIGGERS = (
    ("approvals_decision", "checked", "BEFORE INSERT ON approvals_decision FOR EACH ROW", "approvals_check_decision"),
    ("approvals_decision", "kept", "BEFORE UPDATE OR DELETE ON approvals_decision FOR EACH ROW", "approvals_only_added_to"),
    ("approvals_decision", "kept_table", "BEFORE TRUNCATE ON approvals_decision", "approvals_only_added_to"),
    ("approvals_comment", "kept", "BEFORE UPDATE OR DELETE ON approvals_comment FOR EACH ROW", "approvals_only_added_to"),
    ("approvals_comment", "kept_table", "BEFORE TRUNCATE ON approvals_comment", "approvals_only_added_to"),
    ("approvals_request", "begins", "BEFORE INSERT ON approvals_request FOR EACH ROW", "approvals_check_new_request"),
    ("approvals_request", "checked", "BEFORE UPDATE ON approvals_request FOR EACH ROW", "approvals_check_request"),
    ("approvals_request", "kept", "BEFORE DELETE ON approvals_request FOR EACH ROW", "approvals_only_added_to"),
    ("approvals_request", "kept_table", "BEFORE TRUNCATE ON approvals_request", "approvals_only_added_to"),
    ("approvals_emergency", "begins", "BEFORE INSERT ON approvals_emergency FOR EACH ROW", "approvals_check_new_emergency"),
    ("approvals_emergency", "checked", "BEFORE UPDATE ON approvals_emergency FOR EACH ROW", "approvals_check_emergency"),
    ("approvals_emergency", "kept", "BEFORE DELETE ON approvals_emergency FOR EACH ROW", "approvals_only_added_to"),
    ("approvals_emergency", "kept_table", "BEFORE TRUNCATE ON approvals_emergency", "approvals_only_added_to"),
    (
        "jobs_plan",
        "approvals_checked",
        "BEFORE UPDATE ON jobs_plan FOR EACH ROW WHEN (OLD IS DISTINCT FROM NEW)",
        "approvals_check_plan",
    ),
    (
        "jobs_job",
        "approvals_checked",
        "BEFORE UPDATE OF id, plan_id, kind, requested_by_id, parent_id, undoes_id, dry_run, state ON jobs_job FOR EACH ROW",
        "approvals_check_job",
    ),
)
MADE = "".join(
    f"CREATE TRIGGER {name} {when} EXECUTE FUNCTION {function}();"
    f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {name};"
    for table, name, when, function in TRIGGERS
)
GONE = "".join(f"DROP TRIGGER {name} ON {table};" for table, name, _when, _function in TRIGGERS) + """
DROP FUNCTION approvals_check_job, approvals_check_plan, approvals_check_emergency, approvals_check_new_emergency,
    approvals_check_request, approvals_check_new_request, approvals_check_decision, approvals_only_added_to,
    approvals_stage_is_complete, approvals_given, approvals_holds, approvals_hands, approvals_person;
"""


class Migration(migrations.Migration):

    dependencies = [('approvals', '0002_requests')]

    operations = [migrations.RunSQL(FUNCTIONS + MADE, GONE)]
