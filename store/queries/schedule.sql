-- name: schedule_names
-- The tenant's schedules by name.
select schedule_id from schedules where tenant = %(tenant)s;

-- name: put_schedule
-- A schedule, made or changed; a default one is made only where there is none.
insert into schedules as s (tenant, schedule_id, job, arguments, cron, every_s, zone, misfire, grace_s, cached, origin, next_at, updated_at)
values (%(tenant)s, %(schedule_id)s, %(job)s, %(arguments)s, %(cron)s, %(every_s)s, %(zone)s, %(misfire)s, %(grace_s)s, %(cached)s,
        %(origin)s, %(next_at)s, %(now)s)
on conflict (tenant, schedule_id) do update set
  job = excluded.job, arguments = excluded.arguments, cron = excluded.cron, every_s = excluded.every_s, zone = excluded.zone,
  misfire = excluded.misfire, grace_s = excluded.grace_s, cached = excluded.cached, next_at = excluded.next_at, updated_at = excluded.updated_at
where excluded.origin = 'person';

-- name: schedules
-- Schedules, or one, with the newest run of each.
select s.tenant, s.schedule_id, s.job, s.arguments, s.cron, s.every_s, s.zone, s.misfire, s.grace_s, s.cached, s.enabled, s.origin, s.next_at,
       s.asked_at, s.asked_by, s.leased_by, s.leased_until, r.run_id as last_run, r.state as last_state, r.started_at as last_at,
       r.error as last_error
from schedules s left join lateral (
  select run_id, state, started_at, error from schedule_runs where tenant = s.tenant and schedule_id = s.schedule_id order by run_id desc limit 1
) r on true
where s.tenant = %(tenant)s and (%(schedule_id)s::text is null or s.schedule_id = %(schedule_id)s)
order by s.schedule_id;

-- name: schedule_runs
-- Runs, the newest first.
select run_id, schedule_id, job, due_at, reason, state, started_at, finished_at, worker, result, answer_of, error
from schedule_runs where tenant = %(tenant)s and (%(schedule_id)s::text is null or schedule_id = %(schedule_id)s)
  and (%(before)s::bigint is null or run_id < %(before)s)
order by run_id desc limit %(limit)s;

-- name: due_schedule
-- The schedule that has been due or asked for the longest and that nobody runs, locked.
select * from schedules
where (asked_at is not null or (enabled and next_at <= %(now)s)) and (leased_until is null or leased_until < %(now)s)
order by coalesce(asked_at, next_at) limit 1 for update skip locked;

-- name: lease_schedule
-- Taken by this worker; its next moment is fixed now.
update schedules set next_at = %(next_at)s, asked_at = null, asked_by = null, leased_by = case when %(until)s::timestamptz is null then null else %(leased_by)s end,
       leased_until = %(until)s
where tenant = %(tenant)s and schedule_id = %(schedule_id)s;

-- name: begin_run
-- The run's row; the same moment taken again keeps the row it had.
insert into schedule_runs (tenant, schedule_id, job, due_at, reason, state, worker, started_at)
values (%(tenant)s, %(schedule_id)s, %(job)s, %(due_at)s, %(reason)s, %(state)s, %(worker)s, %(now)s)
on conflict (tenant, schedule_id, due_at, reason) do update set state = excluded.state, worker = excluded.worker, started_at = excluded.started_at
returning run_id;

-- name: lose_runs
-- Runs whose worker vanished.
update schedule_runs set state = 'lost', finished_at = %(now)s, error = 'its worker vanished'
where tenant = %(tenant)s and schedule_id = %(schedule_id)s and state = 'running';

-- name: end_run
-- How a run ended; one that was given up as lost meanwhile stays so.
update schedule_runs set state = %(state)s, finished_at = clock_timestamp(), mark = %(mark)s, result = %(result)s::jsonb, answer_of = %(answer_of)s,
       error = %(error)s
where run_id = %(run_id)s and state = 'running';

-- name: free_schedule
-- Nobody runs it any more.
update schedules set leased_by = null, leased_until = null
where tenant = %(tenant)s and schedule_id = %(schedule_id)s and leased_by = %(leased_by)s;

-- name: last_answer
-- The newest run that has an answer, of the schedule as it is now.
select r.run_id, r.started_at, r.mark, r.result, r.answer_of from schedule_runs r join schedules s using (tenant, schedule_id)
where r.tenant = %(tenant)s and r.schedule_id = %(schedule_id)s and r.state in ('done', 'cached') and r.job = s.job
  and r.started_at >= s.updated_at
order by r.run_id desc limit 1;

-- name: ask_schedule
-- Run it now; workers are told at commit.
with asked as (
  update schedules set asked_at = coalesce(asked_at, %(now)s), asked_by = %(actor)s
  where tenant = %(tenant)s and schedule_id = %(schedule_id)s returning schedule_id)
select pg_notify('schedules', schedule_id) from asked;

-- name: enable_schedule
-- Pause it or let it go on.
update schedules set enabled = %(enabled)s, next_at = %(next_at)s where tenant = %(tenant)s and schedule_id = %(schedule_id)s;

-- name: drop_schedule
-- With its history.
with runs as (delete from schedule_runs where tenant = %(tenant)s and schedule_id = %(schedule_id)s)
delete from schedules where tenant = %(tenant)s and schedule_id = %(schedule_id)s;

-- name: trim_runs
-- Only the newest runs of each schedule stay.
delete from schedule_runs r using (
  select run_id, row_number() over (partition by tenant, schedule_id order by run_id desc) as place from schedule_runs) ranked
where r.run_id = ranked.run_id and ranked.place > %(kept)s;
