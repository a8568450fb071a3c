-- What changed, for those who follow: only ids, so that erasing a subject needs nothing here. Ordered by (xid, seq): a reader who
-- stays below the oldest transaction that is still open can never pass over one that commits late.
create table changes (
  seq    bigint generated always as identity,
  xid    xid8 not null default pg_current_xact_id(),
  tenant text not null,
  kind   text not null check (kind in ('anomaly', 'ruling', 'case')),
  id     text not null,
  at     timestamptz not null default now(),
  primary key (tenant, xid, seq)
);
create index changes_by_time on changes using brin (at);

create function note_change() returns trigger language plpgsql as $$
begin
  insert into changes (tenant, kind, id)
  values (new.tenant, tg_argv[0], case tg_argv[0] when 'anomaly' then to_jsonb(new) ->> 'anomaly_id'
                                                  when 'ruling' then to_jsonb(new) ->> 'ruling_id' else to_jsonb(new) ->> 'case_id' end);
  return null;
end $$;

create trigger anomalies_are_followed after insert on anomalies for each row execute function note_change('anomaly');
create trigger rulings_are_followed after insert on rulings for each row execute function note_change('ruling');
create trigger new_cases_are_followed after insert on case_files for each row when (new.head is null)
  execute function note_change('case');
create trigger cases_are_followed after update on case_files for each row
  when (old.version is distinct from new.version or old.head is distinct from new.head) execute function note_change('case');

select guard_tenants();
