-- name: create_incoming_cases
-- The cases of one batch on their way in; gone at the end of the transaction.
create temp table if not exists incoming_cases (
  case_id text, tenant text, episode_id text, entity text, kind text, revision integer, severity double precision,
  lane text, started_at timestamptz, last_at timestamptz
) on commit drop

-- name: put_cases
-- Write the incoming cases with absolute values; an older or equal revision changes nothing.
insert into cases as c (case_id, tenant, episode_id, entity, kind, revision, severity, lane, started_at, last_at)
select case_id, tenant, episode_id, entity, kind, revision, severity, lane, started_at, last_at
from (select distinct on (case_id) * from incoming_cases order by case_id, revision desc) i
order by case_id
on conflict (case_id) do update set
  revision = excluded.revision, severity = excluded.severity, lane = excluded.lane, started_at = excluded.started_at,
  last_at = excluded.last_at, updated_at = now()
where excluded.revision > c.revision

-- name: put_on_docket
-- Enqueue the incoming cases above the triage bar; a heard one again when its hits doubled or its lane rose.
insert into docket as d (case_id, tenant, lane, priority, revision)
select case_id, tenant, lane, severity, revision
from (select distinct on (case_id) * from incoming_cases order by case_id, revision desc) i
where lane <> 'filed'
order by case_id
on conflict (case_id) do update set
  (state, reason, attempts, not_before, enqueued_at, finished_at) = (
    select case when grown then 'waiting' else d.state end, case when grown then 'grown' else d.reason end,
           case when grown then 0 else d.attempts end, case when grown then '-infinity' else d.not_before end,
           case when grown then now() else d.enqueued_at end, case when grown then null else d.finished_at end
    from (select (d.state = 'done' or d.state = 'waiting' and d.reason = 'rehear')
             and (excluded.revision >= 2 * d.heard_revision or excluded.lane = 'immediate' and d.lane = 'batch')) g(grown)),
  revision = excluded.revision, priority = greatest(d.priority, excluded.priority),
  lane = case when 'immediate' in (d.lane, excluded.lane) then 'immediate' else 'batch' end
where excluded.revision > d.revision

-- name: take_cases
-- Lease the next cases of a lane; a lease that ran out is taken over, and a taking counts as an attempt.
with clock as (select coalesce(%(now)s::timestamptz, clock_timestamp()) as at),
next as (
  select case_id from docket, clock
  where lane = %(lane)s and attempts < %(max_attempts)s
    and (state = 'waiting' and not_before <= clock.at or state = 'leased' and leased_until <= clock.at)
  order by priority desc, enqueued_at, case_id
  limit %(limit)s for update of docket skip locked)
update docket d
set state = 'leased', attempts = d.attempts + 1, leased_by = %(worker)s,
    leased_until = clock.at + make_interval(secs => %(lease_s)s)
from next, clock where d.case_id = next.case_id
returning d.case_id, d.tenant, d.lane, d.priority, d.revision, d.reason, d.attempts, clock.at as taken_at

-- name: renew_leases
-- A worker that is still hearing keeps its leases.
update docket set leased_until = clock_timestamp() + make_interval(secs => %(lease_s)s) where state = 'leased' and leased_by = %(worker)s

-- name: hold_leases
-- Lock what this worker still holds of what it took (case and attempt), in a fixed order against deadlocks.
select d.case_id from docket d
join unnest(%(case_ids)s::text[], %(attempts)s::int[]) t(case_id, attempts) using (case_id)
where d.state = 'leased' and d.leased_by = %(worker)s and d.attempts = t.attempts
order by d.case_id for update of d

-- name: finish_cases
-- Close heard cases; one that grew during its hearing waits again at once.
update docket d set
  heard_revision = h.revision, leased_by = null, leased_until = null, last_error = null,
  state = case when g.grown then 'waiting' else 'done' end, reason = case when g.grown then 'grown' else d.reason end,
  attempts = case when g.grown then 0 else d.attempts end,
  priority = c.severity,
  not_before = case when g.grown then '-infinity' else coalesce(h.not_before, '-infinity') end,
  enqueued_at = case when g.grown then clock_timestamp() else d.enqueued_at end,
  finished_at = case when g.grown then null else clock_timestamp() end
from unnest(%(case_ids)s::text[], %(revisions)s::int[], %(lanes)s::text[], %(not_before)s::timestamptz[])
       h(case_id, revision, lane, not_before)
join cases c using (case_id)
join docket now_d using (case_id)
cross join lateral (select now_d.revision >= 2 * h.revision or now_d.lane = 'immediate' and h.lane = 'batch') g(grown)
where d.case_id = h.case_id

-- name: fail_cases
-- A hearing failed: wait before the next attempt, or a dead letter after the last.
update docket d set
  state = case when f.dead then 'dead' else 'waiting' end, leased_by = null, leased_until = null, last_error = f.error,
  not_before = coalesce(%(now)s::timestamptz, clock_timestamp()) + make_interval(secs => f.delay_s),
  finished_at = case when f.dead then clock_timestamp() end
from unnest(%(case_ids)s::text[], %(attempts)s::int[], %(dead)s::bool[], %(delays_s)s::float8[], %(errors)s::text[])
       f(case_id, attempts, dead, delay_s, error)
where d.case_id = f.case_id and d.state = 'leased' and d.leased_by = %(worker)s and d.attempts = f.attempts

-- name: release_cases
-- Give back what a stopping worker holds; the attempt does not count.
update docket set state = 'waiting', leased_by = null, leased_until = null, attempts = greatest(attempts - 1, 0)
where state = 'leased' and leased_by = %(worker)s

-- name: bury_cases
-- A case whose every attempt ended with its worker is a dead letter.
update docket set state = 'dead', leased_by = null, leased_until = null, finished_at = clock_timestamp(),
  last_error = coalesce(last_error || '; ', '') || 'its worker ended during the hearing, ' || attempts || ' times in all'
where state = 'leased' and attempts >= %(max_attempts)s
  and leased_until <= coalesce(%(now)s::timestamptz, clock_timestamp())

-- name: dead_cases
-- The dead letters, worst first.
select d.case_id, c.entity, c.severity, c.revision, d.attempts, d.last_error, d.finished_at
from docket d join cases c using (case_id) where d.state = 'dead' order by c.severity desc, d.case_id

-- name: retry_case
-- Hear a case once more, whatever became of it, a filed one too; one that is being heard is left alone.
insert into docket as d (case_id, tenant, lane, priority, revision, reason)
select case_id, tenant, case when lane = 'filed' then 'batch' else lane end, severity, revision, 'retry'
from cases where case_id = %(case_id)s
on conflict (case_id) do update set
  state = 'waiting', reason = 'retry', attempts = 0, not_before = '-infinity', enqueued_at = now(), finished_at = null
where d.state <> 'leased'

-- name: case_on_docket
-- Where one case stands, if it is known.
select c.case_id, c.lane as case_lane, d.state, d.reason, d.attempts, d.last_error
from cases c left join docket d using (case_id) where c.case_id = %(case_id)s

-- name: docket_open
-- How many cases still wait or are being heard, and in how many seconds the next can be taken (null: none).
select count(*) as open, count(*) filter (where state = 'waiting' and not_before <= at) as due,
       extract(epoch from min(case when state = 'waiting' then greatest(not_before, at) else leased_until end - at))::float8 as next_in_s
from docket, (select coalesce(%(now)s::timestamptz, clock_timestamp())) clock(at)
where state in ('waiting', 'leased')

-- name: enqueue_rehear
-- Put cases that rules had to judge before a model again, the most severe first, behind everything new.
update docket d set state = 'waiting', reason = 'rehear', attempts = 0, priority = d.priority - 1,
  enqueued_at = clock_timestamp(), finished_at = null
where d.case_id in (
  select q.case_id from docket q join rulings r on r.case_id = q.case_id and r.in_force
  where q.state = 'done' and r.council = 'rules' and q.not_before <= coalesce(%(now)s::timestamptz, clock_timestamp())
  order by q.priority desc, q.case_id limit %(limit)s for update of q skip locked)

-- name: add_incoming_case
-- One incoming case (the sink copies thousands at a time instead).
insert into incoming_cases (case_id, tenant, episode_id, entity, kind, revision, severity, lane, started_at, last_at)
values (%(case_id)s, %(tenant)s, %(episode_id)s, %(entity)s, %(kind)s, %(revision)s, %(severity)s, %(lane)s, %(started_at)s, %(last_at)s)
