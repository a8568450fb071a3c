-- What the pages show. Ages are wall clock, counted by the database; ranges of charts follow the newest event.

-- name: dashboard_pulse
-- The head of the live page in one row: rate, anomalies, open cases.
with newest as (select max(newest_event) as at from batches where job = 'detect'),
     recent as (select sum(events) as events, min(started_at) as since from batches
                where job = 'detect' and committed_at > now() - interval '60 s'),
     rulings_now as (
       select c.case_id, c.lane, r.outcome, r.ruling_id is not null as ruled,
              exists (select from commands k where k.ruling_id = r.ruling_id)
              and not exists (select from commands k where k.ruling_id = r.ruling_id
                              and k.state in ('proposed', 'approved', 'failed')) as settled
       from cases c left join rulings r on r.case_id = c.case_id and r.in_force where c.tenant = %(tenant)s)
select newest.at as newest_event,
       recent.events / greatest(extract(epoch from now() - recent.since), 1)::double precision as events_per_s,
       (select max(committed_at) from batches where job = 'detect') as last_batch_at,
       (select coalesce(sum(events), 0)::bigint from batches where job = 'detect') as events,
       (select count(*) from anomalies where tenant = %(tenant)s and event_time > newest.at - interval '1 hour') as anomalies_hour,
       (select count(*) from anomalies where tenant = %(tenant)s) as anomalies,
       (select count(*) from rulings_now where outcome = 'confirmed' and not settled) as confirmed,
       (select count(*) from rulings_now where outcome = 'unresolved') as unresolved,
       (select count(*) from rulings_now where not ruled and lane <> 'filed') as unheard,
       now() as now
from newest, recent;

-- name: dashboard_docket
-- Depth and oldest age of each lane, and what gave up.
select lane, count(*) filter (where state = 'waiting') as waiting, count(*) filter (where state = 'leased') as leased,
       count(*) filter (where state = 'dead') as dead, count(*) filter (where state = 'shed') as filed,
       extract(epoch from now() - min(enqueued_at) filter (where state in ('waiting', 'leased')))::double precision as oldest_s
from docket where tenant = %(tenant)s group by lane order by lane desc;

-- name: dashboard_workers
-- Every process that has reported, newest report first.
select worker_id, job, detail, started_at, seen_at, extract(epoch from now() - seen_at)::double precision as silent_s
from workers order by seen_at desc limit 50;

-- name: dashboard_needs_you
-- Confirmed cases that nobody has settled: those with something to do before those only to be watched, then worst first.
select r.*, c.entity, c.kind, c.severity, c.started_at, c.last_at, c.revision as case_revision, p.detectors, p.worst,
       (select coalesce(jsonb_agg(jsonb_build_object('action', k.action, 'target', k.target, 'state', k.state) order by k.action), '[]')
        from commands k where k.ruling_id = r.ruling_id) as commands, count(*) over () as of_all
from rulings r join cases c using (case_id) join episodes p using (episode_id)
where r.tenant = %(tenant)s and r.in_force and r.outcome = 'confirmed' and (%(kind)s::text is null or c.kind = %(kind)s)
  and (not exists (select from commands k where k.ruling_id = r.ruling_id)
       or exists (select from commands k where k.ruling_id = r.ruling_id and k.state in ('proposed', 'approved', 'failed')))
order by r.action in ('watch', 'none'), c.severity desc, c.last_at desc, c.case_id limit %(most)s;

-- name: dashboard_rulings
-- The newest rulings in force, of one outcome or of all.
select r.*, c.entity, c.kind, c.severity, c.started_at, c.last_at, c.revision as case_revision, p.detectors, p.worst,
       (select coalesce(jsonb_agg(jsonb_build_object('action', k.action, 'target', k.target, 'state', k.state) order by k.action), '[]')
        from commands k where k.ruling_id = r.ruling_id) as commands
from rulings r join cases c using (case_id) join episodes p using (episode_id)
where r.tenant = %(tenant)s and r.in_force and (%(outcome)s::text is null or r.outcome = %(outcome)s)
order by r.ruled_at desc, r.ruling_id limit %(most)s;

-- name: dashboard_entity_rulings
-- Every ruling on one entity, superseded ones too.
select r.*, c.entity, c.kind, c.severity, c.started_at, c.last_at, c.revision as case_revision, p.detectors, p.worst,
       (select coalesce(jsonb_agg(jsonb_build_object('action', k.action, 'target', k.target, 'state', k.state) order by k.action), '[]')
        from commands k where k.ruling_id = r.ruling_id) as commands
from rulings r join cases c using (case_id) join episodes p using (episode_id)
where r.tenant = %(tenant)s and c.entity = %(entity)s
order by r.in_force desc, c.last_at desc, r.ruled_at desc limit %(most)s;

-- name: dashboard_anomalies
-- The newest kept anomaly of each of the newest episodes.
select a.anomaly_id, a.entity, a.detector, a.event_time, a.value, a.expected, a.low, a.high, a.unit, a.severity, a.ordinal,
       p.revision as hits
from (select episode_id, revision from episodes where tenant = %(tenant)s order by last_at desc, episode_id limit %(most)s) p
cross join lateral (select * from anomalies a where a.episode_id = p.episode_id order by a.ordinal desc limit 1) a
order by a.event_time desc, a.anomaly_id;

-- name: dashboard_minutes
-- Buckets for the services or series busiest in the last day, up to the newest minute of (500 of) their kind.
with sample as (select entity_hash from entities where tenant = %(tenant)s and kind = %(kind)s limit 500),
     newest as (select max(of_one.at) as at
                from sample, lateral (select max(bucket) as at from metrics_minute m where m.entity_hash = sample.entity_hash) of_one),
     busiest as (select m.entity_hash, e.entity from metrics_minute m join entities e using (entity_hash), newest
                 where m.tenant = %(tenant)s and e.kind = %(kind)s
                   and m.bucket > newest.at - make_interval(secs => least(%(span_s)s, 86400))
                 group by m.entity_hash, e.entity order by sum(m.count) desc, m.entity_hash limit %(most)s)
select date_bin(make_interval(secs => %(width_s)s), bucket, 'epoch'::timestamptz) as bucket, entity, sum(count)::bigint as count,
       sum(errors)::double precision / nullif(sum(count), 0) as error_rate, sum(sum) / nullif(sum(count), 0) as mean,
       sum(anomalies)::bigint as anomalies
from metrics_minute m join busiest using (entity_hash), newest
where m.bucket > newest.at - make_interval(secs => %(span_s)s) group by 1, 2 order by 2, 1;

-- name: dashboard_hours
-- The same for accounts or counterparties, whose rows are hours.
with sample as (select entity_hash from entities where tenant = %(tenant)s and kind = %(kind)s limit 500),
     newest as (select max(of_one.at) as at
                from sample, lateral (select max(bucket) as at from metrics_hour m where m.entity_hash = sample.entity_hash) of_one),
     busiest as (select m.entity_hash, e.entity from metrics_hour m join entities e using (entity_hash), newest
                 where m.tenant = %(tenant)s and e.kind = %(kind)s
                   and m.bucket > newest.at - make_interval(secs => least(%(span_s)s, 86400))
                 group by m.entity_hash, e.entity order by sum(m.count) desc, m.entity_hash limit %(most)s)
select date_bin(make_interval(secs => %(width_s)s), bucket, 'epoch'::timestamptz) as bucket, entity, sum(count)::bigint as count,
       null::double precision as error_rate, sum(sum) / nullif(sum(count), 0) as mean,
       sum(anomalies)::bigint as anomalies
from metrics_hour m join busiest using (entity_hash), newest
where m.bucket > newest.at - make_interval(secs => %(span_s)s) group by 1, 2 order by 2, 1;

-- name: dashboard_found
-- Entities whose name holds the words typed, flagged ones first.
select e.entity, count(p.episode_id) as episodes, max(p.severity) as severity
from entities e left join episodes p using (entity_hash)
where e.tenant = %(tenant)s and strpos(lower(e.entity), lower(%(typed)s)) > 0
group by e.entity order by max(p.severity) desc nulls last, count(p.episode_id) desc, e.entity limit %(most)s;

-- name: dashboard_entity
-- One entity and what is known of it.
select e.entity, e.entity_hash, e.kind, e.subject, e.qualifier, e.first_seen,
       (select count(*) from anomalies a where a.entity_hash = e.entity_hash) as anomalies,
       (select count(*) from episodes p where p.entity_hash = e.entity_hash) as episodes,
       greatest((select max(bucket) from metrics_minute m where m.entity_hash = e.entity_hash),
                (select max(bucket) from metrics_hour m where m.entity_hash = e.entity_hash)) as last_bucket
from entities e where e.tenant = %(tenant)s and e.entity = %(entity)s;

-- name: dashboard_entity_minutes
-- One service's or series' minutes, up to its newest.
select bucket, count, error_rate, mean, min, max, p95, anomalies, late, duplicates from metric_minutes
where entity_hash = %(entity_hash)s
  and bucket > (select max(bucket) from metrics_minute where entity_hash = %(entity_hash)s) - make_interval(secs => %(span_s)s)
order by bucket;

-- name: dashboard_entity_hours
-- One account's or counterparty's hours, up to its newest.
select bucket, count, null::double precision as error_rate, mean, min, max, null::double precision as p95, anomalies, late, duplicates
from metric_hours where entity_hash = %(entity_hash)s
  and bucket > (select max(bucket) from metrics_hour where entity_hash = %(entity_hash)s) - make_interval(secs => %(span_s)s)
order by bucket;

-- name: dashboard_entity_anomalies
-- One entity's anomalies with what was expected and what the window held, newest first.
select anomaly_id, episode_id, ordinal, detector, event_id, event_time, value, expected, low, high, unit, window_size, severity,
       scores, context, event
from anomalies where entity_hash = %(entity_hash)s order by event_time desc, anomaly_id limit %(most)s;

-- name: dashboard_entity_episodes
-- One entity's episodes with the outcome in force.
select p.episode_id, p.started_at, p.last_at, p.revision as hits, p.severity, p.detectors, c.lane, r.outcome, r.action,
       d.state = 'shed' as filed
from episodes p left join cases c using (episode_id) left join docket d using (case_id) left join rulings r on r.case_id = c.case_id and r.in_force
where p.entity_hash = %(entity_hash)s order by p.started_at desc limit %(most)s;

-- name: dashboard_sections
-- The runbook's table of contents.
select s.section_id, s.heading_path, d.title, d.doc_id from sections s join documents d using (tenant, doc_id)
where s.tenant = %(tenant)s order by d.title, s.position;

-- name: dashboard_section
-- One runbook section as it was written.
select s.section_id, s.heading_path, s.body, s.tags, s.updated_at, d.title, d.source from sections s join documents d using (tenant, doc_id)
where s.tenant = %(tenant)s and s.section_id = %(section_id)s;

-- name: dashboard_section_once
-- A section that is no longer in the runbook, as it was last written.
select v.section_id, v.heading_path, v.body, v.tags, v.since as updated_at, v.until, coalesce(nullif(d.title, ''), v.doc_id) as title,
       coalesce(d.source, v.doc_id) as source
from section_versions v left join document_versions d on d.tenant = v.tenant and d.doc_id = v.doc_id and d.version = v.version
where v.tenant = %(tenant)s and v.section_id = %(section_id)s order by v.since desc limit 1;

-- name: dashboard_streams
-- The newest progress of each streaming job.
select distinct on (job) job, query_id, batch_id, at, input_rows, rows_per_s, duration_ms, lag,
       extract(epoch from now() - at)::double precision as silent_s, w.waiting, w.unit, w.oldest_s
from stream_progress left join (select job, waiting, unit, oldest_s from stream_lag) w using (job) order by job, at desc;

-- name: dashboard_ledger
-- The tail of the batch ledger.
select job, batch_id, events, accepted, quarantined, points, late, duplicates, conflicts, anomalies, episodes, entities, state_bytes,
       newest_event, committed_at, extract(epoch from committed_at - started_at)::double precision as took_s
from batches order by committed_at desc limit %(most)s;

-- name: dashboard_refusals
-- Why records were refused, most frequent first.
select reason, field, count(*) as records, count(*) filter (where state = 'retried') as retried, max(arrived_at) as newest
from quarantined where tenant = %(tenant)s group by reason, field order by count(*) desc, reason limit %(most)s;

-- name: dashboard_refused
-- The newest refused records.
select position, reason, excerpt, size, state, arrived_at from quarantined
where tenant = %(tenant)s order by arrived_at desc, record_id limit %(most)s;

-- name: dashboard_dead
-- Cases whose hearing was given up.
select d.case_id, c.entity, d.lane, d.attempts, d.last_error, d.enqueued_at
from docket d join cases c using (case_id) where d.tenant = %(tenant)s and d.state = 'dead'
order by d.enqueued_at desc limit %(most)s;

-- name: dashboard_maintenance
-- The last time old rows were removed.
select at, removed from maintenance_runs order by at desc limit 1;
