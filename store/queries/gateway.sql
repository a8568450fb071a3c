-- name: claim_answer
-- Take a request key; no row when somebody has it (waits for one who is at it just now).
insert into answers (tenant, actor, request_key, body_hash, status, answer, created_at)
values (%(tenant)s, %(actor)s, %(request_key)s, %(body_hash)s, 0, '{}', %(now)s)
on conflict (tenant, actor, request_key) do nothing returning request_key;

-- name: stored_answer
-- What was answered to a request key, and to which body.
select body_hash, status, answer from answers
where tenant = %(tenant)s and actor = %(actor)s and request_key = %(request_key)s;

-- name: store_answer
-- The answer to a request key that was taken in this transaction.
update answers set status = %(status)s, answer = %(answer)s
where tenant = %(tenant)s and actor = %(actor)s and request_key = %(request_key)s;

-- name: pass_events
-- Note events as passed on; returns those that were not there before. Sorted, so that two requests cannot block each other.
insert into passed_events (tenant, id_hash, content_hash, passed_at)
select %(tenant)s, g.id_hash, g.content_hash, %(now)s
from unnest(%(ids)s::bigint[], %(contents)s::bigint[]) as g (id_hash, content_hash) order by g.id_hash
on conflict (tenant, id_hash) do nothing returning id_hash;

-- name: passed_contents
-- The content of events that were passed on before.
select id_hash, content_hash from passed_events where tenant = %(tenant)s and id_hash = any(%(ids)s::bigint[]);

-- name: forget_passed
-- Event ids that are no longer known.
delete from passed_events where passed_at < %(before)s;

-- name: forget_answers
-- Answers that are no longer given again.
delete from answers where created_at < %(before)s;

-- name: ingest_ends
-- How far ingest has come: the end offsets of its newest batch.
select offsets, committed_at from batches where job = 'ingest' order by committed_at desc limit 1;
