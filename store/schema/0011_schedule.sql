-- Jobs by cron or interval. A schedule is leased while a worker runs it, so there is one run across all workers.
create table schedules (
  tenant       text not null,
  schedule_id  text not null,                 -- chosen by people: `nightly-digest`
  job          text not null,                 -- of schedule/registry.py
  arguments    jsonb not null default '{}',
  cron         text,                          -- five fields, in `zone`; or
  every_s      double precision,              -- an interval
  zone         text not null default 'UTC',
  misfire      text not null default 'once' check (misfire in ('once', 'skip')),  -- runs missed while nothing was up
  grace_s      double precision not null default 3600,                           -- a run this late is still on time
  cached       boolean not null default true, -- nothing new since the last run: its answer again, marked
  enabled      boolean not null default true,
  origin       text not null default 'person' check (origin in ('default', 'person')),
  next_at      timestamptz,
  asked_at     timestamptz,                   -- `run now`
  asked_by     text,
  leased_by    text,
  leased_until timestamptz,
  updated_at   timestamptz not null default now(),
  primary key (tenant, schedule_id),
  check ((cron is null) <> (every_s is null))
);
create index schedules_next on schedules (next_at) where enabled;

create table schedule_runs (
  run_id      bigint generated always as identity primary key,
  tenant      text not null,
  schedule_id text not null,
  job         text not null,
  due_at      timestamptz not null,
  reason      text not null check (reason in ('due', 'missed', 'now')),
  state       text not null check (state in ('running', 'done', 'cached', 'skipped', 'failed', 'lost')),
  started_at  timestamptz not null default now(),
  finished_at timestamptz,
  worker      text not null,
  mark        text,                           -- of what the job read; equal marks give the cached answer
  result      jsonb,                          -- {text: Markdown, …}
  answer_of   bigint,                         -- the run whose answer this is, when cached
  error       text,
  unique (tenant, schedule_id, due_at, reason)
);
create index schedule_runs_newest on schedule_runs (tenant, schedule_id, run_id desc);

select guard_tenants();
