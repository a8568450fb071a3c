-- Topics, segments and processors: what is declared, which version acts, and what every rule said of every batch.
create table topics (
  tenant      text not null,
  topic       text not null,
  kind        text not null default 'mixed' check (kind in ('transaction', 'request', 'measurement', 'mixed')),
  schema      jsonb not null default '{}',    -- JSON schema of what its events must look like; {} is anything
  partitions  integer not null default 1 check (partitions > 0),
  retention_s bigint check (retention_s > 0), -- of the Kafka topic; null is the broker's default
  description text not null default '',
  in_kafka    boolean not null default false, -- whether a Kafka topic was made with it
  created_by  text not null,
  created_at  timestamptz not null default now(),
  primary key (tenant, topic)
);

-- A filter over a topic's events (CEL; '' takes all) and the processors that act on what passes, in order.
create table segments (
  tenant      text not null,
  segment     text not null,
  topic       text not null default '*',      -- '*' is every topic
  filter      text not null default '',
  processors  text[] not null default '{}',
  enabled     boolean not null default true,
  description text not null default '',
  revision    integer not null default 1,     -- counts changes, for optimistic locking
  created_by  text not null,
  created_at  timestamptz not null default now(),
  updated_by  text not null,
  updated_at  timestamptz not null default now(),
  primary key (tenant, segment)
);

create table processors (
  tenant       text not null,
  processor    text not null,
  kind         text not null check (kind in ('allow', 'deny', 'watch', 'thresholds', 'enrich', 'route', 'rule', 'model', 'http')),
  description  text not null default '',
  live_version integer,                       -- null: it does not act
  created_by   text not null,
  created_at   timestamptz not null default now(),
  primary key (tenant, processor)
);

-- Immutable: another configuration is another version.
create table processor_versions (
  tenant     text not null,
  processor  text not null,
  version    integer not null,                -- 1, 2, 3 …
  spec       jsonb not null,
  spec_hash  text not null,
  why        text not null default '',
  created_by text not null,
  created_at timestamptz not null default now(),
  primary key (tenant, processor, version),
  foreign key (tenant, processor) references processors on delete cascade
);
alter table processors add constraint live_version_exists
  foreign key (tenant, processor, live_version) references processor_versions deferrable initially deferred;

-- What was done to a processor, by whom and why.
create table processor_changes (
  change_id bigint generated always as identity primary key,
  tenant    text not null,
  processor text not null,
  action    text not null check (action in ('created', 'version', 'live', 'retired', 'deleted')),
  version   integer,
  actor     text not null,
  why       text not null default '',
  at        timestamptz not null default now()
);
create index processor_changes_by_processor on processor_changes (tenant, processor, change_id desc);

-- Data lists: what allow, deny and watch lists hold, and the tables that enrich; a version is never changed.
create table lists (
  tenant       text not null,
  list         text not null,
  description  text not null default '',
  holds        text not null default 'other' check (holds in ('account', 'counterparty', 'other')),  -- what its keys are
  columns      text[] not null default '{}',  -- beside the key, of an enrichment table
  live_version integer,
  created_by   text not null,
  created_at   timestamptz not null default now(),
  deleted_at   timestamptz,                   -- its items stay until no batch in work can need them
  primary key (tenant, list)
);
create table list_versions (
  tenant     text not null,
  list       text not null,
  version    integer not null,
  items      bigint not null,
  sha256     text not null,                   -- of its items in order of their keys
  why        text not null default '',
  created_by text not null,
  created_at timestamptz not null default now(),
  primary key (tenant, list, version),
  foreign key (tenant, list) references lists on delete cascade
);
create table list_items (
  tenant  text not null,
  list    text not null,
  version integer not null,
  key     text not null,
  data    jsonb not null default '{}',        -- column → text
  primary key (tenant, list, version, key),
  foreign key (tenant, list, version) references list_versions on delete cascade
);

create function refuse_update() returns trigger language plpgsql as $$
begin
  raise exception 'a version in % is never changed: make a new one', tg_table_name using errcode = 'insufficient_privilege';
end $$;
create trigger processor_versions_stay before update on processor_versions execute function refuse_update();
create trigger list_versions_stay before update on list_versions execute function refuse_update();
create trigger list_items_stay before update on list_items execute function refuse_update();

-- Every set of segments, processor versions and list versions that ever acted, by its hash.
create table processor_sets (
  tenant   text not null,
  set_hash text not null,
  content  jsonb not null,                    -- {segments: [{segment, topic, filter, processors}], versions: {…}, lists: {…}}
  first_at timestamptz not null default now(),
  primary key (tenant, set_hash)
);
-- Which set each batch of the detect job works with, written before the batch is worked on: a retry finds it here.
create table processor_pins (
  query_id  text not null,
  batch_id  bigint not null,
  tenant    text not null,                    -- '' is the batch's own entry, with the hash over all tenants
  set_hash  text not null,
  pinned_at timestamptz not null default now(),
  primary key (query_id, batch_id, tenant)
);
create index processor_pins_by_time on processor_pins using brin (pinned_at);

-- What each rule said of each batch; in the transaction of the batch's ledger entry.
create table rule_counts (
  tenant     text not null,
  query_id   text not null,
  batch_id   bigint not null,
  segment    text not null,                   -- '' for thresholds, which act on the whole tenant
  processor  text not null,
  version    integer not null,
  evaluated  bigint not null,                 -- events or anomalies that it looked at
  hit        bigint not null,
  missed     bigint not null,
  errors     bigint not null,                 -- could not be told, as when a field is absent
  kept       bigint not null default 0,       -- hits written to rule_hits: at most a cap per batch, each event once
  queued     bigint not null default 0,       -- given to a worker pool
  overflowed bigint not null default 0,       -- not given to it, since its queue was full
  at         timestamptz not null default now(),
  primary key (tenant, query_id, batch_id, segment, processor)
);
create index rule_counts_by_time on rule_counts (tenant, processor, at desc);
create table rule_totals (                    -- the same added up by hour; kept longer
  tenant     text not null,
  processor  text not null,
  version    integer not null,
  segment    text not null,
  hour       timestamptz not null,
  evaluated  bigint not null,
  hit        bigint not null,
  missed     bigint not null,
  errors     bigint not null,
  kept       bigint not null,
  queued     bigint not null,
  overflowed bigint not null,
  primary key (tenant, processor, version, segment, hour)
);

create table rule_hits (
  tenant     text not null,
  hit_id     text not null,                   -- hash(processor, version, segment, event): a delivered-again event is the same hit
  processor  text not null,
  version    integer not null,
  segment    text not null,
  kind       text not null,                   -- of the processor
  query_id   text not null,
  batch_id   bigint not null,
  event_id   text not null,
  event_time timestamptz not null,
  entity     text not null default '',
  case_id    text,                            -- the case that it raised or concerns, when there is one
  lane       text,                            -- the lane it asked for
  severity   double precision not null,       -- 0..1, as the processor says
  event      jsonb not null,                  -- the canonical event, message capped, untrusted; with `enriched`
  answer     jsonb,                           -- of a model or an HTTP service
  created_at timestamptz not null default now(),
  primary key (tenant, hit_id)
);
create index rule_hits_by_processor on rule_hits (tenant, processor, created_at desc);
create index rule_hits_by_entity on rule_hits (tenant, entity, created_at desc);
create index rule_hits_by_time on rule_hits (tenant, created_at desc, hit_id);

-- Anomalies that an allow list keeps from the council: recorded, countable, their case is filed.
create table suppressions (
  tenant     text not null,
  anomaly_id text not null,
  case_id    text not null,
  entity     text not null,
  processor  text not null,
  version    integer not null,
  segment    text not null,
  query_id   text not null,
  batch_id   bigint not null,
  created_at timestamptz not null default now(),
  primary key (tenant, anomaly_id, processor)
);
create index suppressions_by_time on suppressions (tenant, created_at desc);

-- To which lane a rule raised a case; later batches do not lower it.
create table raised_lanes (
  tenant    text not null,
  case_id   text not null,
  lane      text not null check (lane in ('immediate', 'batch')),
  processor text not null,
  version   integer not null,
  at        timestamptz not null default now(),
  primary key (tenant, case_id)
);

-- Pools of workers for slow rules, and their queue.
create table worker_pools (
  tenant      text not null,
  pool        text not null,
  size        integer not null check (size > 0),         -- calls at the same time, over all processes
  queue_limit integer not null check (queue_limit > 0),  -- waiting items; what comes above is counted as overflowed
  timeout_s   double precision not null check (timeout_s > 0),
  attempts    integer not null check (attempts > 0),
  updated_by  text not null,
  updated_at  timestamptz not null default now(),
  primary key (tenant, pool)
);
create table rule_work (
  work_id      bigint generated always as identity primary key,
  tenant       text not null,
  pool         text not null,
  hit_id       text not null,                 -- of what it will be, should the answer make it a hit
  processor    text not null,
  version      integer not null,
  segment      text not null default '',
  input        jsonb not null,                -- the event, its entity and case
  state        text not null default 'waiting' check (state in ('waiting', 'leased', 'done', 'dead')),
  attempts     integer not null default 0,
  not_before   timestamptz not null default '-infinity',
  leased_by    text,
  leased_until timestamptz,
  answer       jsonb,
  last_error   text,
  enqueued_at  timestamptz not null default now(),
  finished_at  timestamptz,
  unique (tenant, hit_id)
);
create index rule_work_next on rule_work (tenant, pool, work_id) where state in ('waiting', 'leased');
create index rule_work_by_time on rule_work (enqueued_at);

select guard_tenants();
