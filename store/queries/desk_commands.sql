-- Commands: what people decide, and the carrying out.

-- name: desk_command
-- One command with its case's entity and head.
select k.*, c.entity, c.severity, f.case_id as filed_id, coalesce(f.head, f.case_id) as head_id, r.confidence, r.outcome, r.in_force
from commands k join cases c using (case_id) join rulings r on r.ruling_id = k.ruling_id
left join case_files f on f.case_id = k.case_id and f.tenant = k.tenant
where k.tenant = %(tenant)s and k.command_id = %(command_id)s;

-- name: desk_lock_command
-- One command, held for this transaction, and the clock.
select *, now() as now from commands where tenant = %(tenant)s and command_id = %(command_id)s for update;

-- name: desk_commands
-- Commands, the newest first; of some states or of one case when they are given.
select k.*, c.entity, c.severity, coalesce(f.head, f.case_id) as head_id
from commands k join cases c using (case_id) left join case_files f on f.case_id = k.case_id and f.tenant = k.tenant
where k.tenant = %(tenant)s and (%(states)s::text[] is null or k.state = any(%(states)s::text[]))
  and (%(case_id)s::text is null or k.case_id = %(case_id)s or f.head = %(case_id)s)
  and (%(after_at)s::timestamptz is null or (k.created_at, k.command_id) < (%(after_at)s, %(after_id)s))
order by k.created_at desc, k.command_id desc limit %(limit)s;

-- name: desk_command_runs
-- What became of sending a command.
select run_id, purpose, state, attempts, not_before, give_up_at, answers, created_at, finished_at from command_runs
where tenant = %(tenant)s and command_id = %(command_id)s order by created_at, run_id;

-- name: desk_decide_command
-- A decision on a command.
update commands set state = %(state)s, decided_by = %(actor)s, decided_at = %(now)s, decision = %(decision)s, updated_at = %(now)s
where tenant = %(tenant)s and command_id = %(command_id)s;

-- name: desk_command_state
-- What became of a command; `executed_at` and `undo_until` stay when not given.
update commands set state = %(state)s, updated_at = %(now)s, executed_at = coalesce(%(executed_at)s, executed_at),
  undo_until = coalesce(%(undo_until)s, undo_until)
where tenant = %(tenant)s and command_id = %(command_id)s;

-- name: desk_put_run
-- A run waits to be sent; one that failed is tried afresh with the same key.
insert into command_runs as r (run_id, tenant, command_id, purpose, body, not_before, give_up_at, created_at)
values (%(run_id)s, %(tenant)s, %(command_id)s, %(purpose)s, %(body)s, %(now)s, %(give_up_at)s, %(now)s)
on conflict (run_id) do update set state = 'waiting', attempts = 0, not_before = excluded.not_before,
  give_up_at = excluded.give_up_at, finished_at = null, leased_by = null, leased_until = null
where r.state = 'failed';

-- name: desk_notify_work
-- The desk's workers are told at commit.
select pg_notify('rulings', '');

-- name: desk_take_run
-- Lease the next run that is due; one whose worker ended is taken over. A taking counts as an attempt.
with next as (
  select run_id from command_runs
  where state = 'waiting' and not_before <= %(now)s or state = 'leased' and leased_until <= %(now)s
  order by not_before, run_id limit 1 for update skip locked)
update command_runs u set state = 'leased', attempts = u.attempts + 1, leased_by = %(worker)s,
  leased_until = %(now)s + make_interval(secs => %(lease_s)s)
from next where u.run_id = next.run_id
returning u.run_id, u.tenant, u.command_id, u.purpose, u.body, u.attempts, u.give_up_at, u.answers;

-- name: desk_hold_run
-- Lock a run if this worker's lease on this very attempt still stands.
select run_id from command_runs
where run_id = %(run_id)s and tenant = %(tenant)s and state = 'leased' and leased_by = %(worker)s and attempts = %(attempts)s for update;

-- name: desk_answer_run
-- What came back of an attempt; the newest 20 are kept.
update command_runs set state = %(state)s, not_before = coalesce(%(not_before)s, not_before), leased_by = null, leased_until = null,
  finished_at = %(finished_at)s,
  answers = (select coalesce(jsonb_agg(a order by n), '[]') from jsonb_array_elements(answers || %(answer)s::jsonb) with ordinality as t(a, n)
             where n > jsonb_array_length(answers) + 1 - 20)
where run_id = %(run_id)s and tenant = %(tenant)s;

-- name: desk_unseen_proposals
-- Proposals that the desk has not noticed, with what policies ask about.
select k.*, c.entity, c.severity, r.confidence, r.outcome, f.case_id as filed_id
from commands k join cases c using (case_id) join rulings r on r.ruling_id = k.ruling_id
left join case_files f on f.case_id = k.case_id and f.tenant = k.tenant
where k.desk_at is null and k.state = 'proposed' and r.desk_at is not null
order by k.created_at, k.command_id limit %(limit)s for update of k skip locked;

-- name: desk_see_command
-- The desk has noticed a proposal.
update commands set desk_at = %(now)s where tenant = %(tenant)s and command_id = %(command_id)s;
