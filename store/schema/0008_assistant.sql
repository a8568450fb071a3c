-- Documents get the tenant into their keys and keep their versions; conversations, the answers' cache, proposed sections.
alter table sections drop constraint sections_doc_id_fkey, drop constraint sections_pkey;
alter table documents drop constraint documents_pkey;
update sections set doc_id = substr(doc_id, length(tenant) + 2), section_id = substr(section_id, length(tenant) + 2)
  where tenant <> 'main' and starts_with(doc_id, tenant || '/');
update documents set doc_id = substr(doc_id, length(tenant) + 2) where tenant <> 'main' and starts_with(doc_id, tenant || '/');
alter table documents add primary key (tenant, doc_id),
  add column version integer not null default 1;  -- the one that is searched
alter table sections add primary key (tenant, section_id), add foreign key (tenant, doc_id) references documents on delete cascade;
drop index sections_by_doc;
create index sections_by_doc on sections (tenant, doc_id, position);

-- Every upload of a name is a version; the newest ready one is searched, the others are kept for what cites them.
create table document_versions (
  tenant       text not null,
  doc_id       text not null,
  version      integer not null,              -- 1, 2, 3 … per document
  source       text not null,                 -- file name, no machine path
  format       text not null check (format in ('markdown', 'text', 'html', 'pdf')),
  title        text not null default '',
  sha256       text not null,                 -- of the bytes as they came
  size         bigint not null,
  state        text not null check (state in ('queued', 'reading', 'indexing', 'ready', 'failed', 'duplicate', 'deleted')),
  why          text not null default '',      -- of a failure, a duplicate or a note, in words
  raw          bytea,                         -- the upload, until it has been read
  text         text,                          -- as Markdown, once it has been read
  minhash      bigint[],                      -- of its word runs, to find near duplicates
  near         jsonb not null default '[]',   -- [{doc_id, version, similarity}] at the time of reading
  sections     integer,                       -- null until it has been cut
  done         integer not null default 0,    -- sections that have their vector
  uploaded_by  text not null,
  uploaded_at  timestamptz not null default now(),
  leased_until timestamptz,
  attempts     integer not null default 0,
  finished_at  timestamptz,
  primary key (tenant, doc_id, version)
);
create index document_versions_waiting on document_versions (uploaded_at) where state in ('queued', 'reading', 'indexing');
create index document_versions_by_hash on document_versions (tenant, sha256);

-- What a section said from when until when, so that an old ruling's citation can be read as it was.
create table section_versions (
  tenant       text not null,
  section_id   text not null,
  since        timestamptz not null,
  until        timestamptz,                   -- null: it still says so
  doc_id       text not null,
  version      integer not null,              -- of the document that brought it
  heading_path text[] not null,
  body         text not null,
  tags         text[] not null default '{}',
  sha256       text not null,
  primary key (tenant, section_id, since)
);
create index section_versions_by_doc on section_versions (tenant, doc_id);

insert into document_versions (tenant, doc_id, version, source, format, title, sha256, size, state, sections, done, uploaded_by,
                               uploaded_at, finished_at)
  select d.tenant, d.doc_id, 1, d.source, 'markdown', d.title, d.sha256, coalesce(sum(length(s.body)), 0), 'ready',
         count(s.section_id), count(s.section_id), 'system:upgrade', d.added_at, d.added_at
  from documents d left join sections s using (tenant, doc_id) group by d.tenant, d.doc_id;
insert into section_versions (tenant, section_id, since, doc_id, version, heading_path, body, tags, sha256)
  select tenant, section_id, updated_at, doc_id, 1, heading_path, body, tags, sha256 from sections;

-- A section drafted from a resolved case; used in retrieval only after a person has accepted it.
create table section_proposals (
  tenant      text not null,
  proposal_id text not null,                  -- hash(case, ruling)
  case_id     text not null,
  ruling_id   text not null,
  title       text not null,
  tags        text[] not null default '{}',
  body        text not null,                  -- as it stands, perhaps edited
  draft       text not null,                  -- as it was proposed
  drafted_by  text not null check (drafted_by in ('rules', 'model')),
  why         text not null default '',       -- why no model polished it, or what of its words was dropped
  sources     jsonb not null,                 -- what it was made of
  state       text not null default 'proposed' check (state in ('proposed', 'accepted', 'rejected')),
  version     integer not null default 1,     -- for optimistic locking
  doc_id      text,                           -- the document it became
  reason      text not null default '',       -- of a rejection
  proposed_by text not null,
  proposed_at timestamptz not null default now(),
  decided_by  text,
  decided_at  timestamptz,
  primary key (tenant, proposal_id)
);
create index section_proposals_by_state on section_proposals (tenant, state, proposed_at desc);

-- Conversations belong to whoever began them.
create table conversations (
  tenant          text not null,
  conversation_id text not null,
  owner           text not null,              -- an actor: `key:ID`, `oidc:SUBJECT`
  title           text not null,
  created_at      timestamptz not null default now(),
  updated_at      timestamptz not null default now(),
  primary key (tenant, conversation_id)
);
create index conversations_by_owner on conversations (tenant, owner, updated_at desc);
create table conversation_messages (
  tenant          text not null,
  conversation_id text not null,
  seq             integer not null,           -- 1, 2, 3 …; odd ones are questions
  role            text not null check (role in ('user', 'assistant')),
  text            text not null,
  answer          jsonb,                      -- of the assistant's: sentences, citations, how it was read, who spoke
  at              timestamptz not null default now(),
  primary key (tenant, conversation_id, seq),
  foreign key (tenant, conversation_id) references conversations on delete cascade
);

-- Answers by what was asked, of what, and of whom; a second use is marked.
create table answer_cache (
  tenant       text not null,
  key          text not null,                 -- hash(prompt, context, model, limits)
  model        text not null,
  answer       jsonb not null,
  created_at   timestamptz not null default now(),
  last_used_at timestamptz not null default now(),
  uses         integer not null default 0,
  primary key (tenant, key)
);
create index answer_cache_by_use on answer_cache (last_used_at);

create index memories_near on memories using hnsw (embedding vector_cosine_ops);
create index memories_by_tenant on memories (tenant, happened_at);
create index entities_by_subject on entities (tenant, lower(subject));

select guard_tenants();
