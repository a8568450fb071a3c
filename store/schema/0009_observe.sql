-- Calls of language models, our own and others': traces and their spans, scores, prices, alerts. Text columns hold what
-- `text_mode` says: the text itself, the text with personal data masked, or ciphertext (`enc:…`, observe/texts.py).
create table trace_projects (
  tenant         text not null,
  project        text not null check (project ~ '^[a-z0-9][a-z0-9._-]{0,63}$'),
  title          text not null default '',
  retention_days integer not null check (retention_days > 0),
  keep_share     double precision not null check (keep_share > 0 and keep_share <= 1),  -- of the ordinary traces
  slow_ms        double precision,            -- from here a trace is slow and always kept; null: the setting's
  costly         double precision,            -- in the price table's currency; null: the setting's
  low_score      double precision not null default 0.5 check (low_score >= 0 and low_score <= 1),
  text_mode      text not null check (text_mode in ('plain', 'masked', 'encrypted', 'none')),
  judged         boolean not null default false,  -- a language model scores beside the deterministic core
  created_by     text not null,
  created_at     timestamptz not null default now(),
  version        integer not null default 1,
  tidied_at      timestamptz,                 -- when traces past their retention were last removed
  primary key (tenant, project)
);

-- One question and its answer: folded from its spans. Numbers that nobody gave are null, never 0.
create table traces (
  tenant         text not null,
  trace_id       text not null,
  project        text not null,
  source         text not null,               -- api | otlp | council | ask | chat | …
  name           text not null,
  started_at     timestamptz not null,
  latency_ms     double precision,
  status         text not null check (status in ('ok', 'error')),
  error          text not null default '',
  model          text not null default '',    -- '' is unknown
  prompt         text not null default '',    -- name or version of the prompt, to compare two of them
  query          text not null default '',
  response       text not null default '',
  contexts       jsonb not null default '[]', -- [text …] that the answer was to rest on
  reference      text,                        -- what a right answer holds, where somebody knows
  text_mode      text not null,
  tokens_in      bigint,
  tokens_out     bigint,
  cost           double precision,            -- null is unknown, with `cost_why`
  cost_why       text not null default '',
  price_version  text not null default '',
  user_hash      text,                        -- hash of the user's id: to find and delete a user's traces without keeping who
  session        text not null default '',
  metadata       jsonb not null default '{}',
  pii            jsonb not null default '{}', -- kind → how often, found before anything was masked
  hallucination  boolean,                     -- faithfulness under the bar; null: unknown
  injection      boolean,
  toxic          boolean,
  spans          integer not null,
  complete       boolean not null,            -- the root span is here
  state          text not null check (state in ('waiting', 'scored', 'failed')),
  attempts       integer not null default 0,
  judging        text not null default 'no' check (judging in ('no', 'waiting', 'leased', 'done', 'failed')),
  judging_until  timestamptz,
  kept_for       text[] not null default '{}',  -- error | slow | costly | low | flagged | novel | first | share
  weight         double precision not null default 1 check (weight >= 1),  -- 1 / probability of being kept
  received_at    timestamptz not null default now(),
  due_at         timestamptz not null default now(),  -- scored from here on: late spans are waited for
  scored_at      timestamptz,
  primary key (tenant, trace_id)
);
create index traces_due on traces (due_at) where state = 'waiting';
create index traces_judged on traces (received_at) where judging in ('waiting', 'leased');
create index traces_by_time on traces (tenant, project, started_at desc, trace_id);
create index traces_by_arrival on traces (tenant, project, received_at);
create index traces_by_user on traces (tenant, user_hash) where user_hash is not null;

create table spans (
  tenant     text not null,
  trace_id   text not null,
  span_id    text not null,
  parent_id  text,
  name       text not null,
  kind       text not null,                   -- llm | retriever | tool | chain | agent | embedding | other
  started_at timestamptz not null,
  latency_ms double precision,
  status     text not null check (status in ('ok', 'error')),
  error      text not null default '',
  model      text not null default '',
  prompt     text not null default '',
  tokens_in  bigint,
  tokens_out bigint,
  cost       double precision,
  cost_why   text not null default '',
  input      text not null default '',
  output     text not null default '',
  contexts   jsonb not null default '[]',
  reference  text,
  attributes jsonb not null default '{}',     -- what else the client said, capped
  primary key (tenant, trace_id, span_id),
  foreign key (tenant, trace_id) references traces on delete cascade
);

-- One row per metric and scorer. `value` null is unknown, and `why` says why.
create table trace_scores (
  tenant    text not null,
  trace_id  text not null,
  metric    text not null,                    -- faithfulness | relevancy | context_precision | context_recall | toxicity | pii | injection
  scorer    text not null,                    -- words/1, or judge:MODEL
  value     double precision check (value >= 0 and value <= 1),
  why       text not null default '',
  detail    jsonb not null default '{}',      -- faithfulness: {"claims": [{start, end, support, missing}]}
  scored_at timestamptz not null default now(),
  primary key (tenant, trace_id, metric, scorer),
  foreign key (tenant, trace_id) references traces on delete cascade
);

-- Everything that came in, counted exactly, also what sampling dropped: what the weighted estimates are checked against.
create table trace_hours (
  tenant  text not null,
  project text not null,
  model   text not null,
  hour    timestamptz not null,
  seen    bigint not null,
  kept    bigint not null,
  errors  bigint not null,
  novel   bigint not null,                    -- kept for being novel, of which an hour has only so many
  primary key (tenant, project, model, hour)
);

-- Ids of dropped traces for a day, so that a late span or a repeated delivery does not bring a stump of one back.
create table dropped_traces (
  tenant     text not null,
  trace_id   text not null,
  dropped_at timestamptz not null default now(),
  primary key (tenant, trace_id)
);
create index dropped_traces_by_time on dropped_traces (dropped_at);

-- Shapes of questions already seen (bands of their MinHash): a trace none of whose shapes is here is novel.
create table trace_shapes (
  tenant  text not null,
  project text not null,
  shape   bigint not null,
  seen_at timestamptz not null default now(),
  primary key (tenant, project, shape)
);

-- Every price table that was ever used, by the hash of its content.
create table price_versions (
  tenant     text not null,
  version    text not null,
  as_of      date not null,
  currency   text not null,
  content    jsonb not null,
  adopted_at timestamptz not null default now(),
  primary key (tenant, version)
);

create table llm_rules (
  tenant     text not null,
  rule_id    text not null,
  project    text not null,
  model      text,                            -- null: each model by itself
  metric     text not null,
  comparison text not null check (comparison in ('below', 'above', 'drop', 'rise')),  -- drop, rise: against last week
  threshold  double precision not null check (threshold >= 0),  -- drop and rise: share of last week's value
  window_s   double precision not null check (window_s > 0),
  least      integer not null check (least > 0),  -- traces (estimated) in the window before it may fire
  severity   double precision not null check (severity >= 0 and severity <= 1),
  enabled    boolean not null default true,
  title      text not null default '',
  created_by text not null,
  created_at timestamptz not null default now(),
  checked_at timestamptz,                     -- null: never, so soon
  version    integer not null default 1,
  primary key (tenant, rule_id),
  foreign key (tenant, project) references trace_projects on delete cascade
);
create index llm_rules_due on llm_rules (checked_at nulls first) where enabled;

create table llm_firings (
  tenant      text not null,
  firing_id   text not null,
  rule_id     text not null,
  project     text not null,
  model       text not null,
  metric      text not null,
  comparison  text not null,
  threshold   double precision not null,
  value       double precision not null,
  baseline    double precision,               -- last week's value, where the rule compares with it
  counted     double precision not null,      -- traces in the window, estimated where they were sampled
  state       text not null default 'open' check (state in ('open', 'acknowledged', 'resolved')),
  opened_at   timestamptz not null,
  last_at     timestamptz not null,           -- newest check that still found it so
  from_at     timestamptz not null,           -- the window that opened it
  worst       double precision not null,
  acknowledged_by text,
  acknowledged_at timestamptz,
  resolved_by text,
  resolved_at timestamptz,
  note        text not null default '',
  version     integer not null default 1,
  primary key (tenant, firing_id)
);
create unique index one_llm_firing_open on llm_firings (tenant, rule_id, model) where state <> 'resolved';
create index llm_firings_by_time on llm_firings (tenant, opened_at desc);

-- Exactly the traces that made an alert; the id stays when retention has removed the trace.
create table llm_firing_traces (
  tenant    text not null,
  firing_id text not null,
  trace_id  text not null,
  value     double precision,
  primary key (tenant, firing_id, trace_id),
  foreign key (tenant, firing_id) references llm_firings on delete cascade
);

create table llm_firing_log (
  tenant    text not null,
  firing_id text not null,
  seq       integer not null,
  at        timestamptz not null,
  actor     text not null,
  action    text not null,                    -- opened | worse | acknowledged | resolved | recovered
  note      text not null default '',
  value     double precision,
  primary key (tenant, firing_id, seq),
  foreign key (tenant, firing_id) references llm_firings on delete cascade
);

select guard_tenants();
