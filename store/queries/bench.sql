-- What benchmarks read beside the product; commit times need a server that was started with track_commit_timestamp.

-- name: bench_anomalies
-- Kept anomalies of events since a moment, with when each stage had them; commit times are the server's own.
select a.anomaly_id, a.event_time, a.arrived_at, a.severity, b.batch_id, b.started_at, b.detail,
       pg_xact_commit_timestamp(a.xmin) as committed_at
from anomalies a join batches b on b.job = 'detect' and b.query_id = a.query_id and b.batch_id = a.batch_id
where a.event_time >= %(since)s and a.event_time < %(until)s order by a.event_time;

-- name: bench_hearings
-- Cases that began since a moment and crossed a severity: when that was committed, and when a hearing of them next was.
with crossed as (
  select episode_id, min(pg_xact_commit_timestamp(xmin)) as at from anomalies
  where severity >= %(bar)s and event_time < %(until)s group by episode_id having min(event_time) >= %(since)s),
heard as (
  select unnest(case_ids) as case_id, pg_xact_commit_timestamp(xmin) as at from tool_audit where kind = 'tool' and name = 'evidence')
select c.case_id, crossed.at as flagged_at, min(heard.at) as heard_at, d.state
from crossed join cases c using (episode_id) join docket d using (case_id)
left join heard on heard.case_id = c.case_id and heard.at >= crossed.at
group by c.case_id, crossed.at, d.state order by crossed.at;

-- name: bench_lag
-- What waits for each stream now, and on the docket.
select (select waiting from stream_lag where job = 'detect') as rows,
       (select events from (select sum(events) as events from batches where job = 'detect') b)::bigint as folded,
       (select count(*) from docket where lane = 'immediate' and state in ('waiting', 'leased')) as immediate,
       (select count(*) from docket where lane = 'batch' and state in ('waiting', 'leased')) as batch,
       (select count(*) from docket where state = 'shed') as shed,
       (select count(*) from rulings where in_force) as ruled;

-- name: bench_ingested
-- When each ingest batch began, and how large it was.
select batch_id, started_at, events, committed_at from batches where job = 'ingest' order by batch_id;

-- name: bench_batches
-- Spark's own report of each batch since a moment.
select job, batch_id, at, input_rows, duration_ms from stream_progress where at >= %(since)s order by job, batch_id;

-- name: bench_cases
-- What became of every case: counted by lane, state on the docket, and whether a ruling is in force.
select c.lane, coalesce(d.state, 'none') as state, r.ruling_id is not null as ruled, count(*) as cases
from cases c left join docket d using (case_id) left join rulings r on r.case_id = c.case_id and r.in_force
group by 1, 2, 3 order by 1, 2, 3;

-- name: bench_receipts
-- Receipts by kind: how many, what they may have cost, and how many went back.
select kind, count(*) as receipts, count(returned_at) as returned, sum(expected_loss)::double precision as expected_loss,
       min(weight) as least, max(weight) as most
from docket_receipts group by kind order by kind;
