-- name: remove_metrics_minute
-- Minutes that first arrived before a moment.
delete from metrics_minute where arrived_at < %(before)s;

-- name: remove_metrics_hour
-- Hours that first arrived before a moment.
delete from metrics_hour where arrived_at < %(before)s;

-- name: remove_anomalies
-- Anomalies whose event arrived before a moment; what a ruling stood on is kept in the ruling's brief.
delete from anomalies where arrived_at < %(before)s;

-- name: remove_tool_audit
-- Model and tool calls before a moment.
delete from tool_audit where at < %(before)s;

-- name: remove_quarantined
-- Excerpts of refused records; the raw bytes are Delta's to keep.
delete from quarantined where arrived_at < %(before)s;

-- name: remove_batches
-- Ledger rows, save each stream's newest: a retry must still be known for what it is.
delete from batches b where committed_at < %(before)s
  and exists (select from batches n where n.job = b.job and n.query_id = b.query_id and n.batch_id > b.batch_id);

-- name: remove_stream_progress
-- Progress reports, save each stream's newest.
delete from stream_progress p where at < %(before)s
  and exists (select from stream_progress n where n.job = p.job and n.query_id = p.query_id and n.batch_id > p.batch_id);

-- name: remove_rulings
-- Superseded rulings; the one in force goes with its case.
delete from rulings where ruled_at < %(before)s and not in_force;

-- name: remove_cases
-- Cases at rest since before a moment, with their docket row, rulings, commands, alerts and memories.
delete from cases c where updated_at < %(before)s
  and not exists (select from docket d where d.case_id = c.case_id and d.state in ('waiting', 'leased', 'shed'));

-- name: remove_episodes
-- Episodes that no case holds any longer.
delete from episodes e where detected_at < %(before)s and not exists (select from cases c where c.episode_id = e.episode_id);

-- name: remove_workers
-- Processes not seen since a moment.
delete from workers where seen_at < %(before)s;

-- name: remove_maintenance_runs
-- Records of earlier maintenance.
delete from maintenance_runs where at < %(before)s;

-- name: try_maintenance
-- Whether this session may do maintenance; false while another one does.
select pg_try_advisory_lock(%(lock)s) as mine;

-- name: end_maintenance
-- Let another session do maintenance.
select pg_advisory_unlock(%(lock)s) as done;

-- name: record_maintenance
-- What was removed, table by table.
insert into maintenance_runs (at, removed) values (%(at)s, %(removed)s);

-- name: last_maintenance
-- When maintenance was last done.
select max(at) as at from maintenance_runs;

-- name: table_sizes
-- Rows (about) and bytes with indexes of every table, chunks of hypertables added up.
select c.relname as name,
       greatest(coalesce(sum(s.n_live_tup), 0), 0)::bigint as rows,
       sum(pg_total_relation_size(part.oid))::bigint as bytes
from pg_class c
join lateral (select c.oid union all select inhrelid from pg_inherits where inhparent = c.oid) part(oid) on true
left join pg_stat_all_tables s on s.relid = part.oid
where c.relnamespace = current_schema()::regnamespace and c.relkind in ('r', 'p')
group by c.relname order by bytes desc, name;
