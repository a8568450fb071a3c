-- name: brief_snapshot
-- All evidence of a batch is read as of one moment.
set transaction isolation level repeatable read, read only

-- name: brief_cases
-- The cases and their episodes.
select c.case_id, c.tenant, c.episode_id, c.entity, c.kind, c.revision, c.severity, c.lane, c.started_at, c.last_at,
       e.entity_hash, e.detectors, e.first_event_id, e.last_event_id, e.worst, e.arrived_at
from cases c join episodes e using (episode_id) where c.case_id = any(%(case_ids)s::text[]) order by c.case_id

-- name: brief_hits
-- The kept hits of the cases' episodes, in order.
select episode_id, ordinal, anomaly_id, detector, event_id, event_time, value, expected, low, high, unit, window_size, severity,
       scores, context, event
from anomalies
where episode_id = any(%(episode_ids)s::text[]) and event_time between %(since)s and %(until)s
order by episode_id, ordinal, event_time, anomaly_id

-- name: brief_neighbours
-- Per case, the strongest other episodes at the same time that share an entity, a counterparty or a service with it.
select a.case_id, n.*
from jsonb_to_recordset(%(asked)s::jsonb) as a(case_id text, tenant text, episode_id text, since timestamptz, until timestamptz,
                                               entities text[], counterparties text[], services text[])
cross join lateral (
  select e.episode_id, e.entity, e.kind, e.severity, e.revision, e.detectors, e.started_at, e.last_at,
         e.worst -> 'event' ->> 'counterparty_id' as counterparty_id, e.worst -> 'event' ->> 'account_id' as account_id,
         e.worst -> 'event' ->> 'service' as service
  from episodes e
  where e.tenant = a.tenant and e.episode_id <> a.episode_id
    and e.last_at between a.since and a.until + interval '6 hours' and e.started_at <= a.until
    and (e.entity = any(a.entities) or e.worst -> 'event' ->> 'counterparty_id' = any(a.counterparties)
         or e.kind in ('service', 'series') and e.worst -> 'event' ->> 'service' = any(a.services))
  order by e.severity desc, e.started_at, e.episode_id limit 24) n
order by a.case_id, n.severity desc, n.started_at, n.episode_id

-- name: brief_history
-- Per case, the newest earlier rulings in force about the same entity.
select c.case_id, h.*
from cases c join episodes e using (episode_id)
cross join lateral (
  select r.case_id as past_case_id, r.outcome, r.action, r.council, r.confidence, p.started_at, p.severity
  from episodes p join rulings r on r.case_id = 'case-' || p.episode_id and r.in_force
  where p.entity_hash = e.entity_hash and p.started_at < e.started_at
  order by p.started_at desc, p.episode_id limit 8) h
where c.case_id = any(%(case_ids)s::text[])
order by c.case_id, h.started_at desc, h.past_case_id

-- name: brief_edges
-- Who calls whom.
select tenant, caller, callee from service_edges where tenant = any(%(tenants)s::text[]) order by tenant, caller, callee

-- name: brief_earlier
-- Per case, how many episodes the entity had in the fourteen days before (event time), ruled or filed.
select c.case_id, count(p.episode_id) as earlier
from cases c join episodes e using (episode_id)
left join episodes p on p.entity_hash = e.entity_hash and p.started_at < e.started_at
                    and p.started_at >= e.started_at - interval '14 days'
where c.case_id = any(%(case_ids)s::text[])
group by c.case_id order by c.case_id
