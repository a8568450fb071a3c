-- name: report_case
-- A case with what the desk knows of it.
select f.case_id, f.status, f.title, f.entity, f.kind, f.outcome, f.severity, f.hits, f.members, f.started_at, f.last_at, f.expected_loss,
       f.loss_currency, f.loss_words, f.assignee, f.tags, f.reason, f.reason_text, f.opened_at, f.acknowledged_at, f.closed_at, f.closed_by
from case_files f where f.tenant = %(tenant)s and f.case_id = %(case_id)s and f.head is null;

-- name: report_members
-- The case and its members with the rulings in force on them.
select f.case_id, f.entity, f.joined_because, f.own_severity as severity, r.ruling_id, r.outcome, r.action, r.confidence, r.root_cause, r.next_steps,
       r.council, r.model, r.why, r.citations, r.ruled_at, r.brief_hash
from case_files f left join rulings r on r.case_id = f.case_id and r.in_force
where f.tenant = %(tenant)s and (f.case_id = %(case_id)s or f.head = %(case_id)s)
order by f.own_severity desc, f.case_id;

-- name: report_evidence
-- The flagged events of the case and its members, in the order of their time.
select a.anomaly_id, a.event_id, a.event_time, a.entity, a.detector, a.value, a.expected, a.low, a.high, a.unit, a.severity,
       a.event ->> 'counterparty_id' as counterparty, a.event ->> 'currency' as currency, a.event ->> 'message' as message
from case_files f join cases c using (case_id) join anomalies a on a.episode_id = c.episode_id
where f.tenant = %(tenant)s and (f.case_id = %(case_id)s or f.head = %(case_id)s)
order by a.event_time, a.anomaly_id limit %(limit)s;

-- name: report_commands
-- What was proposed, who decided, and what became of it.
select m.action, m.target, m.state, m.reason, m.decided_by, m.decided_at, m.decision, m.executed_at
from commands m join case_files f using (case_id)
where f.tenant = %(tenant)s and (f.case_id = %(case_id)s or f.head = %(case_id)s) order by m.created_at, m.command_id;

-- name: export_cases
-- Cases as people work on them.
select f.case_id, f.status, f.title, f.entity, f.kind, f.outcome, f.severity, f.hits, f.members, f.started_at, f.last_at, f.expected_loss,
       f.loss_currency, f.assignee, array_to_string(f.tags, ' ') as tags, f.reason, f.opened_at, f.acknowledged_at, f.closed_at
from case_files f where f.tenant = %(tenant)s and f.head is null and (%(since)s::timestamptz is null or f.opened_at >= %(since)s)
order by f.opened_at desc, f.case_id limit %(limit)s;

-- name: export_anomalies
-- Flagged events.
select anomaly_id, event_id, event_time, entity, detector, value, expected, low, high, unit, severity, window_size, detected_at from anomalies
where tenant = %(tenant)s and (%(since)s::timestamptz is null or event_time >= %(since)s) order by event_time desc, anomaly_id limit %(limit)s;

-- name: export_rulings
-- Rulings, superseded ones too.
select ruling_id, case_id, revision, council, model, outcome, action, confidence, root_cause, in_force, why, ruled_at, latency_ms from rulings
where tenant = %(tenant)s and (%(since)s::timestamptz is null or ruled_at >= %(since)s) order by ruled_at desc, ruling_id limit %(limit)s;

-- name: export_commands
-- Commands and what became of them.
select command_id, case_id, action, target, state, reason, decided_by, decided_at, executed_at, created_at from commands
where tenant = %(tenant)s and (%(since)s::timestamptz is null or created_at >= %(since)s) order by created_at desc, command_id limit %(limit)s;

-- name: export_entities
-- Everything that has a window.
select entity, kind, first_seen, arrived_at from entities
where tenant = %(tenant)s and (%(since)s::timestamptz is null or arrived_at >= %(since)s) order by arrived_at desc, entity limit %(limit)s;

-- name: export_feedback
-- What people said.
select feedback_id, about, subject_id, case_id, verdict, reason, comment, actor, via, shown_hash, at from feedback
where tenant = %(tenant)s and (%(since)s::timestamptz is null or at >= %(since)s) order by feedback_id desc limit %(limit)s;

-- name: export_quarantine
-- Refused records, without their content.
select record_id, position, reason, field, size, state, arrived_at from quarantined
where tenant = %(tenant)s and (%(since)s::timestamptz is null or arrived_at >= %(since)s) order by arrived_at desc, record_id limit %(limit)s;

-- name: export_metrics
-- Minutes of services and series.
select bucket, entity, count, errors, mean, std, min, max, p50, p95, anomalies, late, duplicates from metric_minutes
where tenant = %(tenant)s and (%(since)s::timestamptz is null or bucket >= %(since)s) order by bucket desc, entity limit %(limit)s;
