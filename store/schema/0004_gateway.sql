-- The gateway: keys that open it, answers it gave, and the event ids it has passed on.
create table api_keys (
  key_id      text primary key,               -- random, part of the key that the caller holds
  tenant      text not null,
  name        text not null,
  role        text not null check (role in ('viewer', 'analyst', 'admin')),
  scopes      text[] not null default '{}',   -- empty: all that the role may
  salt        bytea not null,
  digest      bytea not null,                 -- SHA-256 over salt and secret; the secret has 192 random bits
  created_by  text not null,
  created_at  timestamptz not null,
  expires_at  timestamptz,
  revoked_at  timestamptz,
  replaces    text,                           -- the key that this one was rotated from
  last_used_at timestamptz                    -- to the minute
);
create index api_keys_by_tenant on api_keys (tenant, created_at);

-- The answer to a request that carried an Idempotency-Key; given again to the same body.
create table answers (
  tenant      text not null,
  actor       text not null,
  request_key text not null,
  body_hash   text not null,
  status      integer not null,
  answer      jsonb not null,
  created_at  timestamptz not null,
  primary key (tenant, actor, request_key)
);
create index answers_by_time on answers using brin (created_at);

-- Event ids passed on lately, as hashes: 64 bits of the id and of the content, so that a second delivery is known.
create table passed_events (
  tenant       text not null,
  id_hash      bigint not null,
  content_hash bigint not null,
  passed_at    timestamptz not null,
  primary key (tenant, id_hash)
);
create index passed_events_by_time on passed_events using brin (passed_at);

select guard_tenants();
