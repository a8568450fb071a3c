-- name: status_jobs
-- Each streaming job's ledger: what its batches held, added up, and its newest batch.
select job, count(*) as batches, sum(events)::bigint as events, sum(accepted)::bigint as accepted,
       sum(quarantined)::bigint as quarantined, sum(points)::bigint as points, sum(late)::bigint as late,
       sum(duplicates)::bigint as duplicates, sum(anomalies)::bigint as anomalies,
       max(committed_at) as committed_at, max(newest_event) as newest_event
from batches group by job order by job desc;

-- name: status_progress
-- Each job's newest report by Spark.
select distinct on (job) job, at, rows_per_s, lag from stream_progress order by job, at desc;

-- name: status_docket
-- Cases on the docket by lane and state, and since when the oldest of them is there.
select lane, state, count(*) as cases, min(enqueued_at) as oldest from docket group by lane, state order by lane desc, state;

-- name: status_rulings
-- Rulings in force by outcome and by the council that ruled.
select outcome, council, count(*) as rulings from rulings where in_force group by outcome, council order by outcome, council;

-- name: status_commands
-- Commands by action and state.
select action, state, count(*) as commands from commands group by action, state order by action, state;

-- name: status_workers
-- Processes that said they live, the newest first.
select worker_id, job, detail, started_at, seen_at, extract(epoch from now() - seen_at)::float8 as silent_s
from workers order by seen_at desc;

-- name: status_counts
-- How many anomalies, cases, refused records and runbook sections there are.
select (select count(*) from anomalies) as anomalies, (select count(*) from cases) as cases,
       (select count(*) from cases where lane = 'filed') as filed,
       (select count(*) from quarantined where state = 'new') as quarantined, (select count(*) from sections) as sections,
       (select count(*) from entities) as entities;

-- name: status_server
-- Which server this is, and its extensions.
select current_setting('server_version') as version, now() as now,
       (select jsonb_object_agg(extname, extversion) from pg_extension) as extensions;

-- name: stream_lags
-- What waits for each streaming job; none of ingest while it does not run, since it alone can ask its source.
select job, waiting, unit, oldest_s, at from stream_lag order by job desc;

-- name: rows_not_folded
-- Rows that ingest has written and detect has not folded, and for how many seconds the oldest of them waits.
select waiting, oldest_s from stream_lag where job = 'detect'
union all select 0, 0 limit 1;
