-- name: desk_put_feedback
-- What somebody thinks; whoever watches the cases is told at commit.
with put as (
  insert into feedback (tenant, about, subject_id, case_id, verdict, reason, comment, actor, name, via, shown_hash, at)
  values (%(tenant)s, %(about)s, %(subject_id)s, %(case_id)s, %(verdict)s, %(reason)s, %(comment)s, %(actor)s, %(name)s, %(via)s,
          %(shown_hash)s, now()) returning *)
select put.*, pg_notify('cases', case_id) from put;

-- name: desk_shown_anomaly
-- An anomaly as it is shown, with its case.
select 'case-' || a.episode_id as case_id,
       jsonb_build_object('anomaly_id', a.anomaly_id, 'entity', a.entity, 'detector', a.detector, 'event_id', a.event_id,
                          'value', a.value, 'expected', a.expected, 'low', a.low, 'high', a.high, 'unit', a.unit,
                          'severity', a.severity, 'scores', a.scores, 'event', a.event) as shown
from anomalies a where a.tenant = %(tenant)s and a.anomaly_id = %(subject_id)s
  and exists (select from cases c where c.case_id = 'case-' || a.episode_id and c.tenant = a.tenant) limit 1;

-- name: desk_shown_ruling
-- A ruling as it is shown, with its case.
select r.case_id, jsonb_build_object('ruling_id', r.ruling_id, 'outcome', r.outcome, 'action', r.action, 'confidence', r.confidence,
                                     'root_cause', r.root_cause, 'brief_hash', r.brief_hash) as shown
from rulings r where r.tenant = %(tenant)s and r.ruling_id = %(subject_id)s;

-- name: desk_ruling_of_case
-- The ruling in force on a case.
select ruling_id from rulings where tenant = %(tenant)s and case_id = %(case_id)s and in_force;

-- name: desk_feedback
-- Feedback, the newest first; `counts`: the newest of that person about that thing.
select feedback_id, about, subject_id, case_id, verdict, reason, comment, actor, name, via, shown_hash, at,
       not exists (select from feedback n where n.tenant = b.tenant and n.about = b.about and n.subject_id = b.subject_id
                   and n.actor = b.actor and n.feedback_id > b.feedback_id) as counts
from feedback b
where tenant = %(tenant)s and (%(about)s::text is null or about = %(about)s) and (%(subject_id)s::text is null or subject_id = %(subject_id)s)
  and (%(case_id)s::text is null or case_id = %(case_id)s) and (%(after)s::bigint is null or feedback_id < %(after)s)
order by feedback_id desc limit %(limit)s;
