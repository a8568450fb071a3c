-- name: take_fence
-- Try to take the session lock of a checkpoint.
select pg_try_advisory_lock(hashtextextended('conclave fence ' || %(checkpoint)s, 0)) as taken

-- name: lock_tables
-- Wait for the lock under which Delta tables are created; it ends with the transaction.
select pg_advisory_xact_lock(hashtextextended('conclave tables ' || %(place)s, 0))

-- name: find_batch
-- The ledger's entry of a batch, if it was committed.
select offsets_hash, settings_hash from batches where job = %(job)s and query_id = %(query_id)s and batch_id = %(batch_id)s

-- name: put_ingest_batch
-- Write an ingested batch into the ledger; a retry says the same.
insert into batches (job, query_id, batch_id, offsets_hash, settings_hash, offsets, events, accepted, quarantined, newest_event,
                     detail, started_at)
values ('ingest', %(query_id)s, %(batch_id)s, %(offsets_hash)s, %(settings_hash)s, %(offsets)s, %(events)s, %(accepted)s,
        %(quarantined)s, %(newest_event)s, %(detail)s, %(started_at)s)
on conflict (job, query_id, batch_id) do nothing

-- name: put_detect_batch
-- Write a folded batch into the ledger.
insert into batches (job, query_id, batch_id, offsets_hash, settings_hash, offsets, events, quarantined, points, late, duplicates,
                     conflicts, unwatched, evicted_idle, evicted_cap, anomalies, episodes, entities, state_bytes, newest_event,
                     detail, started_at)
values ('detect', %(query_id)s, %(batch_id)s, %(offsets_hash)s, %(settings_hash)s, %(offsets)s, %(events)s, %(conflicts)s, %(points)s,
        %(late)s, %(duplicates)s, %(conflicts)s, %(unwatched)s, %(evicted_idle)s, %(evicted_cap)s, %(hits)s, %(episodes)s,
        %(entities)s, %(state_bytes)s, %(newest_event)s, %(detail)s, %(started_at)s)

-- name: create_incoming
-- Where a batch's rows land before they are merged; emptied at each commit.
create temp table if not exists incoming_hours (like metrics_hour including defaults) on commit delete rows;
create temp table if not exists incoming_minutes (like metrics_minute including defaults) on commit delete rows;
create temp table if not exists incoming_entities (like entities including defaults) on commit delete rows;
create temp table if not exists incoming_anomalies (like anomalies including defaults) on commit delete rows;
create temp table if not exists incoming_episodes (like episodes including defaults) on commit delete rows;
create temp table if not exists incoming_quarantined (like quarantined including defaults) on commit delete rows

-- name: counted_hours
-- Up to which event time (µs) hours may have been counted before, by any batch; null when there was none.
select coalesce((detail ->> 'counted_to')::bigint,
                (select extract(epoch from max(newest_event)) * 1000000 from batches where job = 'detect')::bigint) as counted_to
from batches where job = 'detect' order by committed_at desc limit 1

-- name: tenants_named
-- The first and the last tenant by name among the entities: the same when there is but one.
select (select tenant from entities order by tenant limit 1) as first,
       (select tenant from entities order by tenant desc limit 1) as last

-- name: merge_hours
-- Add the batch's hours, which come in the order of the key, to what is there; `mixed`: look each row's tenant up.
insert into metrics_hour as m (bucket, tenant, entity_hash, count, sum, sum_squares, min, max, anomalies, late, duplicates)
select i.bucket, coalesce(e.tenant, i.tenant), i.entity_hash, i.count, i.sum, i.sum_squares, i.min, i.max, i.anomalies, i.late,
       i.duplicates
from incoming_hours i left join entities e on %(mixed)s::boolean and e.entity_hash = i.entity_hash
on conflict (entity_hash, bucket) do update set
  count = m.count + excluded.count, sum = m.sum + excluded.sum, sum_squares = m.sum_squares + excluded.sum_squares,
  min = least(m.min, excluded.min), max = greatest(m.max, excluded.max), anomalies = m.anomalies + excluded.anomalies,
  late = m.late + excluded.late, duplicates = m.duplicates + excluded.duplicates

-- name: merge_minutes
-- Add the batch's minutes to what is there.
insert into metrics_minute as m
  (bucket, tenant, entity_hash, count, errors, sum, sum_squares, min, max, histogram, anomalies, late, duplicates)
select i.bucket, coalesce(e.tenant, i.tenant), entity_hash, i.count, i.errors, i.sum, i.sum_squares, i.min, i.max, i.histogram,
       i.anomalies, i.late, i.duplicates
from incoming_minutes i left join entities e using (entity_hash)
order by entity_hash, i.bucket
on conflict (entity_hash, bucket) do update set
  count = m.count + excluded.count, errors = m.errors + excluded.errors, sum = m.sum + excluded.sum,
  sum_squares = m.sum_squares + excluded.sum_squares, min = least(m.min, excluded.min), max = greatest(m.max, excluded.max),
  histogram = add_counts(m.histogram, excluded.histogram), anomalies = m.anomalies + excluded.anomalies,
  late = m.late + excluded.late, duplicates = m.duplicates + excluded.duplicates

-- name: merge_entities
-- Entities seen for the first time; one that was forgotten and came back is known already.
insert into entities (entity_hash, tenant, entity, kind, subject, qualifier, first_seen, arrived_at)
select entity_hash, tenant, entity, kind, subject, qualifier, first_seen, arrived_at from incoming_entities
on conflict (entity_hash) do nothing

-- name: merge_anomalies
-- The batch's kept anomalies.
insert into anomalies select * from incoming_anomalies on conflict (anomaly_id, event_time) do nothing

-- name: merge_episodes
-- Episodes with absolute counts: a newer revision replaces, the worst hit stays the worst.
insert into episodes as e select * from incoming_episodes
on conflict (episode_id) do update set
  revision = excluded.revision, last_at = excluded.last_at, last_event_id = excluded.last_event_id,
  worst = case when excluded.worst = '{}'::jsonb then e.worst else excluded.worst end,
  severity = excluded.severity, detectors = excluded.detectors
where excluded.revision > e.revision

-- name: merge_quarantined
-- Refused records; a retry writes none twice.
insert into quarantined select * from incoming_quarantined on conflict (record_id) do nothing

-- name: notify_docket
-- Wake the council's workers for a lane.
select pg_notify('docket', %(lane)s)

-- name: put_progress
-- The newest progress of a stream, as Spark reports it.
insert into stream_progress (job, query_id, batch_id, at, input_rows, rows_per_s, duration_ms, lag)
values (%(job)s, %(query_id)s, %(batch_id)s, %(at)s, %(input_rows)s, %(rows_per_s)s, %(duration_ms)s, %(lag)s)
on conflict (job, query_id, batch_id) do update set
  at = excluded.at, input_rows = excluded.input_rows, rows_per_s = excluded.rows_per_s, duration_ms = excluded.duration_ms,
  lag = excluded.lag

-- name: beat_stream
-- A streaming job's sign of life.
insert into workers (worker_id, job, detail) values (%(worker_id)s, %(job)s, %(detail)s)
on conflict (worker_id) do update set seen_at = now(), detail = excluded.detail

-- name: end_stream
-- A streaming job stopped in good order.
delete from workers where worker_id = %(worker_id)s

-- name: list_quarantined
-- Refused records, newest first.
select record_id, position, reason, field, excerpt, size, state, arrived_at from quarantined
where tenant = %(tenant)s and (%(state)s::text is null or state = %(state)s)
order by arrived_at desc, record_id limit %(limit)s

-- name: mark_retried
-- Refused records that were sent round again.
update quarantined set state = 'retried', retried_at = now() where record_id = any(%(record_ids)s)

-- name: newest_folded
-- The newest batch that a checkpoint committed: its end offsets and the newest bronze row it folded.
select offsets, (select max((detail ->> 'newest_row')::bigint) from batches where job = 'detect' and query_id = %(query_id)s) as newest_row
from batches where job = 'detect' and query_id = %(query_id)s order by batch_id desc limit 1

-- name: ledger_details
-- What the detect job noted of each batch, in order.
select detail from batches where job = 'detect' and events > 0 order by committed_at, batch_id
