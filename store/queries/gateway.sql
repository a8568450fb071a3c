-- name: claim_answer
-- Take a request key; no row when somebody has it (waits for one who is at it just now).
insert into answers (tenant, actor, request_key, body_hash, status, answer, created_at)
values (%(tenant)s, %(actor)s, %(request_key)s, %(body_hash)s, 0, '{}', %(now)s)
on conflict (tenant, actor, request_key) do nothing returning request_key;

-- name: stored_answer
-- What was answered to a request key, and to which body.
select body_hash, status, answer from answers
where tenant = %(tenant)s and actor = %(actor)s and request_key = %(request_key)s;

-- name: store_answer
-- The answer to a request key that was taken in this transaction.
update answers set status = %(status)s, answer = %(answer)s
where tenant = %(tenant)s and actor = %(actor)s and request_key = %(request_key)s;

-- name: pass_events
-- Note events as passed on; returns those that were not there before. Sorted, so that two requests cannot block each other.
insert into passed_events (tenant, id_hash, content_hash, passed_at)
select %(tenant)s, g.id_hash, g.content_hash, %(now)s
from unnest(%(ids)s::bigint[], %(contents)s::bigint[]) as g (id_hash, content_hash) order by g.id_hash
on conflict (tenant, id_hash) do nothing returning id_hash;

-- name: passed_contents
-- The content of events that were passed on before.
select id_hash, content_hash from passed_events where tenant = %(tenant)s and id_hash = any(%(ids)s::bigint[]);

-- name: forget_passed
-- Event ids that are no longer known.
delete from passed_events where passed_at < %(before)s;

-- name: forget_answers
-- Answers that are no longer given again.
delete from answers where created_at < %(before)s;

-- name: ingest_ends
-- How far ingest has come: the end offsets of its newest batch.
select offsets, committed_at from batches where job = 'ingest' order by committed_at desc limit 1;

-- name: read_entities
-- Entities by name, from a place in their order.
select e.entity, e.kind, e.subject, e.qualifier, e.first_seen,
       (select count(*) from episodes p where p.entity_hash = e.entity_hash) as episodes
from entities e
where e.tenant = %(tenant)s and (%(kind)s::text is null or e.kind = %(kind)s)
  and (%(q)s::text is null or strpos(lower(e.entity), lower(%(q)s)) > 0)
  and (%(after)s::text is null or e.entity > %(after)s)
order by e.entity limit %(limit)s;

-- name: read_entity
-- One entity and how much is known of it.
select e.entity, e.entity_hash, e.kind, e.subject, e.qualifier, e.first_seen,
       (select count(*) from episodes p where p.entity_hash = e.entity_hash) as episodes
from entities e where e.tenant = %(tenant)s and e.entity = %(entity)s;

-- name: read_anomalies
-- Anomalies, newest event first, from a place in their order.
select a.anomaly_id, a.episode_id, 'case-' || a.episode_id as case_id, a.ordinal, a.entity, a.detector, a.event_id, a.event_time,
       a.value, a.expected, a.low, a.high, a.unit, a.window_size, a.severity, a.scores, a.arrived_at, a.detected_at
from anomalies a
where a.tenant = %(tenant)s and (%(entity)s::text is null or a.entity = %(entity)s)
  and (%(case_id)s::text is null or 'case-' || a.episode_id = %(case_id)s)
  and (%(detector)s::text is null or a.detector = %(detector)s)
  and (%(min_severity)s::float8 is null or a.severity >= %(min_severity)s)
  and (%(since)s::timestamptz is null or a.event_time >= %(since)s) and (%(until)s::timestamptz is null or a.event_time < %(until)s)
  and (%(after_time)s::timestamptz is null or (a.event_time, a.anomaly_id) < (%(after_time)s, %(after_id)s::text))
order by a.event_time desc, a.anomaly_id desc limit %(limit)s;

-- name: read_anomaly
-- One anomaly with its window and its event.
select a.*, 'case-' || a.episode_id as case_id from anomalies a where a.tenant = %(tenant)s and a.anomaly_id = %(anomaly_id)s;

-- name: read_rulings
-- Rulings, newest first, from a place in their order.
select r.ruling_id, r.case_id, c.entity, c.kind, c.severity, r.revision, r.council, r.model, r.outcome, r.action, r.confidence,
       r.root_cause, r.next_steps, r.citations, r.in_force, r.superseded_by, r.why, r.ruled_at, r.latency_ms
from rulings r join cases c using (case_id)
where r.tenant = %(tenant)s and (%(entity)s::text is null or c.entity = %(entity)s)
  and (%(case_id)s::text is null or r.case_id = %(case_id)s) and (%(outcome)s::text is null or r.outcome = %(outcome)s)
  and (not %(in_force)s or r.in_force)
  and (%(since)s::timestamptz is null or r.ruled_at >= %(since)s) and (%(until)s::timestamptz is null or r.ruled_at < %(until)s)
  and (%(after_time)s::timestamptz is null or (r.ruled_at, r.ruling_id) < (%(after_time)s, %(after_id)s::text))
order by r.ruled_at desc, r.ruling_id desc limit %(limit)s;

-- name: read_ruling
-- One ruling with its opinions, its checks and the evidence it was given on.
select r.*, c.entity, c.kind, c.severity from rulings r join cases c using (case_id)
where r.tenant = %(tenant)s and r.ruling_id = %(ruling_id)s;

-- name: read_minutes
-- A service's or a series' minutes, newest first.
select bucket, count, error_rate, mean, std, min, max, p50, p95, anomalies, late, duplicates from metric_minutes
where tenant = %(tenant)s and entity_hash = %(entity_hash)s
  and (%(since)s::timestamptz is null or bucket >= %(since)s) and (%(until)s::timestamptz is null or bucket < %(until)s)
order by bucket desc limit %(limit)s;

-- name: read_hours
-- An account's or a counterparty's hours, newest first.
select bucket, count, null::float8 as error_rate, mean, std, min, max, null::float8 as p50, null::float8 as p95,
       anomalies, late, duplicates from metric_hours
where tenant = %(tenant)s and entity_hash = %(entity_hash)s
  and (%(since)s::timestamptz is null or bucket >= %(since)s) and (%(until)s::timestamptz is null or bucket < %(until)s)
order by bucket desc limit %(limit)s;

-- name: changes_now
-- Where a reader begins who wants only what comes.
select pg_snapshot_xmin(pg_current_snapshot())::text as xid, now() as at;

-- name: read_changes
-- What changed after a place, of the chosen kinds, with what it is now; nothing of transactions that may still be passed by others.
select c.xid::text as xid, c.seq, c.kind, c.id, c.at,
       case c.kind
         when 'anomaly' then (select jsonb_build_object('case_id', 'case-' || a.episode_id, 'entity', a.entity, 'detector', a.detector,
                                'event_time', a.event_time, 'value', a.value::text, 'expected', a.expected::text, 'unit', a.unit,
                                'severity', a.severity) from anomalies a where a.tenant = c.tenant and a.anomaly_id = c.id limit 1)
         when 'ruling' then (select jsonb_build_object('case_id', r.case_id, 'outcome', r.outcome, 'action', r.action,
                               'confidence', r.confidence, 'council', r.council, 'in_force', r.in_force, 'ruled_at', r.ruled_at)
                             from rulings r where r.tenant = c.tenant and r.ruling_id = c.id)
         else (select jsonb_build_object('entity', f.entity, 'title', f.title, 'status', f.status, 'version', f.version, 'head', f.head,
                        'severity', f.severity, 'assignee', f.assignee, 'changed_at', f.changed_at)
               from case_files f where f.tenant = c.tenant and f.case_id = c.id)
       end as now
from changes c
where c.tenant = %(tenant)s and (c.xid, c.seq) > (%(xid)s::text::xid8, %(seq)s::bigint) and c.kind = any(%(kinds)s::text[])
  and c.xid < pg_snapshot_xmin(pg_current_snapshot())
order by c.xid, c.seq limit %(limit)s;

-- name: forget_changes
-- Changes that nobody can resume from any more.
delete from changes where at < %(before)s;
