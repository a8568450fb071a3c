-- name: audit_lock
-- One writer at a time per tenant, until the transaction's end.
select pg_advisory_xact_lock(hashtextextended('audit_log ' || %(tenant)s, 0));

-- name: audit_last
-- The end of the tenant's chain, and the clock.
select now() as at, coalesce(max(seq), 0) as seq,
       coalesce((select hash from audit_log where tenant = %(tenant)s order by seq desc limit 1), '') as hash
from audit_log where tenant = %(tenant)s;

-- name: put_audit
-- The next link.
insert into audit_log (tenant, seq, at, actor, action, subject, detail, previous, hash)
values (%(tenant)s, %(seq)s, %(at)s, %(actor)s, %(action)s, %(subject)s, %(detail)s, %(previous)s, %(hash)s);

-- name: audit_links
-- A stretch of the chain in its order, to be verified.
select tenant, seq, at, actor, action, subject, detail, previous, hash
from audit_log where tenant = %(tenant)s and seq > %(after)s order by seq limit %(limit)s;

-- name: audit_newest
-- The newest entries, to be read; of one subject when it is given.
select seq, at, actor, action, subject, detail from audit_log
where tenant = %(tenant)s and (%(subject)s::text is null or subject = %(subject)s) and seq < coalesce(%(before)s, 9223372036854775807)
order by seq desc limit %(limit)s;

-- name: audit_tenants
-- Every tenant that has a chain.
select distinct tenant from audit_log order by tenant;
