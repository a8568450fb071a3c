-- name: demo_progress
-- How far the events have come.
select (select coalesce(sum(accepted), 0)::bigint from batches where job = 'ingest') as bronze,
       (select coalesce(sum(quarantined), 0)::bigint from batches where job = 'ingest') as quarantined,
       (select coalesce(sum(events), 0)::bigint from batches where job = 'detect') as scored,
       (select count(*) from anomalies) as anomalies,
       (select count(*) from cases) as cases,
       (select count(*) from rulings where in_force) as rulings,
       (select count(*) from docket where state in ('waiting', 'leased', 'shed')) as open,
       (select count(*) from docket where state = 'dead') as dead;

-- name: demo_anomalies
-- Anomalies by the detector that was surest of them.
select detector, count(*) as anomalies from anomalies group by detector order by anomalies desc, detector;

-- name: demo_episodes
-- Hits that were no anomaly row of their own, since an episode keeps its first and worst.
select coalesce(sum(revision), 0)::bigint as hits, count(*) as episodes from episodes;

-- name: demo_latency
-- Seconds from an event's arrival to its anomaly, and from the arrival of a case's first hit to its ruling.
select (select percentile_cont(array[0.5, 0.95]) within group (order by extract(epoch from detected_at - arrived_at)) from anomalies)
         as to_anomaly,
       (select percentile_cont(array[0.5, 0.95]) within group (order by extract(epoch from r.ruled_at - e.arrived_at))
        from rulings r join cases c using (case_id) join episodes e using (episode_id) where r.in_force) as to_ruling;

-- name: put_edge
-- One call between two services, from the topology file.
insert into service_edges (tenant, caller, callee) values (%(tenant)s, %(caller)s, %(callee)s) on conflict do nothing;
