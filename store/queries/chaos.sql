-- What scripts/chaos compares and watches: the tables without wall clocks, ids of checkpoints and what depends on where batches were cut.

-- name: chaos_progress
-- How far the stream has come by its ledger, and how many cases are open.
select coalesce(sum(events) filter (where job = 'ingest'), 0)::bigint as ingested,
       coalesce(sum(accepted) filter (where job = 'ingest'), 0)::bigint as accepted,
       coalesce(sum(events) filter (where job = 'detect'), 0)::bigint as folded,
       (select count(*) from docket where state in ('waiting', 'leased')) as open
from batches

-- name: chaos_next_commit
-- The first commit after a moment: a batch of a streaming job, or a ruling.
select min(at) as at from (
  select committed_at as at from batches where job = %(job)s
  union all select ruled_at from rulings where %(job)s = 'council') commits
where at > %(after)s

-- name: chaos_clock
-- The database's clock.
select clock_timestamp() as now

-- name: chaos_entities
-- Everything that has a window.
select entity_hash, tenant, entity, kind, subject, qualifier, first_seen from entities order by entity_hash

-- name: chaos_metrics_hour
-- Hourly metrics.
select entity_hash, bucket, tenant, count, sum, sum_squares, min, max, anomalies, late, duplicates
from metrics_hour order by entity_hash, bucket

-- name: chaos_metrics_minute
-- Metrics by the minute.
select entity_hash, bucket, tenant, count, errors, sum, sum_squares, min, max, histogram, anomalies, late, duplicates
from metrics_minute order by entity_hash, bucket

-- name: chaos_anomalies
-- Anomalies with their evidence.
select anomaly_id, tenant, episode_id, ordinal, entity_hash, entity, detector, event_id, event_time, value, expected, low, high, unit,
       window_size, severity, scores, context, event
from anomalies order by anomaly_id

-- name: chaos_episodes
-- Episodes.
select episode_id, tenant, entity_hash, entity, kind, revision, started_at, last_at, first_event_id, last_event_id, severity,
       array(select unnest(detectors) order by 1) as detectors, settings_hash,
       worst - 'detected_at' - 'arrived_at' - 'query_id' - 'batch_id' as worst
from episodes order by episode_id

-- name: chaos_cases
-- Cases.
select case_id, tenant, episode_id, entity, kind, revision, severity, lane, started_at, last_at from cases order by case_id

-- name: chaos_docket
-- The docket as the stream left it; what the council did with it is checked by itself.
select case_id, tenant, lane, revision from docket order by case_id

-- name: chaos_quarantined
-- Refused records as people see them.
select record_id, tenant, position, reason, field, excerpt, size, state from quarantined order by record_id

-- name: chaos_totals
-- The ledger added up.
select job, sum(events)::bigint as events, sum(accepted)::bigint as accepted, sum(quarantined)::bigint as quarantined,
       sum(points)::bigint as points, sum(late)::bigint as late, sum(duplicates)::bigint as duplicates,
       sum(conflicts)::bigint as conflicts, sum(unwatched)::bigint as unwatched, sum(anomalies)::bigint as anomalies
from batches group by job order by job

-- name: chaos_hearings
-- Every case that was to be heard, how it stands, and the rulings in force on it.
select d.case_id, d.state, d.revision, d.heard_revision, d.leased_by, count(r.ruling_id)::int as in_force, max(r.revision) as ruled_revision
from docket d left join rulings r on r.case_id = d.case_id and r.in_force
group by d.case_id order by d.case_id

-- name: chaos_rulings
-- Every ruling ever made, with its brief.
select * from rulings order by case_id, ruled_at, ruling_id

-- name: chaos_query_ids
-- The checkpoints that the ledger knows, and how many distinct batches each has.
select job, query_id, count(*)::int as batches, min(batch_id) as first, max(batch_id) as last from batches group by job, query_id order by 1, 2
