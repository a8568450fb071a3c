-- What the chat may look up: every question becomes one of these, its slots the parameters.

-- name: assistant_entities
-- Entities by their plain names; a sure name may be of any kind, others only services and their series.
select entity, entity_hash, kind, subject, qualifier, first_seen from entities
where tenant = %(tenant)s and lower(subject) = any(%(subjects)s::text[]) and (%(kinds)s::text[] is null or kind = any(%(kinds)s::text[]))
order by array_position(array['account', 'service', 'counterparty', 'series'], kind), entity limit 24

-- name: assistant_near_names
-- A few entities whose names begin like one that is not known.
select distinct kind || ':' || subject as entity from entities
where tenant = %(tenant)s and lower(subject) >= %(start)s and lower(subject) < %(start)s || chr(1114109)
order by 1 limit 3

-- name: assistant_newest
-- How far the stream has come, in event time.
select max(newest_event) as at from batches where job = 'detect'

-- name: assistant_minutes
-- What services and series did in a span, one row an entity; p95 from the log buckets.
select e.entity, e.kind, sum(m.count)::bigint as count, sum(m.errors)::bigint as errors,
       sum(m.errors)::double precision / nullif(sum(m.count), 0) as error_rate,
       sum(m.sum) / nullif(sum(valued(m.count, m.histogram)), 0)::double precision as mean,
       nullif(min(m.min), 'Infinity') as min, nullif(max(m.max), '-Infinity') as max,
       (select histogram_quantile(array_agg(n order by i), 0.95)
        from (select i, sum(n)::bigint as n from metrics_minute h, unnest(h.histogram) with ordinality as t(n, i)
              where h.tenant = %(tenant)s and h.entity_hash = e.entity_hash and h.bucket >= %(since)s and h.bucket < %(until)s
              group by i) s) as p95_ms,
       min(m.bucket) as first_at, max(m.bucket) as last_at
from metrics_minute m join entities e using (tenant, entity_hash)
where m.tenant = %(tenant)s and m.entity_hash = any(%(hashes)s::bigint[]) and m.bucket >= %(since)s and m.bucket < %(until)s
group by e.entity, e.kind, e.entity_hash order by e.entity

-- name: assistant_hours
-- What accounts and counterparties did in a span of whole hours, one row an entity.
select e.entity, e.kind, sum(m.count)::bigint as count, sum(m.sum) as total, sum(m.sum) / nullif(sum(m.count), 0) as mean,
       nullif(min(m.min), 'Infinity') as min, nullif(max(m.max), '-Infinity') as max,
       min(m.bucket) as first_at, max(m.bucket) + interval '1 hour' as last_at
from metrics_hour m join entities e using (tenant, entity_hash)
where m.tenant = %(tenant)s and m.entity_hash = any(%(hashes)s::bigint[]) and m.bucket >= %(since)s and m.bucket < %(until)s
group by e.entity, e.kind order by e.entity

-- name: assistant_last_seen
-- When these entities were active last.
select greatest((select max(bucket) from metrics_minute where tenant = %(tenant)s and entity_hash = any(%(hashes)s::bigint[])),
                (select max(bucket) from metrics_hour where tenant = %(tenant)s and entity_hash = any(%(hashes)s::bigint[]))) as at

-- name: assistant_episodes
-- Flagged episodes of some entities, of a kind, or of all, in a span, with their case, ruling in force and commands; worst first.
select p.episode_id, p.entity, p.kind, p.revision as hits, p.started_at, p.last_at, p.severity, p.detectors, p.worst,
       c.case_id, c.lane, r.ruling_id, r.outcome, r.action, r.confidence, r.root_cause, r.council, r.next_steps, r.opinions,
       f.status, f.head, f.assignee,
       (select coalesce(jsonb_agg(jsonb_build_object('action', k.action, 'target', k.target, 'state', k.state) order by k.created_at), '[]')
        from commands k where k.tenant = p.tenant and k.case_id = c.case_id) as commands,
       count(*) over () as of_all
from episodes p left join cases c on c.tenant = p.tenant and c.episode_id = p.episode_id
left join rulings r on r.tenant = p.tenant and r.case_id = c.case_id and r.in_force
left join case_files f on f.tenant = p.tenant and f.case_id = c.case_id
where p.tenant = %(tenant)s and (%(hashes)s::bigint[] is null or p.entity_hash = any(%(hashes)s::bigint[]))
  and (%(kind)s::text is null or p.kind = %(kind)s) and (%(outcome)s::text is null or r.outcome = %(outcome)s)
  and (%(case_ids)s::text[] is null or c.case_id = any(%(case_ids)s::text[]))
  and (%(since)s::timestamptz is null or p.last_at >= %(since)s) and (%(until)s::timestamptz is null or p.started_at < %(until)s)
order by (r.outcome = 'confirmed') desc nulls last, p.severity desc, p.started_at, p.episode_id limit %(most)s

-- name: assistant_counts
-- How much was flagged, heard and ruled in a span; of all, of a kind, or of some entities.
select count(*) as episodes, coalesce(sum(p.revision), 0)::bigint as hits, count(distinct p.entity_hash) as entities,
       count(c.case_id) filter (where c.lane <> 'filed') as cases, count(*) filter (where r.outcome = 'confirmed') as confirmed,
       count(*) filter (where r.outcome = 'dismissed') as dismissed, count(*) filter (where r.outcome = 'unresolved') as unresolved,
       count(c.case_id) filter (where r.ruling_id is null and c.lane <> 'filed') as unheard, max(p.severity) as worst_severity,
       coalesce(sum(k.proposed), 0)::bigint as proposed, coalesce(sum(k.executed), 0)::bigint as executed,
       coalesce(sum(k.commands), 0)::bigint as commands
from episodes p left join cases c on c.tenant = p.tenant and c.episode_id = p.episode_id
left join rulings r on r.tenant = p.tenant and r.case_id = c.case_id and r.in_force
left join lateral (select count(*) as commands, count(*) filter (where k.state = 'proposed') as proposed,
                          count(*) filter (where k.state = 'executed') as executed
                   from commands k where k.tenant = p.tenant and k.case_id = c.case_id) k on true
where p.tenant = %(tenant)s and (%(hashes)s::bigint[] is null or p.entity_hash = any(%(hashes)s::bigint[]))
  and (%(kind)s::text is null or p.kind = %(kind)s) and (%(outcome)s::text is null or r.outcome = %(outcome)s)
  and (%(since)s::timestamptz is null or p.last_at >= %(since)s) and (%(until)s::timestamptz is null or p.started_at < %(until)s)

-- name: assistant_top_flagged
-- The entities flagged most in a span: by hits, ties by severity.
select p.entity, p.kind, count(*) as episodes, sum(p.revision)::bigint as hits, max(p.severity) as severity,
       count(*) filter (where r.outcome = 'confirmed') as confirmed
from episodes p left join cases c on c.tenant = p.tenant and c.episode_id = p.episode_id
left join rulings r on r.tenant = p.tenant and r.case_id = c.case_id and r.in_force
where p.tenant = %(tenant)s and (%(kind)s::text is null or p.kind = %(kind)s) and (%(outcome)s::text is null or r.outcome = %(outcome)s)
  and (%(since)s::timestamptz is null or p.last_at >= %(since)s) and (%(until)s::timestamptz is null or p.started_at < %(until)s)
group by p.entity, p.kind
order by case when %(by)s = 'severity' then max(p.severity) when %(by)s = 'cases' then count(*) else sum(p.revision) end desc,
         max(p.severity) desc, p.entity limit %(most)s

-- name: assistant_top_services
-- The services with the most errors or requests, or the slowest, in a span.
select e.entity, e.kind, sum(m.count)::bigint as count, sum(m.errors)::bigint as errors,
       sum(m.errors)::double precision / nullif(sum(m.count), 0) as error_rate,
       sum(m.sum) / nullif(sum(valued(m.count, m.histogram)), 0)::double precision as mean
from metrics_minute m join entities e using (tenant, entity_hash)
where m.tenant = %(tenant)s and e.kind = 'service' and m.bucket >= %(since)s and m.bucket < %(until)s
group by e.entity, e.kind
order by case %(by)s when 'errors' then sum(m.errors)::double precision when 'slow' then sum(m.sum) / nullif(sum(m.count), 0)
              else sum(m.count)::double precision end desc nulls last, e.entity limit %(most)s

-- name: assistant_top_paying
-- The accounts or counterparties with the most payments, or the largest sum, in a span of whole hours.
select e.entity, e.kind, sum(m.count)::bigint as count, sum(m.sum) as total
from metrics_hour m join entities e using (tenant, entity_hash)
where m.tenant = %(tenant)s and e.kind = %(kind)s and m.bucket >= %(since)s and m.bucket < %(until)s
group by e.entity, e.kind
order by case %(by)s when 'amount' then sum(m.sum) else sum(m.count)::double precision end desc nulls last, e.entity limit %(most)s

-- name: assistant_totals
-- Everything counted in a span, by kind of entity; the sum only where all is of one currency.
select e.kind, sum(m.count)::bigint as count, count(distinct e.entity_hash) as entities, null::double precision as error_rate,
       case when count(distinct e.qualifier) = 1 then sum(m.sum) end as total, min(e.qualifier) as currency
from metrics_hour m join entities e using (tenant, entity_hash)
where m.tenant = %(tenant)s and e.kind = any(%(kinds)s::text[]) and m.bucket >= %(since)s and m.bucket < %(until)s
group by e.kind
union all
select e.kind, sum(m.count)::bigint, count(distinct e.entity_hash),
       case when e.kind = 'service' then sum(m.errors)::double precision / nullif(sum(m.count), 0) end, null, null
from metrics_minute m join entities e using (tenant, entity_hash)
where m.tenant = %(tenant)s and e.kind = any(%(kinds)s::text[]) and m.bucket >= %(since)s and m.bucket < %(until)s
group by e.kind

-- name: assistant_waiting
-- Open heads on the desk, what is at stake first; the newest ruling of each.
select f.case_id, f.entity, f.kind, f.title, f.status, f.assignee, f.severity, f.hits, f.members, f.expected_loss, f.loss_currency,
       f.started_at, f.last_at, f.outcome, f.resolve_due_at, r.root_cause, r.action,
       (select count(*) from commands k where k.tenant = f.tenant and k.case_id = f.case_id and k.state = 'proposed') as proposed,
       count(*) over () as of_all
from case_files f left join rulings r on r.tenant = f.tenant and r.case_id = f.case_id and r.in_force
where f.tenant = %(tenant)s and f.head is null and f.status in ('open', 'acknowledged', 'investigating')
  and (f.snoozed_until is null or f.snoozed_until < %(now)s) and f.held_by is null
order by f.expected_loss desc nulls last, f.severity desc, f.opened_at, f.case_id limit %(most)s

-- name: assistant_memory
-- What is remembered of a case, to look for others like it.
select m.summary, m.happened_at, c.entity, c.kind from memories m join cases c on c.tenant = m.tenant and c.case_id = m.case_id
where m.tenant = %(tenant)s and m.case_id = %(case_id)s
