-- name: startup_server
-- What a start must know of the server: its clock, whether vectors can be had, whether it only reads.
select extract(epoch from clock_timestamp())::double precision as now_s, current_user as role,
       exists (select from pg_available_extensions where name = 'vector') as has_vectors,
       pg_is_in_recovery() or current_setting('transaction_read_only')::boolean as reads_only;

-- name: startup_rights
-- Whether this login may do what jobs do: make tables, write rows of every tenant, and act as the application's role.
select has_schema_privilege(current_schema(), 'create') as makes_tables,
       coalesce(has_table_privilege(to_regclass('batches'), 'insert'), true) as writes,
       coalesce(row_security_active(to_regclass('batches')), false) as sees_one_tenant,
       coalesce((select pg_has_role(oid, 'member') from pg_roles where rolname = 'conclave_app'), true) as acts_for_tenants;

-- name: startup_fence
-- Whether somebody holds a checkpoint's fence, without taking it.
select exists (select from pg_locks
               where locktype = 'advisory' and granted and objsubid = 1
                 and database = (select oid from pg_database where datname = current_database())
                 and (classid::bigint << 32 | objid::bigint) = hashtextextended('conclave fence ' || %(checkpoint)s, 0)) as held;
