-- The tables are the contract between the packages. Every table carries `tenant` (default `main`).
-- Times named *_at in `event time` come from the events (started_at, last_at, event_time, bucket);
-- arrived_at, ruled_at, created_at … are wall clock and drive retention and latency only.
create extension if not exists vector;

-- What has a window. `entity` is `kind:subject` or `kind:subject/qualifier` (currency, or a series' metric).
create table entities (
  entity_hash bigint primary key,             -- xxhash64(tenant, entity); collision odds at 1e8 entities: 3e-4
  tenant      text not null default 'main',
  entity      text not null,
  kind        text not null check (kind in ('account', 'counterparty', 'service', 'series')),
  subject     text not null,
  qualifier   text not null default '',
  first_seen  timestamptz not null,           -- event time
  arrived_at  timestamptz not null default now()
);
create index entities_by_name on entities (tenant, entity);

-- One row per committed micro-batch of a streaming job: the key and hashes make a retry a no-op.
create table batches (
  job           text not null check (job in ('ingest', 'detect')),
  query_id      text not null,                -- of the checkpoint, so a deleted checkpoint is a new query
  batch_id      bigint not null,
  offsets_hash  text not null,
  settings_hash text not null,
  offsets       jsonb not null,
  events        bigint not null,              -- read from the source
  accepted      bigint not null default 0,    -- ingest: to bronze
  quarantined   bigint not null default 0,    -- ingest: refused; detect: conflicts
  points        bigint not null default 0,    -- detect: window points scored
  late          bigint not null default 0,
  duplicates    bigint not null default 0,
  conflicts     bigint not null default 0,
  unwatched     bigint not null default 0,    -- in bronze, but of no kind that has a window
  evicted_idle  bigint not null default 0,
  evicted_cap   bigint not null default 0,
  anomalies     bigint not null default 0,
  episodes      bigint not null default 0,    -- touched
  entities      bigint not null default 0,    -- in state after the batch
  state_bytes   bigint not null default 0,
  detail        jsonb not null default '{}',
  newest_event  timestamptz,
  started_at    timestamptz not null,
  committed_at  timestamptz not null default now(),
  primary key (job, query_id, batch_id)
);
create index batches_by_time on batches (committed_at);

-- Refused records; the raw bytes stay in Delta `quarantine`, an excerpt is kept here to be read.
create table quarantined (
  record_id   text primary key,               -- hash of the source position, reason and bytes
  tenant      text not null default 'main',
  position    text not null,                  -- `topic/partition@offset` or `file:line`
  reason      text not null,
  field       text not null default '',
  excerpt     text not null,                  -- escaped, at most 300 characters
  size        bigint not null,
  state       text not null default 'new' check (state in ('new', 'retried')),
  arrived_at  timestamptz not null,
  retried_at  timestamptz
);
create index quarantined_by_time on quarantined (arrived_at);

-- Additive metrics; mean, deviation, rates and quantiles are computed when read (views below).
create table metrics_minute (                 -- services (value = latency_ms) and series (value = value)
  bucket      timestamptz not null,
  tenant      text not null default 'main',
  entity_hash bigint not null,
  count       bigint not null,
  errors      bigint not null,
  sum         double precision not null,
  sum_squares double precision not null,
  min         double precision not null,
  max         double precision not null,
  histogram   bigint[] not null,              -- 64 log buckets of latency_ms, 4 per octave from 1 ms; {} for series
  anomalies   bigint not null,
  late        bigint not null,
  duplicates  bigint not null,
  primary key (entity_hash, bucket)
);
create index metrics_minute_by_time on metrics_minute using brin (bucket);

create table metrics_hour (                   -- accounts and counterparties (value = amount)
  bucket      timestamptz not null,
  tenant      text not null default 'main',
  entity_hash bigint not null,
  count       bigint not null,
  sum         double precision not null,
  sum_squares double precision not null,
  min         double precision not null,
  max         double precision not null,
  anomalies   bigint not null,
  late        bigint not null,
  duplicates  bigint not null,
  primary key (entity_hash, bucket)
);
create index metrics_hour_by_time on metrics_hour using brin (bucket);  -- a B-tree would double the cost of the sink

-- A flagged event or window. Of an episode's hits the first 20 and every new worst one are kept.
create table anomalies (
  anomaly_id  text not null,                  -- hash(episode, event)
  tenant      text not null default 'main',
  episode_id  text not null,
  ordinal     integer not null,               -- 1 is the episode's first hit
  entity_hash bigint not null,
  entity      text not null,
  detector    text not null,                  -- the one with the highest severity
  event_id    text not null,
  event_time  timestamptz not null,
  value       double precision not null,      -- in the unit of `unit`
  expected    double precision not null,
  low         double precision not null,      -- expected range before this event was learned
  high        double precision not null,
  unit        text not null,                  -- 'amount' | 'ms' | 'error rate' | 'events' | 'value'
  window_size integer not null,
  severity    double precision not null,      -- 0..1, comparable across detectors
  scores      jsonb not null,                 -- {detector: score over its threshold, 1 = at the threshold}
  context     jsonb not null,                 -- the window before this event: {n, mean, std, median, mad, recent: [newest last, ≤ 10], …}
  event       jsonb not null,                 -- the canonical event; message capped at 500 characters, untrusted
  arrived_at  timestamptz not null,           -- when ingest wrote the event
  detected_at timestamptz not null,           -- when this batch was committed
  query_id    text not null,
  batch_id    bigint not null,
  primary key (anomaly_id, event_time)
);
create index anomalies_by_time on anomalies (event_time desc);
create index anomalies_by_episode on anomalies (episode_id, ordinal);
create index anomalies_by_entity on anomalies (entity_hash, event_time desc);

-- Consecutive anomalies of one entity; updates carry absolute counts, so a retry changes nothing.
create table episodes (
  episode_id     text primary key,            -- hash(tenant, entity, detector set, first event id)
  tenant         text not null default 'main',
  entity_hash    bigint not null,
  entity         text not null,
  kind           text not null,
  revision       integer not null,            -- = hits so far
  started_at     timestamptz not null,        -- event time of the first hit
  last_at        timestamptz not null,        -- event time of the newest hit
  first_event_id text not null,
  last_event_id  text not null,
  worst          jsonb not null,              -- the worst anomaly as a whole row
  severity       double precision not null,   -- of the worst hit
  detectors      text[] not null,             -- every detector that fired
  settings_hash  text not null,
  arrived_at     timestamptz not null,        -- of the first hit
  detected_at    timestamptz not null         -- of the first hit
);
create index episodes_by_entity on episodes (entity_hash, started_at desc);
create index episodes_by_time on episodes (last_at desc);

-- What the council judges; keyed by its episode, never by a batch.
create table cases (
  case_id    text primary key,                -- 'case-' || episode_id
  tenant     text not null default 'main',
  episode_id text not null references episodes on delete cascade,
  entity     text not null,
  kind       text not null,
  revision   integer not null,
  severity   double precision not null,
  lane       text not null check (lane in ('immediate', 'batch', 'filed')),  -- filed: below the triage bar
  started_at timestamptz not null,            -- event time
  last_at    timestamptz not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
create index cases_by_time on cases (last_at desc);

-- The outbox and priority queue; written in the same transaction as the anomalies.
create table docket (
  case_id        text primary key references cases on delete cascade,
  tenant         text not null default 'main',
  lane           text not null check (lane in ('immediate', 'batch')),
  priority       double precision not null,   -- higher is heard earlier
  revision       integer not null,            -- of the case, as it is now
  heard_revision integer not null default 0,  -- as it was when last ruled
  state          text not null default 'waiting' check (state in ('waiting', 'leased', 'done', 'dead')),
  reason         text not null default 'new' check (reason in ('new', 'grown', 'rehear', 'retry')),
  attempts       integer not null default 0,
  not_before     timestamptz not null default '-infinity',
  leased_by      text,
  leased_until   timestamptz,
  last_error     text,
  enqueued_at    timestamptz not null default now(),
  finished_at    timestamptz
);
create index docket_next on docket (lane, priority desc, enqueued_at) where state in ('waiting', 'leased');

create table rulings (
  ruling_id   text primary key,               -- hash(case, revision, council, brief hash, prompt hash, model, opinions)
  tenant      text not null default 'main',
  case_id     text not null references cases on delete cascade,
  revision    integer not null,
  council     text not null check (council in ('rules', 'model')),
  model       text,                           -- name and digest; null for rules
  outcome     text not null check (outcome in ('confirmed', 'dismissed', 'unresolved')),
  action      text not null,
  confidence  double precision not null,
  root_cause  text not null,                  -- plain English, digits rendered from the evidence
  next_steps  jsonb not null,                 -- [{text, section_id}]
  citations   jsonb not null,                 -- [item id …] cited by the votes that carried
  opinions    jsonb not null,                 -- one object per member, in order analyst, auditor, strategist
  checks      jsonb not null,                 -- [{check, item, ok, detail}] of the verification
  brief       jsonb not null,                 -- the whole evidence bundle, as it was offered
  brief_hash  text not null,
  prompt_hash text,
  in_force    boolean not null,
  superseded_by text,
  why         text not null default '',       -- why this council and not the other; what was skipped
  ruled_at    timestamptz not null default now(),
  latency_ms  double precision not null       -- from taking the case to the ruling
);
create unique index one_ruling_in_force on rulings (case_id) where in_force;
create index rulings_by_time on rulings (ruled_at desc);

create table commands (
  command_id text primary key,                -- hash(case, action, target)
  tenant     text not null default 'main',
  case_id    text not null references cases on delete cascade,
  ruling_id  text not null references rulings on delete cascade,
  action     text not null,                   -- block_account | step_up_auth | open_incident | hold_terminal | watch
  target     text not null,
  state      text not null default 'proposed' check (state in ('proposed', 'withdrawn', 'approved', 'rejected', 'executed', 'failed')),
  reason     text not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

create table alerts (
  alert_id   text primary key,                -- hash(case, ruling)
  tenant     text not null default 'main',
  case_id    text not null references cases on delete cascade,
  ruling_id  text not null references rulings on delete cascade,
  severity   double precision not null,
  title      text not null,
  root_cause text not null,
  next_steps jsonb not null,
  created_at timestamptz not null default now()
);
create index alerts_by_time on alerts (created_at desc);

-- Every model and tool call of the council and of `ask`.
create table tool_audit (
  audit_id    bigint generated always as identity,
  tenant      text not null default 'main',
  at          timestamptz not null default now(),
  kind        text not null check (kind in ('model', 'tool')),
  name        text not null,                  -- model name, or tool (`runbook.search`, `history`, …)
  role        text not null default '',       -- analyst | auditor | strategist | ask
  case_ids    text[] not null default '{}',
  prompt_hash text not null default '',
  tokens_in   integer,                        -- null is unknown, not 0
  tokens_out  integer,
  cost        double precision,               -- null is unknown
  latency_ms  double precision not null,
  outcome     text not null,                  -- ok | no_opinion | timeout | refused | error | skipped
  detail      text not null default '',
  response    text,
  primary key (audit_id, at)
);
create index tool_audit_by_time on tool_audit (at desc);

-- Runbook: documents split by headings.
create table documents (
  doc_id   text primary key,                  -- slug of the file name
  tenant   text not null default 'main',
  title    text not null,
  source   text not null,                     -- file name, no machine path
  sha256   text not null,
  added_at timestamptz not null default now()
);
create table sections (
  section_id   text primary key,              -- doc_id '#' slug of the heading path
  tenant       text not null default 'main',
  doc_id       text not null references documents on delete cascade,
  position     integer not null,
  heading_path text[] not null,
  body         text not null,
  tags         text[] not null default '{}',
  sha256       text not null,                 -- of heading path and body: unchanged means not re-embedded
  embedder     text not null,
  embedding    vector(256) not null,
  updated_at   timestamptz not null default now()
);
create index sections_by_doc on sections (doc_id, position);

-- Ruled cases as text, to be found again ("similar past incidents").
create table memories (
  case_id    text primary key references cases on delete cascade,
  tenant     text not null default 'main',
  summary    text not null,
  outcome    text not null,
  embedder   text not null,
  embedding  vector(256) not null,
  happened_at timestamptz not null,           -- event time of the case
  created_at timestamptz not null default now()
);

-- Who calls whom; loaded from a file or learned later.
create table service_edges (
  tenant text not null default 'main',
  caller text not null,
  callee text not null,
  primary key (tenant, caller, callee)
);

-- One row per live process, for status and the health page; and the newest progress of each stream.
create table workers (
  worker_id  text primary key,                -- job@host/pid
  job        text not null,                   -- ingest | detect | council | dashboard | maintenance
  detail     jsonb not null default '{}',     -- council: {"council", "breaker", "model", "why"}
  started_at timestamptz not null default now(),
  seen_at    timestamptz not null default now()
);
create table stream_progress (
  job        text not null,
  query_id   text not null,
  batch_id   bigint not null,
  at         timestamptz not null,
  input_rows bigint not null,
  rows_per_s double precision,
  duration_ms jsonb not null,                 -- stage -> ms, from Spark's own progress
  lag        jsonb not null,                  -- source-defined: offsets, files or bytes behind
  primary key (job, query_id, batch_id)
);

create table maintenance_runs (
  run_id  bigint generated always as identity primary key,
  at      timestamptz not null default now(),
  removed jsonb not null                      -- table -> rows removed
);

-- 64 log buckets, 4 per octave: bucket b holds latencies from 2^(b/4) to 2^((b+1)/4) ms; b 0 also holds less.
create function add_counts(a bigint[], b bigint[]) returns bigint[] language sql immutable parallel safe
  return case when cardinality(a) = 0 then b when cardinality(b) = 0 then a
              else (select array_agg(x + y order by i) from unnest(a, b) with ordinality as t(x, y, i)) end;

create function histogram_quantile(counts bigint[], q double precision) returns double precision
  language sql immutable parallel safe
  return (select power(2, (i - 1 + 0.5) / 4.0)
          from (select i, sum(n) over (order by i) as upto, sum(n) over () as total
                from unnest(counts) with ordinality as t(n, i)) s
          where upto >= q * total and total > 0 order by i limit 1);

-- Points that have a value: a request may come without its latency.
create function valued(count bigint, histogram bigint[]) returns numeric language sql immutable parallel safe
  return case when cardinality(histogram) = 0 then count else (select sum(n) from unnest(histogram) as t(n)) end;

create view metric_minutes as
  select m.bucket, m.tenant, m.entity_hash, e.entity, e.kind, e.subject, e.qualifier, m.count, m.errors, m.sum,
         nullif(m.min, 'Infinity') as min, nullif(m.max, '-Infinity') as max,
         m.sum / nullif(v.n, 0) as mean, sqrt(greatest(m.sum_squares / nullif(v.n, 0) - power(m.sum / nullif(v.n, 0), 2), 0)) as std,
         m.errors::double precision / nullif(m.count, 0) as error_rate,
         histogram_quantile(m.histogram, 0.5) as p50, histogram_quantile(m.histogram, 0.95) as p95,
         m.anomalies, m.late, m.duplicates
  from metrics_minute m left join entities e using (entity_hash)
  cross join lateral (select valued(m.count, m.histogram)::double precision as n) v;

create view metric_hours as
  select m.bucket, m.tenant, m.entity_hash, e.entity, e.kind, e.subject, e.qualifier, m.count, m.sum,
         nullif(m.min, 'Infinity') as min, nullif(m.max, '-Infinity') as max,
         m.sum / nullif(m.count, 0) as mean,
         sqrt(greatest(m.sum_squares / nullif(m.count, 0) - power(m.sum / nullif(m.count, 0), 2), 0)) as std,
         m.anomalies, m.late, m.duplicates
  from metrics_hour m left join entities e using (entity_hash);
