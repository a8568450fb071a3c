-- name: timescale_state
-- Whether timescaledb is loaded by this server, and whether it is installed in this database.
select exists (select from pg_settings where name like 'timescaledb.%%') or
       exists (select from pg_settings where name = 'shared_preload_libraries' and setting like '%%timescaledb%%') as loaded,
       exists (select from pg_available_extensions where name = 'timescaledb') as available,
       exists (select from pg_extension where extname = 'timescaledb') as installed;

-- name: timescale_create
-- Install the extension in this database.
create extension if not exists timescaledb;

-- name: timescale_licence
-- 'apache' or 'timescale'; the latter has policies, compression and continuous aggregates.
select current_setting('timescaledb.license', true) as licence;

-- name: hypertable_names
-- The hypertables of this schema.
select hypertable_name from timescaledb_information.hypertables where hypertable_schema = current_schema();

-- name: make_hypertable
-- Turn a table into a hypertable, with the rows that it has.
select create_hypertable(%(table)s::regclass, by_range(%(column)s::name, %(width)s::interval),
                         if_not_exists => true, migrate_data => true, create_default_indexes => false);

-- name: compress_table
-- Compress chunks some days after they were made; replayed old events stay writable for as long.
select add_compression_policy(%(table)s::regclass, compress_created_before => make_interval(days => %(days)s), if_not_exists => true);

-- name: drop_policies
-- Forget the policies, so that changed settings take effect.
select remove_compression_policy(%(table)s::regclass, if_exists => true), remove_retention_policy(%(table)s::regclass, if_exists => true);

-- name: retain_table
-- The server's own backstop: the periodic job, which counts each row's arrival, comes first.
select add_retention_policy(%(table)s::regclass, drop_created_before => make_interval(days => %(days)s), if_not_exists => true);

-- name: service_hours_kind
-- 'v' while service_hours is a plain view.
select c.relkind::text as kind, exists (select from timescaledb_information.continuous_aggregates
  where view_schema = current_schema() and view_name = 'service_hours') as continuous
from pg_class c where c.oid = to_regclass('service_hours');

-- name: refresh_service_hours
-- Keep the continuous aggregate fresh; newer hours are computed when read.
select add_continuous_aggregate_policy('service_hours', start_offset => null, end_offset => interval '1 hour',
                                       schedule_interval => interval '10 minutes', if_not_exists => true);

-- name: old_chunks
-- Chunks made before a moment; only they can hold nothing but older arrivals.
select chunk_schema, chunk_name, range_start, range_end from timescaledb_information.chunks
where hypertable_schema = current_schema() and hypertable_name = %(table)s and chunk_creation_time < %(before)s
order by range_start;

-- name: drop_chunk
-- Drop the chunk of exactly this range.
select drop_chunks(%(table)s::regclass, older_than => %(range_end)s::timestamptz, newer_than => %(range_start)s::timestamptz);
