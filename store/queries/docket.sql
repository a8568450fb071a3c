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
-- Enqueue the incoming cases above the triage bar; a heard one again when its hits doubled or its lane rose, a filed one when it rose.
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
             and (excluded.revision >= 2 * d.heard_revision or excluded.lane = 'immediate' and d.lane = 'batch')
             or d.state = 'shed' and excluded.lane = 'immediate' and d.lane = 'batch' and not d.lowered) g(grown)),
  revision = excluded.revision, priority = greatest(d.priority, excluded.priority),
  lane = case when d.lowered then d.lane when 'immediate' in (d.lane, excluded.lane) then 'immediate' else 'batch' end
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
  priority = c.severity, lane = case when d.lowered then 'immediate' else d.lane end, lowered = false,
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
-- How many cases of these lanes still wait or are being heard, and in how many seconds the next can be taken (null: none).
select count(*) as open, count(*) filter (where state = 'waiting' and not_before <= at) as due,
       extract(epoch from min(case when state = 'waiting' then greatest(not_before, at) else leased_until end - at))::float8 as next_in_s
from docket, (select coalesce(%(now)s::timestamptz, clock_timestamp())) clock(at)
where state in ('waiting', 'leased') and lane = any(%(lanes)s)

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

-- name: docket_depth
-- Cases that wait in each lane; what a person asked for and rehearings do not count.
select count(*) filter (where lane = 'immediate') as immediate, count(*) filter (where lane = 'batch') as batch
from docket where state = 'waiting' and reason in ('new', 'grown', 'unshed')

-- name: try_shedding
-- Whether this transaction is the one that sheds now.
select pg_try_advisory_xact_lock(hashtextextended('conclave shedding', 0)) as mine

-- name: docket_standing
-- What waits in a lane and what is at stake in it: the payments of its kept hits, or the failed requests.
select d.case_id, c.severity, hits.payments, hits.errors
from docket d join cases c using (case_id)
cross join lateral (
  select coalesce(jsonb_agg(a.event) filter (where a.event ? 'amount'), '[]') as payments,
         max((a.context ->> 'errors')::float8) filter (where c.kind in ('service', 'series')) as errors
  from anomalies a where a.episode_id = c.episode_id) hits
where d.state = 'waiting' and d.lane = %(lane)s and d.reason in ('new', 'grown', 'unshed')

-- name: lower_cases
-- Let these cases of the immediate lane wait in the batch lane, each with a receipt; one that was taken meanwhile is left alone.
with asked as (select * from jsonb_populate_recordset(null::docket_receipts, %(receipts)s)),
next as (
  select d.case_id from docket d join asked using (case_id) where d.state = 'waiting' and d.lane = 'immediate'
  order by d.case_id for update of d skip locked),
gone as (
  update docket d set lane = 'batch', lowered = true from next where d.case_id = next.case_id
  returning d.case_id, d.tenant, d.revision)
insert into docket_receipts (tenant, case_id, kind, revision, severity, expected_loss, loss_currency, loss_words, weight, rank, of_all,
                             policy, why)
select gone.tenant, case_id, 'lowered', gone.revision, a.severity, a.expected_loss, a.loss_currency, a.loss_words, a.weight, a.rank,
       a.of_all, %(policy)s, %(why)s
from gone join asked a using (case_id)

-- name: file_cases
-- Take these cases off the docket, each with a receipt; one that was taken meanwhile is left alone.
with asked as (select * from jsonb_populate_recordset(null::docket_receipts, %(receipts)s)),
next as (
  select d.case_id from docket d join asked using (case_id) where d.state = 'waiting' and d.lane = 'batch'
  order by d.case_id for update of d skip locked),
gone as (
  update docket d set state = 'shed', attempts = 0, not_before = '-infinity' from next where d.case_id = next.case_id
  returning d.case_id, d.tenant, d.revision)
insert into docket_receipts (tenant, case_id, kind, revision, severity, expected_loss, loss_currency, loss_words, weight, rank, of_all,
                             policy, why)
select gone.tenant, case_id, 'filed', gone.revision, a.severity, a.expected_loss, a.loss_currency, a.loss_words, a.weight, a.rank,
       a.of_all, %(policy)s, %(why)s
from gone join asked a using (case_id)

-- name: return_cases
-- Put filed cases on the docket again, those with the most to lose first; their receipts are closed by it.
update docket d set state = 'waiting', reason = 'unshed', attempts = 0, enqueued_at = clock_timestamp(), finished_at = null
where d.case_id in (
  select r.case_id from docket_receipts r join docket q using (case_id)
  where r.kind = 'filed' and r.returned_at is null and q.state = 'shed'
  order by r.weight desc, r.case_id limit %(limit)s for update of q skip locked)

-- name: filed_cases
-- Cases that are filed now, those with the most to lose first.
select r.case_id, c.entity, r.severity, r.expected_loss, r.loss_currency, r.loss_words, r.rank, r.of_all, r.at, r.why
from docket_receipts r join cases c using (case_id) where r.kind = 'filed' and r.returned_at is null
order by r.weight desc, r.case_id limit %(limit)s

-- name: case_receipts
-- Every receipt of a case, the newest first.
select kind, at, why, revision, severity, expected_loss, loss_currency, loss_words, rank, of_all, policy, returned_at, returned_because
from docket_receipts where case_id = %(case_id)s order by receipt_id desc

-- name: receipt_totals
-- What is filed now for want of room, since when, what it may cost in the commonest currency, and how many ever were.
with open as (select * from docket_receipts where kind = 'filed' and returned_at is null),
common as (select mode() within group (order by loss_currency) as currency from open where expected_loss is not null)
select count(open.case_id) as filed, min(open.at) as since,
       sum(open.expected_loss) filter (where open.loss_currency = common.currency) as expected_loss, common.currency,
       (select count(*) from docket_receipts where kind = 'filed') as ever,
       (select count(*) from docket_receipts where kind = 'lowered') as lowered
from common left join open on true group by common.currency
