-- name: put_document
-- Write a document's row; it also locks the document against a second writer until the transaction ends.
insert into documents (doc_id, tenant, title, source, sha256, version)
values (%(doc_id)s, %(tenant)s, %(title)s, %(source)s, %(sha256)s, %(version)s)
on conflict (tenant, doc_id) do update set
  title = excluded.title, source = excluded.source, sha256 = excluded.sha256, version = excluded.version, added_at = now()

-- name: lock_document
-- One writer of a document at a time, also before its row exists; until the transaction ends.
select pg_advisory_xact_lock(hashtextextended(%(tenant)s || '/' || %(doc_id)s, 8))

-- name: document_head
-- What is known of a document and its versions before it is written again.
select (select max(version) from document_versions where tenant = %(tenant)s and doc_id = %(doc_id)s) as newest,
       d.version, d.sha256
from (select) as one left join documents d on d.tenant = %(tenant)s and d.doc_id = %(doc_id)s

-- name: put_ready_version
-- A version that was cut and embedded where it came in, without waiting in the queue.
insert into document_versions (tenant, doc_id, version, source, format, title, sha256, size, state, text, sections, done, uploaded_by,
                               finished_at)
values (%(tenant)s, %(doc_id)s, %(version)s, %(source)s, %(format)s, %(title)s, %(sha256)s, %(size)s, 'ready', %(text)s, %(sections)s,
        %(sections)s, %(actor)s, now())

-- name: keep_section_versions
-- Remember what the document's sections say from now on; those that say something else, or are gone, end here.
with ended as (
  update section_versions v set until = clock_timestamp()
  where v.tenant = %(tenant)s and v.doc_id = %(doc_id)s and v.until is null
    and not exists (select from sections s where s.tenant = v.tenant and s.section_id = v.section_id and s.sha256 = v.sha256)
  returning v.section_id)
insert into section_versions (tenant, section_id, since, doc_id, version, heading_path, body, tags, sha256)
select s.tenant, s.section_id, clock_timestamp(), s.doc_id, %(version)s, s.heading_path, s.body, s.tags, s.sha256
from sections s
where s.tenant = %(tenant)s and s.doc_id = %(doc_id)s
  and not exists (select from section_versions v where v.tenant = s.tenant and v.section_id = s.section_id and v.until is null
                    and v.sha256 = s.sha256)
on conflict (tenant, section_id, since) do nothing

-- name: section_as_of
-- What a section said at a moment: the version of then, else the first one after it.
select section_id, doc_id, 0 as position, heading_path, body, tags, since, until, version
from section_versions where tenant = %(tenant)s and section_id = %(section_id)s
order by (since <= %(at)s::timestamptz) desc,
         case when since <= %(at)s::timestamptz then extract(epoch from %(at)s::timestamptz - since) else extract(epoch from since) end
limit 1

-- name: stored_sections
-- What is known of a document's sections, to find the ones that changed.
select section_id, position, sha256, embedder from sections where tenant = %(tenant)s and doc_id = %(doc_id)s

-- name: put_section
-- Write one section with its vector.
insert into sections (section_id, tenant, doc_id, position, heading_path, body, tags, sha256, embedder, embedding)
values (%(section_id)s, %(tenant)s, %(doc_id)s, %(position)s, %(heading_path)s::text[], %(body)s, %(tags)s::text[], %(sha256)s,
        %(embedder)s, %(embedding)s::vector)
on conflict (tenant, section_id) do update set
  doc_id = excluded.doc_id, position = excluded.position, heading_path = excluded.heading_path,
  body = excluded.body, tags = excluded.tags, sha256 = excluded.sha256, embedder = excluded.embedder,
  embedding = excluded.embedding, updated_at = now()

-- name: move_section
-- Another place in the document, the same words.
update sections set position = %(position)s where tenant = %(tenant)s and section_id = %(section_id)s

-- name: drop_sections
-- Remove the sections that the document no longer has.
delete from sections where tenant = %(tenant)s and doc_id = %(doc_id)s and section_id <> all (%(kept)s::text[])

-- name: runbook_documents
-- Every document with the number of its sections.
select d.doc_id, d.title, d.source, d.sha256, d.added_at, count(s.section_id) as sections,
       count(s.section_id) filter (where s.embedder <> %(embedder)s) as stale
from documents d left join sections s using (tenant, doc_id)
where d.tenant = %(tenant)s
group by d.tenant, d.doc_id
order by d.doc_id

-- name: runbook_version
-- A word that changes whenever any section's text changes; cheap, read before every search.
select coalesce(md5(string_agg(doc_id || ' ' || sha256, ',' order by doc_id)), '') as version
from documents where tenant = %(tenant)s

-- name: runbook_sections
-- Every section, in an order that does not change.
select section_id, doc_id, position, heading_path, body, tags
from sections where tenant = %(tenant)s
order by section_id

-- name: runbook_section
-- One section by its id.
select section_id, doc_id, position, heading_path, body, tags from sections where section_id = %(section_id)s and tenant = %(tenant)s

-- name: section_cosines
-- Cosine of every section with a vector of the same embedder.
select section_id, 1 - (embedding <=> %(embedding)s::vector) as cosine
from sections where tenant = %(tenant)s and embedder = %(embedder)s

-- name: stale_sections
-- Sections whose vector is of another embedder.
select section_id, heading_path, body from sections where tenant = %(tenant)s and embedder <> %(embedder)s order by section_id

-- name: set_section_vector
-- A new vector for a section whose words did not change.
update sections set embedder = %(embedder)s, embedding = %(embedding)s::vector, updated_at = now()
where tenant = %(tenant)s and section_id = %(section_id)s

-- name: put_memory
-- Remember a ruled case; a later ruling replaces the earlier one.
insert into memories (case_id, tenant, summary, outcome, embedder, embedding, happened_at)
values (%(case_id)s, %(tenant)s, %(summary)s, %(outcome)s, %(embedder)s, %(embedding)s::vector, %(happened_at)s)
on conflict (case_id) do update set
  summary = excluded.summary, outcome = excluded.outcome, embedder = excluded.embedder, embedding = excluded.embedding,
  happened_at = excluded.happened_at, created_at = now()

-- name: memories_counted
-- How many cases a tenant has remembered, counted up to a bound.
select count(*) as memories from (select from memories where tenant = %(tenant)s limit %(bound)s) as found

-- name: look_until_enough
-- For this transaction: the vector index, which tenants share, goes on until enough of its rows pass the filter.
select set_config('hnsw.iterative_scan', 'relaxed_order', true), set_config('hnsw.ef_search', %(pool)s::text, true)

-- name: every_memory
-- The nearest remembered cases as near_memories gives them, but by looking at each of the tenant's.
with own as materialized (
  select case_id, summary, outcome, happened_at, embedding from memories
  where tenant = %(tenant)s and embedder = %(embedder)s
    and (%(before)s::timestamptz is null or happened_at < %(before)s::timestamptz) and case_id <> all (%(exclude)s::text[]))
select case_id, summary, outcome, happened_at, 1 - (embedding <=> %(embedding)s::vector) as cosine
from own order by embedding <=> %(embedding)s::vector, case_id limit %(pool)s

-- name: near_memories
-- The nearest remembered cases by cosine that happened before a moment, by the vector index: nearly all of the nearest.
select case_id, summary, outcome, happened_at, 1 - (embedding <=> %(embedding)s::vector) as cosine
from memories
where tenant = %(tenant)s and embedder = %(embedder)s
  and (%(before)s::timestamptz is null or happened_at < %(before)s::timestamptz)
  and case_id <> all (%(exclude)s::text[])
order by embedding <=> %(embedding)s::vector, case_id
limit %(pool)s

-- name: stale_memories
-- Remembered cases whose vector is of another embedder.
select case_id, summary from memories where tenant = %(tenant)s and embedder <> %(embedder)s order by case_id

-- name: set_memory_vector
-- A new vector for a remembered case.
update memories set embedder = %(embedder)s, embedding = %(embedding)s::vector where tenant = %(tenant)s and case_id = %(case_id)s

-- name: audit_question
-- One model or tool call made to answer a question; unknown numbers stay null.
insert into tool_audit (tenant, kind, name, role, prompt_hash, tokens_in, tokens_out, latency_ms, outcome, detail, response)
values (%(tenant)s, %(kind)s, %(called)s, %(role)s, %(prompt_hash)s, %(tokens_in)s, %(tokens_out)s, %(latency_ms)s, %(outcome)s,
        %(detail)s, %(response)s)
