-- Tenants are kept apart by Postgres itself: gateway and dashboard work under `conclave_app`, which sees and writes the rows of
-- the tenant named by the setting `conclave.tenant`, and none while it is unset. The stream jobs and workers serve all tenants
-- and work as the owner. Every later migration that makes a table ends with `select guard_tenants();`.
do $$
declare wanted text;
begin
  foreach wanted in array array['conclave_app', 'conclave_reader'] loop
    begin
      execute format('create role %I nologin', wanted);
    exception when duplicate_object or unique_violation then null;  -- roles are the server's, not the database's
    end;
    execute format('grant %I to current_user', wanted);
  end loop;
end $$;

create function current_tenant() returns text language sql stable parallel safe
  return nullif(current_setting('conclave.tenant', true), '');

-- Row-level security, policy and grants for every table that has none yet; a table without `tenant` is the system's: read only.
-- `conclave_reader` is for people's own tools: it reads no key, no answer to a key and nothing of the vault.
create function guard_tenants() returns void language plpgsql set search_path from current as $$
declare found record;
begin
  for found in
    select c.oid, c.relname, c.relkind, c.relrowsecurity,
           exists (select from pg_attribute a where a.attrelid = c.oid and a.attname = 'tenant' and not a.attisdropped) as tenanted
    from pg_class c where c.relnamespace = current_schema()::regnamespace and c.relkind in ('r', 'p', 'v')
      and not exists (select from pg_depend d where d.objid = c.oid and d.deptype = 'e')
  loop
    if found.relkind = 'v' then
      execute format('alter view %I set (security_invoker = true)', found.relname);
    elsif found.tenanted and not found.relrowsecurity then
      execute format('alter table %I enable row level security', found.relname);
      execute format('create policy tenant_only on %I using (tenant = current_tenant()) with check (tenant = current_tenant())',
                     found.relname);
    end if;
    execute format('grant select on %I to conclave_app', found.relname);
    if found.relname <> all (array['api_keys', 'answers', 'vault_keys', 'vault_subjects', 'erasures']) then
      execute format('grant select on %I to conclave_reader', found.relname);
    end if;
    if found.tenanted and found.relkind <> 'v' and found.relname <> 'audit_log' then
      execute format('grant insert, update, delete on %I to conclave_app', found.relname);
    end if;
  end loop;
  grant usage on all sequences in schema public to conclave_app;
end $$;

-- What anyone did, append only and chained: `hash` covers the row and the hash before it, per tenant.
create table audit_log (
  tenant   text not null,
  seq      bigint not null,                   -- 1, 2, 3 … without gaps
  at       timestamptz not null,
  actor    text not null,                     -- `key:ID`, `oidc:SUBJECT`, `system:PART`
  action   text not null,                     -- `case.resolve`, `key.create`, `subject.erase` …
  subject  text not null,                     -- what it was done to
  detail   jsonb not null,                    -- never personal data in the clear
  previous text not null,                     -- '' for the first
  hash     text not null,
  primary key (tenant, seq)
);
create function refuse_change() returns trigger language plpgsql as $$
begin
  raise exception '% is append only', tg_table_name using errcode = 'insufficient_privilege';
end $$;
create trigger audit_log_is_append_only before update or delete or truncate on audit_log execute function refuse_change();

-- What happened that somebody may want to be told: written in the transaction of what happened, dispatched by notify/.
create table messages (
  message_id    bigint generated always as identity primary key,
  tenant        text not null,
  topic         text not null,                -- cases | rulings | rules | llm | schedule | system, or one's own
  kind          text not null,                -- `case.opened`, `case.escalated`, `ruling.confirmed`, `rule.hit`, `llm.alert` …
  subject       text not null,                -- the case, trace, rule … it is about
  entity        text not null default '',     -- the entity concerned, where there is one
  severity      double precision not null,    -- 0..1
  title         text not null,
  payload       jsonb not null,
  dedupe_key    text not null,                -- the same key again is the same message: not written twice
  created_at    timestamptz not null default now(),
  dispatched_at timestamptz,
  unique (tenant, dedupe_key)
);
create index messages_waiting on messages (message_id) where dispatched_at is null;
create index messages_by_topic on messages (tenant, topic, message_id);

select guard_tenants();
grant insert on audit_log to conclave_app;
