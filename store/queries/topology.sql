-- name: clear_edges
-- Forget who calls whom, before a file says it anew.
delete from service_edges where tenant = %(tenant)s

-- name: put_edges
-- Write who calls whom.
insert into service_edges (tenant, caller, callee)
select %(tenant)s, caller, callee from unnest(%(callers)s::text[], %(callees)s::text[]) as given (caller, callee)
on conflict do nothing
