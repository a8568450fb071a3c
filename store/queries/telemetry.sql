-- name: telemetry_docket
-- Cases on the docket that are not ruled yet, by lane and state, and for how many seconds the oldest that may be heard waits.
select lane, state, count(*) as cases,
       extract(epoch from clock_timestamp() - min(enqueued_at) filter (where state = 'waiting' and not_before <= clock_timestamp()))::float8
         as oldest_s
from docket where state in ('waiting', 'leased') group by lane, state
union all
select lane, state, count(*), null from docket where state in ('dead', 'shed') group by lane, state;

-- name: telemetry_lag
-- What waits for each stream, and since how many seconds.
select job, unit, waiting, oldest_s from stream_lag where waiting is not null;

-- name: telemetry_streams
-- Each stream's newest committed batch, in seconds since 1970.
(select job, extract(epoch from committed_at)::float8 as committed, extract(epoch from newest_event)::float8 as newest
 from batches where job = 'ingest' order by committed_at desc limit 1)
union all
(select job, extract(epoch from committed_at)::float8, extract(epoch from newest_event)::float8
 from batches where job = 'detect' order by committed_at desc limit 1);

-- name: telemetry_workers
-- Processes that gave a sign of life in the last minute, by job.
select job, count(*) filter (where seen_at > clock_timestamp() - interval '60 seconds') as alive from workers group by job;

-- name: telemetry_deliveries
-- Deliveries that wait, are being sent, or were given up.
select state, count(*) as deliveries from deliveries where state in ('waiting', 'sending') group by state
union all select 'dead', count(*) from deliveries where state = 'dead';

-- name: telemetry_commands
-- Commands that wait for somebody or for their sending, by action and state.
select action, state, count(*) as commands from commands where state in ('proposed', 'approved') group by action, state;

-- name: telemetry_cases
-- Cases that people have not closed, by status.
select status, count(*) as cases from case_files where head is null and status not in ('resolved', 'dismissed') group by status;

-- name: telemetry_size
-- Bytes of the whole database.
select pg_database_size(current_database()) as bytes;

-- name: newest_batch
-- The newest committed batch of a checkpoint, -1 before the first.
select coalesce(max(batch_id), -1) as batch_id from batches where job = %(job)s and query_id = %(query_id)s;

-- name: batches_after
-- What the ledger says of a checkpoint's batches after one of them, in order.
select batch_id, events, accepted, quarantined, late, duplicates, conflicts, unwatched, evicted_idle, evicted_cap, anomalies, episodes,
       entities, state_bytes, detail, extract(epoch from committed_at - started_at)::float8 as batch_s
from batches where job = %(job)s and query_id = %(query_id)s and batch_id > %(after)s order by batch_id limit 200;

-- name: traced_batch
-- A batch as its span tells it.
select events, accepted, quarantined, late, duplicates, anomalies, episodes, detail, started_at, committed_at
from batches where job = %(job)s and query_id = %(query_id)s and batch_id = %(batch_id)s;

-- name: traced_cases
-- How many cases a span's transaction put on the docket, by lane.
select lane, count(*) as cases from docket where traceparent = %(traceparent)s group by lane order by lane;

-- name: traced_rows
-- The newest bronze row that a checkpoint has folded before a batch, -1 before the first.
select coalesce(max((detail ->> 'newest_row')::bigint), -1) as newest_row
from batches where job = 'detect' and query_id = %(query_id)s and batch_id < %(batch_id)s;

-- name: traced_ingests
-- Spans of the ingest batches above one number and up to another, the oldest first; only of the newest checkpoint of ingest.
select batch_id, traceparent from batches
where job = 'ingest' and batch_id > %(after)s and batch_id <= %(upto)s and accepted > 0 and traceparent is not null
  and query_id = (select query_id from batches where job = 'ingest' order by committed_at desc limit 1)
order by batch_id limit 128;

-- name: traced_docket
-- The span of the batch that put each case on the docket.
select case_id, traceparent from docket where case_id = any(%(case_ids)s::text[]) and traceparent is not null;

-- name: trace_rulings
-- The spans of rulings in force.
update rulings r set traceparent = t.traceparent
from unnest(%(case_ids)s::text[], %(traceparents)s::text[]) t(case_id, traceparent)
where r.case_id = t.case_id and r.in_force;

-- name: traced_ruling
-- The span of a ruling.
select traceparent from rulings where ruling_id = %(ruling_id)s;

-- name: traced_delivery
-- The spans of the rulings in force on the cases that a bundle of messages tells of.
select distinct r.traceparent
from notices n join messages m using (message_id)
join rulings r on r.case_id = coalesce(m.payload ->> 'case_id', m.subject) and r.in_force
where n.tenant = %(tenant)s and n.bundle_id = %(bundle_id)s and r.tenant = n.tenant and r.traceparent is not null
order by 1 limit 32;
