-- Retention counts from arrival, since replayed events are old: metric rows remember when they first came.
alter table metrics_minute add column arrived_at timestamptz not null default now();
alter table metrics_hour add column arrived_at timestamptz not null default now();

create index metrics_minute_by_arrival on metrics_minute using brin (arrived_at);
create index metrics_hour_by_arrival on metrics_hour using brin (arrived_at);
create index anomalies_by_arrival on anomalies using brin (arrived_at);
create index stream_progress_by_time on stream_progress (job, at desc);
create index docket_by_state on docket (state, lane);

-- Hours of services and series, for charts over weeks; a continuous aggregate where TimescaleDB's licence allows one.
create view service_hours as
  select date_bin('1 hour', bucket, timestamptz '2000-01-01 00:00:00Z') as bucket, tenant, entity_hash,
         sum(count)::bigint as count, sum(errors)::bigint as errors, sum(sum) as sum, sum(sum_squares) as sum_squares,
         min(min) as min, max(max) as max, sum(anomalies)::bigint as anomalies
  from metrics_minute group by 1, 2, 3;
