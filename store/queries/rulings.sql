-- name: supersede_rulings
-- The earlier rulings in force on these cases give way; they stay to be read.
update rulings r set in_force = false, superseded_by = n.ruling_id
from jsonb_to_recordset(%(rows)s::jsonb) as n(ruling_id text, case_id text)
where r.case_id = n.case_id and r.in_force and r.ruling_id <> n.ruling_id

-- name: put_rulings
-- Write rulings in force; the very same ruling made again is the same row.
insert into rulings (ruling_id, tenant, case_id, revision, council, model, outcome, action, confidence, root_cause, next_steps, citations,
                     opinions, checks, brief, brief_hash, prompt_hash, in_force, why, latency_ms)
select ruling_id, tenant, case_id, revision, council, model, outcome, action, confidence, root_cause, next_steps, citations,
       opinions, checks, brief, brief_hash, prompt_hash, true, why, latency_ms
from jsonb_to_recordset(%(rows)s::jsonb) as n(
  ruling_id text, tenant text, case_id text, revision integer, council text, model text, outcome text, action text,
  confidence double precision, root_cause text, next_steps jsonb, citations jsonb, opinions jsonb, checks jsonb, brief jsonb,
  brief_hash text, prompt_hash text, why text, latency_ms double precision)
on conflict (ruling_id) do update set in_force = true, superseded_by = null, why = excluded.why, desk_at = null

-- name: withdraw_commands
-- Proposals that the rulings now in force no longer make are withdrawn; what people decided stays.
update commands c set state = 'withdrawn', updated_at = now(), reason = c.reason || ' Withdrawn: a later ruling does not support it.'
where c.case_id = any(%(case_ids)s::text[]) and c.state = 'proposed' and c.command_id <> all(%(kept)s::text[])

-- name: put_commands
-- Propose commands; one that was withdrawn is proposed again, one that people decided on is left alone.
insert into commands as c (command_id, tenant, case_id, ruling_id, action, target, reason)
select command_id, tenant, case_id, ruling_id, action, target, reason
from jsonb_to_recordset(%(rows)s::jsonb) as n(command_id text, tenant text, case_id text, ruling_id text, action text, target text, reason text)
on conflict (command_id) do update set
  state = 'proposed', ruling_id = excluded.ruling_id, reason = excluded.reason, updated_at = now(),
  desk_at = case when c.state = 'proposed' then c.desk_at end
where c.state in ('withdrawn', 'proposed')

-- name: put_alerts
-- One alert per confirmed ruling.
insert into alerts (alert_id, tenant, case_id, ruling_id, severity, title, root_cause, next_steps)
select alert_id, tenant, case_id, ruling_id, severity, title, root_cause, next_steps
from jsonb_to_recordset(%(rows)s::jsonb) as n(alert_id text, tenant text, case_id text, ruling_id text, severity double precision, title text,
                                              root_cause text, next_steps jsonb)
on conflict (alert_id) do nothing

-- name: put_calls
-- Record model and tool calls.
insert into tool_audit (tenant, kind, name, role, case_ids, prompt_hash, tokens_in, tokens_out, cost, latency_ms, outcome, detail, response)
select tenant, kind, name, role, array(select jsonb_array_elements_text(case_ids)), prompt_hash, tokens_in, tokens_out, cost, latency_ms,
       outcome, detail, response
from jsonb_to_recordset(%(rows)s::jsonb) as n(tenant text, kind text, name text, role text, case_ids jsonb, prompt_hash text,
  tokens_in integer, tokens_out integer, cost double precision, latency_ms double precision, outcome text, detail text, response text)

-- name: put_worker
-- A worker's heartbeat.
insert into workers (worker_id, job, detail, started_at, seen_at) values (%(worker)s, 'council', %(detail)s::jsonb, clock_timestamp(), clock_timestamp())
on conflict (worker_id) do update set detail = excluded.detail, seen_at = excluded.seen_at

-- name: drop_worker
-- A worker that ended properly.
delete from workers where worker_id = %(worker)s

-- name: ruling_in_force
-- The ruling on a case that counts.
select * from rulings where case_id = %(case_id)s and in_force

-- name: rulings_of_case
-- Every ruling on a case, the newest first.
select * from rulings where case_id = %(case_id)s order by ruled_at desc, ruling_id

-- name: database_now
-- The one clock that all workers share.
select clock_timestamp() as now

-- name: notify_rulings
-- The desk is told at commit.
select pg_notify('rulings', '')
