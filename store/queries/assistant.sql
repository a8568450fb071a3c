-- Conversations, cached answers, uploaded documents and proposed sections.

-- name: put_conversation
-- Begin a conversation.
insert into conversations (tenant, conversation_id, owner, title, created_at, updated_at)
values (%(tenant)s, %(conversation_id)s, %(owner)s, %(title)s, %(now)s, %(now)s)

-- name: conversation
-- One conversation of an owner.
select conversation_id, title, created_at, updated_at,
       (select count(*) from conversation_messages m where m.tenant = c.tenant and m.conversation_id = c.conversation_id) as messages
from conversations c where tenant = %(tenant)s and owner = %(owner)s and conversation_id = %(conversation_id)s

-- name: conversations_of
-- An owner's conversations, the newest first, from a place on.
select conversation_id, title, created_at, updated_at,
       (select count(*) from conversation_messages m where m.tenant = c.tenant and m.conversation_id = c.conversation_id) as messages
from conversations c where tenant = %(tenant)s and owner = %(owner)s
  and (%(before)s::timestamptz is null or (updated_at, conversation_id) < (%(before)s, %(before_id)s))
order by updated_at desc, conversation_id desc limit %(limit)s

-- name: rename_conversation
-- Give a conversation another title.
update conversations set title = %(title)s where tenant = %(tenant)s and owner = %(owner)s and conversation_id = %(conversation_id)s

-- name: delete_conversation
-- Remove a conversation with its messages.
delete from conversations where tenant = %(tenant)s and owner = %(owner)s and conversation_id = %(conversation_id)s

-- name: touch_conversation
-- A message came: the conversation is the newest, and locked until the transaction ends.
update conversations set updated_at = greatest(updated_at, %(now)s)
where tenant = %(tenant)s and owner = %(owner)s and conversation_id = %(conversation_id)s

-- name: put_conversation_message
-- Append a message; its place.
insert into conversation_messages (tenant, conversation_id, seq, role, text, answer, at)
select %(tenant)s, %(conversation_id)s, coalesce(max(seq), 0) + 1, %(role)s, %(text)s, %(answer)s, %(now)s
from conversation_messages where tenant = %(tenant)s and conversation_id = %(conversation_id)s
returning seq

-- name: conversation_messages
-- The messages of a conversation in order.
select seq, role, text, answer, at from conversation_messages
where tenant = %(tenant)s and conversation_id = %(conversation_id)s and seq > %(after)s order by seq limit %(limit)s

-- name: last_turns
-- The newest messages of a conversation, the newest first.
select seq, role, text, answer from conversation_messages
where tenant = %(tenant)s and conversation_id = %(conversation_id)s order by seq desc limit %(limit)s

-- name: old_conversations
-- Remove conversations whose last message is long past.
delete from conversations where updated_at < now() - make_interval(days => %(days)s)

-- name: cached_answer
-- A kept answer, and one use more.
update answer_cache set uses = uses + 1, last_used_at = %(now)s where tenant = %(tenant)s and key = %(key)s
returning answer, model, created_at, uses

-- name: put_cached_answer
-- Keep an answer.
insert into answer_cache (tenant, key, model, answer, created_at, last_used_at)
values (%(tenant)s, %(key)s, %(model)s, %(answer)s, %(now)s, %(now)s)
on conflict (tenant, key) do update set answer = excluded.answer, created_at = excluded.created_at, last_used_at = excluded.last_used_at

-- name: old_answers
-- Forget answers that nobody has asked for.
delete from answer_cache where last_used_at < now() - make_interval(days => %(days)s)

-- name: newest_version
-- The newest version of a document, whatever its state.
select version, sha256, state from document_versions
where tenant = %(tenant)s and doc_id = %(doc_id)s and state <> 'deleted' order by version desc limit 1

-- name: same_bytes
-- A document in use that came with the very same bytes.
select v.doc_id, v.version from document_versions v join documents d using (tenant, doc_id)
where v.tenant = %(tenant)s and v.sha256 = %(sha256)s and v.doc_id <> %(doc_id)s and v.version = d.version
order by v.doc_id limit 1

-- name: put_upload
-- A version on its way in, or one that is known to be a duplicate.
insert into document_versions (tenant, doc_id, version, source, format, title, sha256, size, state, why, raw, near, uploaded_by, uploaded_at,
                               finished_at)
select %(tenant)s, %(doc_id)s, coalesce(max(version), 0) + 1, %(source)s, %(format)s, %(title)s, %(sha256)s, %(size)s, %(state)s,
       %(why)s, %(raw)s, %(near)s, %(actor)s, %(now)s, case when %(state)s = 'queued' then null else %(now)s::timestamptz end
from document_versions where tenant = %(tenant)s and doc_id = %(doc_id)s
returning version

-- name: wake_documents
-- A document waits.
select pg_notify('documents', %(doc_id)s)

-- name: uploads_by_name
-- Documents with their version in use and their newest one, in order, from a place on.
select v.doc_id, v.version, v.source, v.format, coalesce(nullif(v.title, ''), d.title, v.source) as title, v.sha256, v.size, v.state,
       v.why, v.near, v.sections, v.done, v.uploaded_by, v.uploaded_at, v.finished_at, d.version as in_use
from (select distinct on (doc_id) * from document_versions where tenant = %(tenant)s and state <> 'deleted' and doc_id > %(after)s
      order by doc_id, version desc) v
left join documents d on d.tenant = v.tenant and d.doc_id = v.doc_id
order by v.doc_id limit %(limit)s

-- name: versions_of
-- Every version of a document, the newest first.
select v.doc_id, v.version, v.source, v.format, coalesce(nullif(v.title, ''), v.source) as title, v.sha256, v.size, v.state, v.why,
       v.near, v.sections, v.done, v.uploaded_by, v.uploaded_at, v.finished_at, d.version as in_use
from document_versions v left join documents d on d.tenant = v.tenant and d.doc_id = v.doc_id
where v.tenant = %(tenant)s and v.doc_id = %(doc_id)s and (%(version)s::integer is null or v.version = %(version)s)
order by v.version desc

-- name: version_text
-- What a version said, as Markdown.
select text from document_versions where tenant = %(tenant)s and doc_id = %(doc_id)s and version = %(version)s

-- name: take_upload
-- The next version to work on, leased; versions of one document in their order.
update document_versions set leased_until = clock_timestamp() + make_interval(secs => %(lease_s)s), attempts = attempts + 1
where (tenant, doc_id, version) = (
  select v.tenant, v.doc_id, v.version from document_versions v
  where v.state in ('queued', 'reading', 'indexing') and (v.leased_until is null or v.leased_until < clock_timestamp())
    and not exists (select from document_versions o where o.tenant = v.tenant and o.doc_id = v.doc_id and o.version < v.version
                      and o.state in ('queued', 'reading', 'indexing'))
  order by v.uploaded_at, v.tenant, v.doc_id limit 1 for update skip locked)
returning tenant, doc_id, version, source, format, title, sha256, size, raw, text, state, uploaded_by, attempts

-- name: mark_upload
-- How far a version has come; the lease goes on.
update document_versions
set state = %(state)s, sections = coalesce(%(sections)s, sections), done = coalesce(%(done)s, done),
    leased_until = clock_timestamp() + make_interval(secs => %(lease_s)s)
where tenant = %(tenant)s and doc_id = %(doc_id)s and version = %(version)s and state in ('queued', 'reading', 'indexing')

-- name: keep_text
-- What was read; the bytes have served.
update document_versions set text = %(text)s, title = %(title)s, minhash = %(minhash)s::bigint[], near = %(near)s, raw = null,
       state = 'indexing'
where tenant = %(tenant)s and doc_id = %(doc_id)s and version = %(version)s and state in ('queued', 'reading', 'indexing')

-- name: end_upload
-- A version is ready, a duplicate, or has failed for good.
update document_versions set state = %(state)s, why = %(why)s, raw = null, leased_until = null, finished_at = clock_timestamp(),
       sections = coalesce(%(sections)s, sections), done = coalesce(%(sections)s, done)
where tenant = %(tenant)s and doc_id = %(doc_id)s and version = %(version)s and state in ('queued', 'reading', 'indexing')

-- name: return_upload
-- Let another try at once, or later.
update document_versions set leased_until = clock_timestamp() + make_interval(secs => %(wait_s)s), why = %(why)s
where tenant = %(tenant)s and doc_id = %(doc_id)s and version = %(version)s and state in ('queued', 'reading', 'indexing')

-- name: signatures
-- The signatures of the other documents in use, to find near duplicates.
select v.doc_id, v.version, v.minhash from document_versions v join documents d using (tenant, doc_id)
where v.tenant = %(tenant)s and v.doc_id <> %(doc_id)s and v.version = d.version and v.minhash is not null
order by v.doc_id limit 5000

-- name: drop_document
-- Take a document out of search; its sections go with it.
delete from documents where tenant = %(tenant)s and doc_id = %(doc_id)s

-- name: forget_versions
-- Empty the versions of a removed document.
update document_versions set state = 'deleted', raw = null, text = null, minhash = null, near = '[]', leased_until = null,
       finished_at = coalesce(finished_at, clock_timestamp())
where tenant = %(tenant)s and doc_id = %(doc_id)s and state <> 'deleted'

-- name: forget_sections
-- Remove what a removed document's sections said, but for those that a ruling or an answer cites (unless all is to go).
delete from section_versions v where v.tenant = %(tenant)s and v.doc_id = %(doc_id)s
  and (%(all)s or not exists (
    select from rulings r where r.tenant = v.tenant
      and jsonb_path_exists(r.brief, '$.items[*].fields.section_id ? (@ == $id)', jsonb_build_object('id', v.section_id))
    union all
    select from conversation_messages m where m.tenant = v.tenant
      and jsonb_path_exists(m.answer, '$.citations[*].id ? (@ == $id)', jsonb_build_object('id', v.section_id))))

-- name: close_sections
-- What is left of a removed document's sections is of the past.
update section_versions set until = clock_timestamp() where tenant = %(tenant)s and doc_id = %(doc_id)s and until is null

-- name: proposal_case
-- What a section can be drafted from: the case, its ruling in force, how the desk closed it, what people did.
select c.case_id, c.entity, c.kind, c.severity, c.revision, c.started_at, c.last_at, r.ruling_id, r.outcome, r.action, r.confidence,
       r.root_cause, r.next_steps, r.opinions, r.brief, f.status, f.reason, f.reason_text, f.pattern,
       (select coalesce(jsonb_agg(jsonb_build_object('action', k.action, 'state', k.state) order by k.created_at), '[]')
        from commands k where k.tenant = c.tenant and k.case_id = c.case_id) as commands
from cases c join rulings r on r.tenant = c.tenant and r.case_id = c.case_id and r.in_force
left join case_files f on f.tenant = c.tenant and f.case_id = c.case_id
where c.tenant = %(tenant)s and c.case_id = %(case_id)s

-- name: proposal_timeline
-- What people did and wrote about a case, in order.
select kind, said, name, at from case_entries
where tenant = %(tenant)s and case_id = %(case_id)s and actor not like 'system:%%' order by entry_id limit 200

-- name: put_proposal
-- A proposal; one that is there already stays as it is.
insert into section_proposals (tenant, proposal_id, case_id, ruling_id, title, tags, body, draft, drafted_by, why, sources, proposed_by,
                               proposed_at)
values (%(tenant)s, %(proposal_id)s, %(case_id)s, %(ruling_id)s, %(title)s, %(tags)s::text[], %(body)s, %(draft)s, %(drafted_by)s,
        %(why)s, %(sources)s, %(actor)s, %(now)s)
on conflict (tenant, proposal_id) do nothing

-- name: proposal
-- One proposal, locked when it is to be changed.
select * from section_proposals where tenant = %(tenant)s and proposal_id = %(proposal_id)s

-- name: lock_proposal
-- One proposal for change.
select * from section_proposals where tenant = %(tenant)s and proposal_id = %(proposal_id)s for update

-- name: proposals
-- Proposals of a state or all, the newest first, from a place on.
select * from section_proposals
where tenant = %(tenant)s and (%(state)s::text is null or state = %(state)s) and (%(case_id)s::text is null or case_id = %(case_id)s)
  and (%(before)s::timestamptz is null or (proposed_at, proposal_id) < (%(before)s, %(before_id)s))
order by proposed_at desc, proposal_id desc limit %(limit)s

-- name: edit_proposal
-- Other words for a proposal.
update section_proposals set title = %(title)s, tags = %(tags)s::text[], body = %(body)s, version = version + 1
where tenant = %(tenant)s and proposal_id = %(proposal_id)s returning *

-- name: decide_proposal
-- A person accepts or rejects a proposal.
update section_proposals set state = %(state)s, reason = %(reason)s, doc_id = %(doc_id)s, decided_by = %(actor)s, decided_at = %(now)s,
       version = version + 1
where tenant = %(tenant)s and proposal_id = %(proposal_id)s returning *

-- name: unproposed_cases
-- Heads the desk has resolved that no section was proposed from yet, the oldest first.
select f.tenant, f.case_id from case_files f
where f.tenant = %(tenant)s and f.head is null and f.status = 'resolved' and f.outcome = 'confirmed'
  and (%(since)s::timestamptz is null or f.closed_at >= %(since)s)
  and not exists (select from section_proposals p where p.tenant = f.tenant and p.case_id = f.case_id)
order by f.closed_at limit %(limit)s
