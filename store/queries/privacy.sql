-- name: vault_keys_of
-- A tenant's wrapped keys, the newest generation last.
select purpose, generation, wrapped, master from vault_keys where tenant = %(tenant)s order by purpose, generation;

-- name: put_vault_key
-- A key unless its place is taken: of two processes that begin at once, one wins.
insert into vault_keys (tenant, purpose, generation, wrapped, master)
values (%(tenant)s, %(purpose)s, %(generation)s, %(wrapped)s, %(master)s) on conflict do nothing;

-- name: vault_keys_all
-- Every tenant's wrapped keys, held until commit, for a change of the master key.
select tenant, purpose, generation, wrapped, master from vault_keys order by tenant, purpose, generation for update;

-- name: rewrap_vault_key
-- The same key under another master key.
update vault_keys set wrapped = %(wrapped)s, master = %(master)s
where tenant = %(tenant)s and purpose = %(purpose)s and generation = %(generation)s;

-- name: subjects_by_lookup
-- Live subjects by the HMAC of their identifiers.
select token, lookup, wrapped, generation from vault_subjects where tenant = %(tenant)s and lookup = any(%(lookups)s);

-- name: subjects_by_token
-- Live subjects by their tokens.
select token, kind, sealed, wrapped, generation from vault_subjects
where tenant = %(tenant)s and token = any(%(tokens)s) and destroyed_at is null;

-- name: put_subjects
-- New subjects, many at once; one that another process just made stays as that one made it.
insert into vault_subjects (tenant, token, kind, lookup, sealed, wrapped, generation)
select %(tenant)s, n.token, %(kind)s, n.lookup, n.sealed, n.wrapped, %(generation)s
from unnest(%(tokens)s::text[], %(lookups)s::bytea[], %(sealed)s::bytea[], %(wrapped)s::bytea[]) as n(token, lookup, sealed, wrapped)
on conflict (tenant, lookup) do nothing;

-- name: known_tokens
-- Which of these are tokens of this vault, also of erased subjects.
select token from vault_subjects where tenant = %(tenant)s and token = any(%(tokens)s);

-- name: subjects_under
-- Some subjects whose key is wrapped under another generation of the tenant's data key.
select token, wrapped, generation from vault_subjects
where tenant = %(tenant)s and destroyed_at is null and generation <> %(generation)s limit %(limit)s for update skip locked;

-- name: rewrap_subject
-- The same subject's key under another generation.
update vault_subjects set wrapped = %(wrapped)s, generation = %(generation)s where tenant = %(tenant)s and token = %(token)s;

-- name: destroy_subject
-- The subject's key, its identifier and the way to find it are gone for good.
update vault_subjects set lookup = null, sealed = null, wrapped = null, destroyed_at = now()
where tenant = %(tenant)s and token = %(token)s and destroyed_at is null;

-- name: vault_size
-- Subjects by kind, live and erased.
select kind, count(*) filter (where destroyed_at is null) as live, count(destroyed_at) as erased
from vault_subjects where tenant = %(tenant)s group by kind order by kind;

-- name: ask_erasure
-- Note down that a subject is to be forgotten, and wake who does it.
with asked as (
  insert into erasures (tenant, erasure_id, subject, subject_hash, mark, token, asked_by)
  values (%(tenant)s, %(erasure_id)s, %(subject)s, %(subject_hash)s, %(mark)s, %(token)s, %(asked_by)s) returning erasure_id)
select pg_notify('erasures', erasure_id) from asked;

-- name: open_erasure
-- The same subject's erasure that is not done yet.
select erasure_id from erasures where tenant = %(tenant)s and subject = %(subject)s;

-- name: erasure
-- One erasure, to be read.
select erasure_id, subject_hash, state, asked_by, asked_at, finished_at, report, error from erasures
where tenant = %(tenant)s and erasure_id = %(erasure_id)s;

-- name: erasures_newest
-- Erasures, the newest first.
select erasure_id, subject_hash, state, asked_by, asked_at, finished_at, report, error from erasures
where tenant = %(tenant)s and (%(before)s::timestamptz is null or (asked_at, erasure_id) < (%(before)s, %(before_id)s))
order by asked_at desc, erasure_id desc limit %(limit)s;

-- name: take_erasure
-- One erasure in one of these states, held until commit.
select tenant, erasure_id, subject, mark, token, report from erasures
where state = any(%(states)s) and (%(erasure_id)s::text is null or erasure_id = %(erasure_id)s)
order by asked_at limit 1 for update skip locked;

-- name: put_erasure
-- How far an erasure is. With the last step the subject's name goes.
update erasures set state = %(state)s, report = %(report)s, error = %(error)s,
  subject = case when %(state)s = 'done' then null else subject end,
  finished_at = case when %(state)s = 'done' then now() end
where tenant = %(tenant)s and erasure_id = %(erasure_id)s;

-- name: subject_entities
-- The entities of a subject: one per currency.
select entity_hash, entity from entities
where tenant = %(tenant)s and exists (
  select from unnest(%(names)s::text[]) as n(name) where entity = n.name or left(entity, length(n.name) + 1) = n.name || '/');

-- name: texts_of_tables
-- Every column of every table that can hold words, with whether the table has a tenant and triggers of its own.
select c.relname as "table", a.attname as "column", format_type(a.atttypid, null) as type,
       exists (select from pg_attribute t where t.attrelid = c.oid and t.attname = 'tenant' and not t.attisdropped) as tenanted,
       exists (select from pg_trigger g where g.tgrelid = c.oid and not g.tgisinternal) as triggered
from pg_class c join pg_attribute a on a.attrelid = c.oid
where c.relnamespace = current_schema()::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
  and a.attnum > 0 and not a.attisdropped and a.attgenerated = '' and a.attname <> 'tenant'
  and format_type(a.atttypid, null) in ('text', 'text[]', 'json', 'jsonb', 'character varying')
order by c.relname, a.attnum;

-- name: columns_named
-- Tables with a tenant that have a column of this name and type.
select c.relname as "table" from pg_class c join pg_attribute a on a.attrelid = c.oid
where c.relnamespace = current_schema()::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
  and a.attname = %(column)s and format_type(a.atttypid, null) = %(type)s and not a.attisdropped
  and exists (select from pg_attribute t where t.attrelid = c.oid and t.attname = 'tenant' and not t.attisdropped) order by 1;

-- name: subject_cases
-- The cases of entities.
select case_id from cases where tenant = %(tenant)s and entity = any(%(entities)s);

-- name: tenant_tables
-- Every table that has a tenant.
select c.relname as "table" from pg_class c
where c.relnamespace = current_schema()::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
  and exists (select from pg_attribute a where a.attrelid = c.oid and a.attname = 'tenant' and not a.attisdropped) order by 1;

-- name: erasures_mark
-- Changes whenever an erasure was asked for, which destroys a key.
select count(*) || ' ' || coalesce(max(asked_at)::text, '') as mark from erasures;

-- name: erasures_unfinished
-- What was asked for and is not done, the oldest first.
select tenant, erasure_id from erasures where state <> 'done' order by asked_at, erasure_id;
