-- name: wal_position
-- How many bytes this server has written into its log, ever.
select (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::bigint as bytes;

-- name: hours_size
-- The table of hourly metrics: its rows, and its bytes with indexes.
select count(*) as rows, pg_total_relation_size('metrics_hour')::bigint as bytes from metrics_hour;
