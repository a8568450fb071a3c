-- Identifiers as tokens: the vault knows what a token stands for, as long as the subject's key exists. Three layers, each wrapped by
-- the one above with AES-GCM: master key (environment or file, never here) → a tenant's keys → a subject's key.
create table vault_keys (
  tenant     text not null,
  purpose    text not null check (purpose in ('lookup', 'data')),  -- finds a subject's row | wraps the subjects' keys
  generation integer not null,                -- 1, 2, 3 …; `lookup` has only the first
  wrapped    bytea not null,                  -- by the master key
  master     text not null,                   -- id of that master key
  created_at timestamptz not null default now(),
  primary key (tenant, purpose, generation)
);

create table vault_subjects (
  tenant       text not null,
  token        text not null,                 -- `tok_` and 128 random bits: says nothing about the subject
  kind         text not null check (kind in ('account', 'counterparty', 'unowned')),  -- unowned: records that name nobody
  lookup       bytea,                         -- HMAC of the identifier under the tenant's lookup key
  sealed       bytea,                         -- the identifier under the subject's key
  wrapped      bytea,                         -- the subject's key under the tenant's data key
  generation   integer not null,              -- of that data key
  created_at   timestamptz not null default now(),
  destroyed_at timestamptz,                   -- erased: the three above are null, and nothing leads back to the subject
  primary key (tenant, token),
  unique (tenant, lookup),
  check ((destroyed_at is null) = (wrapped is not null)),
  check ((destroyed_at is null) = (lookup is not null)),
  check ((destroyed_at is null) = (sealed is not null))
);

-- What was asked to be forgotten and what came of it. `subject` is there only while the work is not done.
create table erasures (
  tenant       text not null,
  erasure_id   text not null,
  subject      text,                          -- `account:A12`; null when done
  subject_hash text not null,                 -- salted, the salt is kept nowhere: tells two erasures apart and no more
  mark         text not null,                 -- what stands where the identifier stood
  token        text,
  state        text not null default 'asked' check (state in ('asked', 'files', 'done', 'failed')),  -- files: Delta and files remain
  asked_by     text not null,
  asked_at     timestamptz not null default now(),
  finished_at  timestamptz,
  report       jsonb not null default '[]',   -- [{store, removed, unlinked, kept, note}]
  error        text not null default '',
  primary key (tenant, erasure_id)
);
create index erasures_open on erasures (asked_at) where state in ('asked', 'files');

select guard_tenants();
