-- What readers of the dashboard keep for themselves: filters by name, and the time zone they want to read in.
create table saved_filters (
  tenant     text not null,
  owner      text not null,                   -- the caller's actor: `key:ID`, `oidc:SUBJECT`
  page       text not null,
  name       text not null,
  query      jsonb not null,                  -- the page's query parameters, name → value
  created_at timestamptz not null default now(),
  primary key (tenant, owner, page, name)
);

create table reader_preferences (
  tenant text not null,
  owner  text not null,
  zone   text not null default '',            -- an IANA name; '' follows the browser
  primary key (tenant, owner)
);

select guard_tenants();
