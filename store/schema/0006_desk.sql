-- Cases as people work on them. `cases` is the council's table, one row per episode; a row here says how a ruled case stands on
-- the desk. A row whose `head` is null is what people call a case; the others are its members and show their head's state.
create table case_files (
  case_id         text primary key references cases on delete cascade,
  tenant          text not null,
  head            text references case_files on delete set null,   -- null: this one is a head
  joined_because  text not null default '',          -- in words, for a member
  version         integer not null default 1,        -- of a head: rises with every change, for optimistic locking
  status          text not null default 'open'
                  check (status in ('open', 'acknowledged', 'investigating', 'resolved', 'dismissed')),
  title           text not null,                     -- untrusted, since it names entities
  entity          text not null,
  kind            text not null,
  pattern         text not null,                     -- `card testing`, `errors` … (rag/signals.py), the cause's kind
  fingerprint     jsonb not null,                    -- what joins cases: {subject, pattern, counterparties, accounts, services}
  touches         text[] not null,                   -- the same as keys to look up by: `account:A12`, `counterparty:T9`, `service:x`
  apart           text[] not null default '{}',      -- cases a person split this one from: the machine never joins them again
  ruling_id       text,                              -- the newest ruling that the desk has taken notice of
  outcome         text not null check (outcome in ('confirmed', 'unresolved', 'dismissed')),
  confidence      double precision not null,         -- of that ruling
  severity        double precision not null,         -- own; of a head: the worst of its members'
  own_severity    double precision not null,
  revision        integer not null,                  -- hits of the own episode
  hits            integer not null,                  -- of a head: of all members
  members         integer not null default 1,        -- of a head: itself included
  started_at      timestamptz not null,              -- event time; of a head: the earliest of its members'
  last_at         timestamptz not null,              -- event time; of a head: the newest
  own_started_at  timestamptz not null,
  own_last_at     timestamptz not null,
  stake           jsonb not null default '{}',       -- own: {payments: {event id: [amount, currency]} of the kept hits, requests: failed}
  expected_loss   double precision,                  -- in `loss_currency`; null is unknown, not 0
  loss_currency   text,
  loss_words      text not null default '',          -- how it was reckoned, or why it is unknown
  weight          double precision not null default 0,  -- for the inbox's order: that loss, or an assumed stake × severity
  assignee        text,                              -- an actor: `key:ID`, `oidc:SUB`, or any name given
  tags            text[] not null default '{}',
  reason          text,                              -- from the list, of a resolution or dismissal
  reason_text     text,
  closed_at       timestamptz,
  closed_by       text,
  expires_at      timestamptz,                       -- a dismissal holds recurrences quiet until then
  closed_severity double precision,                  -- as it was when closed: a worse recurrence reopens a dismissal
  recurrences     integer not null default 0,        -- that a dismissal in force has kept quiet
  reopened        integer not null default 0,
  snoozed_until   timestamptz,
  snoozed_by      text,
  snooze          jsonb,                             -- what was seen when it was snoozed: {severity, hits, members, at}
  held_by         bigint,                            -- the maintenance window that keeps it quiet
  opened_at       timestamptz not null,
  acknowledged_at timestamptz,
  changed_at      timestamptz not null,
  ack_due_at      timestamptz,                       -- null: no limit, or kept
  resolve_due_at  timestamptz,
  breached        text[] not null default '{}',      -- 'acknowledge', 'resolve'
  escalation      integer not null default 0,        -- levels of the policy already told
  next_timer_at   timestamptz,                       -- when the desk must look again by itself
  unique (tenant, case_id),
  check (head is null or head <> case_id)
);
create index case_files_by_head on case_files (head) where head is not null;
create index case_files_inbox on case_files (tenant, status, opened_at) where head is null;
create index case_files_by_entity on case_files (tenant, entity);
create index case_files_by_touch on case_files using gin (touches);
create index case_files_timers on case_files (next_timer_at) where next_timer_at is not null;

-- Everything that happened to a case, by people and by the desk; append only. A comment is an entry.
create table case_entries (
  entry_id bigint generated always as identity primary key,
  tenant   text not null,
  case_id  text not null,                            -- the head at that time
  version  integer not null,                         -- of the case after it
  at       timestamptz not null,
  actor    text not null,                            -- `key:ID`, `oidc:SUB`, `slack:USER`, `system:desk`
  name     text not null default '',                 -- how people call the actor
  kind     text not null,                            -- opened joined grown reopened acknowledged investigating resolved dismissed
                                                     -- assigned commented linked unlinked tagged untagged snoozed woken merged split
                                                     -- held released sla_breached escalated ruled recurred expired
                                                     -- approved rejected executed failed undo undone feedback …
  said     text not null default '',                 -- in words; a comment's text is untrusted
  detail   jsonb not null default '{}',
  foreign key (tenant, case_id) references case_files (tenant, case_id) on delete cascade
);
create index case_entries_by_case on case_entries (tenant, case_id, entry_id);

create function keep_case_entries() returns trigger language plpgsql as $$
begin
  if tg_op = 'DELETE' and current_user <> 'conclave_app' then return old; end if;  -- the owner's retention and erasure
  raise exception 'case_entries is append only' using errcode = 'insufficient_privilege';
end $$;
create trigger case_entries_are_append_only before update or delete on case_entries for each row execute function keep_case_entries();

create table case_links (
  tenant   text not null,
  case_id  text not null,
  target   text not null,                            -- an http(s) address, or the id of another case
  kind     text not null check (kind in ('url', 'case')),
  title    text not null default '',                 -- untrusted
  actor    text not null,
  at       timestamptz not null,
  primary key (tenant, case_id, target),
  foreign key (tenant, case_id) references case_files (tenant, case_id) on delete cascade
);

-- Planned work: cases that begin in it (event time) are kept quiet, and shown as such.
create table maintenance_windows (
  window_id  bigint generated always as identity primary key,
  tenant     text not null,
  title      text not null,
  pattern    text not null,                          -- of entities: `service:pay*`
  kinds      text[] not null default '{}',           -- account, counterparty, service, series; empty: all
  starts_at  timestamptz not null,
  ends_at    timestamptz not null,
  created_by text not null,
  created_at timestamptz not null default now(),
  ended_by   text,                                   -- who cut it short or called it off
  check (starts_at < ends_at)
);
create index maintenance_windows_by_time on maintenance_windows (tenant, ends_at);

-- What people think of anomalies and rulings; all of it is kept, the newest of a person about a thing counts.
create table feedback (
  feedback_id bigint generated always as identity primary key,
  tenant      text not null,
  about       text not null check (about in ('anomaly', 'ruling')),
  subject_id  text not null,                         -- anomaly_id or ruling_id
  case_id     text not null references cases on delete cascade,
  verdict     text not null check (verdict in ('confirm', 'dismiss')),
  reason      text,                                  -- from the list of dismissal reasons
  comment     text not null default '',              -- untrusted
  actor       text not null,
  name        text not null default '',
  via         text not null check (via in ('page', 'api', 'graphql', 'slack')),
  shown_hash  text not null,                         -- SHA-256 of what was shown: the anomaly's row, or ruling and brief
  at          timestamptz not null
);
create index feedback_by_subject on feedback (tenant, about, subject_id, actor, feedback_id desc);
create index feedback_by_case on feedback (tenant, case_id);

-- Commands gain who decided and what became of it.
alter table commands drop constraint commands_state_check;
alter table commands add constraint commands_state_check check (
  state in ('proposed', 'withdrawn', 'approved', 'rejected', 'executed', 'failed', 'undoing', 'undone'));
alter table commands
  add column decided_by  text,                       -- an actor, or `policy:ACTION`
  add column decided_at  timestamptz,
  add column decision    text not null default '',   -- why, in words
  add column executed_at timestamptz,
  add column undo_until  timestamptz,                -- null: it cannot be undone
  add column desk_at     timestamptz;                -- when the desk took notice of the proposal
create index commands_by_case on commands (case_id);
create index commands_by_state on commands (tenant, state, updated_at);
create index commands_unseen on commands (created_at) where desk_at is null and state = 'proposed';

-- The carrying out of a command: one run to do it and at most one at a time to undo it, each tried until it is answered.
create table command_runs (
  run_id       text primary key,                     -- the Idempotency-Key: the command id, with `-undo` for an undo
  tenant       text not null,
  command_id   text not null references commands on delete cascade,
  purpose      text not null check (purpose in ('do', 'undo')),
  state        text not null default 'waiting' check (state in ('waiting', 'leased', 'done', 'failed')),
  body         text not null,                        -- exactly what is sent, the same at every attempt
  attempts     integer not null default 0,
  not_before   timestamptz not null,
  give_up_at   timestamptz not null,                 -- an approval too old is not carried out
  leased_by    text,
  leased_until timestamptz,
  answers      jsonb not null default '[]',          -- [{attempt, at, status, body, error, took_ms}], the newest last, at most 20
  created_at   timestamptz not null,
  finished_at  timestamptz
);
create index command_runs_due on command_runs (not_before) where state in ('waiting', 'leased');
create index command_runs_by_command on command_runs (command_id);

-- The desk takes notice of each ruling in force once.
alter table rulings add column desk_at timestamptz;
create index rulings_unseen on rulings (ruled_at) where in_force and desk_at is null;
create index tool_audit_by_case on tool_audit using gin (case_ids);

select guard_tenants();
