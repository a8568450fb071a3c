-- Telling people: which message goes where, what was sent, and what came back. A message is matched to routes (a notice each), notices
-- that wait together leave as one bundle, and a bundle goes to each channel as a delivery. No secret is ever in these tables.
create table channels (
  tenant     text not null,
  channel_id text not null check (channel_id ~ '^[a-z0-9][a-z0-9_-]{0,62}$'),
  kind       text not null,                   -- slack | webhook | pagerduty | opsgenie | alertmanager | email | apprise | table | kafka …
  config     jsonb not null,                  -- as the kind asks; secrets only as `env:NAME` or `file:PATH`
  enabled    boolean not null default true,
  version    integer not null default 1,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  primary key (tenant, channel_id)
);

create table routes (
  tenant     text not null,
  route_id   text not null check (route_id ~ '^[a-z0-9][a-z0-9_-]{0,62}$'),
  position   integer not null,                -- asked in this order; the first that matches takes the message, unless it says go_on
  rule       jsonb not null,                  -- matchers, channels, go_on, grouping and limits: notify.routes.Route
  enabled    boolean not null default true,
  version    integer not null default 1,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  primary key (tenant, route_id)
);

-- Named topics that messages are published to, kept as a table to be read from any offset.
create table alert_topics (
  tenant         text not null,
  topic_id       text not null check (topic_id ~ '^[a-z0-9][a-z0-9_.-]{0,62}$'),
  description    text not null default '',
  matchers       text[] not null,             -- which messages belong to it
  retention_days integer not null check (retention_days > 0),
  next_offset    bigint not null default 0,
  enabled        boolean not null default true,
  version        integer not null default 1,
  created_at     timestamptz not null default now(),
  updated_at     timestamptz not null default now(),
  primary key (tenant, topic_id)
);

create table alert_messages (
  tenant     text not null,
  topic_id   text not null,
  "offset"   bigint not null,                 -- 0, 1, 2 … without gaps in each topic
  message_id bigint not null,
  kind       text not null,
  subject    text not null,
  entity     text not null,
  severity   double precision not null,
  title      text not null,
  payload    jsonb not null,
  created_at timestamptz not null,            -- of what happened
  stored_at  timestamptz not null,
  primary key (tenant, topic_id, "offset"),
  unique (tenant, topic_id, message_id),
  foreign key (tenant, topic_id) references alert_topics on delete cascade
);
create index alert_messages_by_time on alert_messages (stored_at);

-- What follows when a message reaches an alert topic: a channel, a processor or a model call.
create table subscriptions (
  tenant          text not null,
  subscription_id text not null check (subscription_id ~ '^[a-z0-9][a-z0-9_-]{0,62}$'),
  topic_id        text not null,
  rule            jsonb not null,             -- matchers, target, grouping and limits: notify.routes.Subscription
  enabled         boolean not null default true,
  version         integer not null default 1,
  created_at      timestamptz not null default now(),
  updated_at      timestamptz not null default now(),
  primary key (tenant, subscription_id),
  foreign key (tenant, topic_id) references alert_topics on delete cascade
);

-- What left together: `content` is what the reader sees, before it is put into a channel's form.
create table bundles (
  tenant     text not null,
  bundle_id  text not null,                   -- hash(tenant, route, first message)
  route_id   text not null,                   -- `NAME`, `subscription:NAME`, `closing` or `test`
  total      integer not null,                -- messages in it
  content    jsonb not null,
  created_at timestamptz not null,
  primary key (tenant, bundle_id)
);
create index bundles_by_time on bundles (created_at);

-- A message that a route took; it waits until `bundle_id` says with what it left.
create table notices (
  tenant     text not null,
  route_id   text not null,
  message_id bigint not null,
  group_key  text not null,
  due_at     timestamptz not null,
  bundle_id  text,
  created_at timestamptz not null,
  primary key (tenant, route_id, message_id)
);
create index notices_waiting on notices (due_at) where bundle_id is null;
create index notices_by_group on notices (tenant, route_id, group_key) where bundle_id is null;
create index notices_by_bundle on notices (tenant, bundle_id);
create index notices_by_time on notices using brin (created_at);
create index notices_by_message on notices (tenant, message_id);

create table deliveries (
  tenant        text not null,
  delivery_id   text not null,                -- hash(bundle, channel, action)
  bundle_id     text not null,
  route_id      text not null,
  channel_id    text not null,
  kind          text not null,                -- the channel's
  action        text not null check (action in ('tell', 'trigger', 'acknowledge', 'resolve', 'test')),
  subject       text not null default '',     -- the case (or else) it is about, when it is about one
  thread        text not null default '',     -- deliveries of one thread leave in order (an incident's key); '' for none
  state         text not null default 'waiting' check (state in ('waiting', 'sending', 'sent', 'dead', 'skipped')),
  attempts      integer not null default 0,
  unsure        boolean not null default false,  -- a sender died after it may have been sent: the next attempt says so
  replays       integer not null default 0,
  not_before    timestamptz not null,
  leased_by     text,
  leased_until  timestamptz,
  status        integer,                      -- HTTP or SMTP, of the last answer
  answer        text not null default '',     -- its beginning, secrets struck out
  error         text not null default '',     -- why it failed last, in words
  created_at    timestamptz not null,
  finished_at   timestamptz,
  seq           bigint generated always as identity,
  primary key (tenant, delivery_id),
  foreign key (tenant, bundle_id) references bundles on delete cascade
);
create index deliveries_due on deliveries (not_before) where state in ('waiting', 'sending');
create index deliveries_by_thread on deliveries (tenant, channel_id, thread) where state in ('waiting', 'sending');
create index deliveries_newest on deliveries (tenant, seq desc);
create index deliveries_by_bundle on deliveries (tenant, bundle_id);

-- Every attempt of a delivery.
create table delivery_attempts (
  tenant      text not null,
  delivery_id text not null,
  attempt     integer not null,
  at          timestamptz not null,
  latency_ms  double precision not null,
  outcome     text not null check (outcome in ('sent', 'again', 'dead')),
  status      integer,
  detail      text not null default '',
  primary key (tenant, delivery_id, attempt),
  foreign key (tenant, delivery_id) references deliveries on delete cascade
);

-- Incidents opened elsewhere (PagerDuty, Opsgenie, Alertmanager) and which of our subjects keep each open.
create table alarms (
  tenant     text not null,
  channel_id text not null,
  thread     text not null,                   -- the incident's key there
  subject    text not null,
  state      text not null check (state in ('open', 'acknowledged', 'closed')),
  bundle_id  text not null,
  updated_at timestamptz not null,
  primary key (tenant, channel_id, thread, subject)
);
create index alarms_by_subject on alarms (tenant, subject) where state <> 'closed';

-- When a key of a route (itself, a group, an entity, a subject) has had its share: one moment per key (GCRA); past ones are removed.
create table rate_limits (
  tenant   text not null,
  route_id text not null,
  key      text not null,
  tat      timestamptz not null,              -- theoretical arrival time
  primary key (tenant, route_id, key)
);
create index rate_limits_by_time on rate_limits (tat);

create index messages_by_subject on messages (tenant, subject, message_id);
create index messages_by_time on messages (created_at);

-- Each subject's deliveries, for timelines.
create view subject_deliveries as
  select distinct d.tenant, m.subject, d.delivery_id, d.channel_id, d.kind, d.action, d.state, d.attempts, d.status, d.error,
         d.created_at, d.finished_at, b.content ->> 'title' as title, b.total
  from deliveries d join bundles b using (tenant, bundle_id)
  join notices n using (tenant, bundle_id) join messages m on m.tenant = n.tenant and m.message_id = n.message_id
  union
  select d.tenant, d.subject, d.delivery_id, d.channel_id, d.kind, d.action, d.state, d.attempts, d.status, d.error,
         d.created_at, d.finished_at, b.content ->> 'title', b.total
  from deliveries d join bundles b using (tenant, bundle_id) where d.subject <> '';

select guard_tenants();
