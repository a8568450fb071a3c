-- The desk's work: files, entries, what is due. Reading for people is in desk_reading.sql, commands in desk_commands.sql.

-- name: desk_tenants
-- The tenants with something to take in: rulings in force not yet noticed, proposals, episodes that grew.
select tenant from rulings where in_force and desk_at is null
union select tenant from commands where desk_at is null and state = 'proposed'
union select f.tenant from case_files f join cases c using (case_id) where c.revision > f.revision
order by tenant;

-- name: desk_try_turn
-- One worker at a time opens and joins cases of a tenant, until the transaction's end.
select pg_try_advisory_xact_lock(hashtextextended('desk ' || %(tenant)s, 0)) as mine, now() as now;

-- name: desk_turn
-- The same, waited for: a person's merge and split.
select pg_advisory_xact_lock(hashtextextended('desk ' || %(tenant)s, 0));

-- name: desk_unseen_rulings
-- Rulings in force that the desk has not noticed, in the order of events, with their case.
select r.ruling_id, r.tenant, r.case_id, r.outcome, r.action, r.confidence, r.root_cause, r.council, r.brief,
       c.entity, c.kind, c.revision, c.severity, c.started_at, c.last_at, c.episode_id
from rulings r join cases c using (case_id)
where r.tenant = %(tenant)s and r.in_force and r.desk_at is null
order by c.started_at, r.case_id limit %(limit)s for update of r skip locked;

-- name: desk_see_rulings
-- The desk has noticed these rulings.
update rulings set desk_at = %(now)s where tenant = %(tenant)s and ruling_id = any(%(ruling_ids)s::text[]);

-- name: desk_hits
-- The kept hits' events of episodes, as far as fingerprints and stakes need them.
select a.episode_id, a.event_id, a.event ->> 'account_id' as account_id, a.event ->> 'counterparty_id' as counterparty_id,
       (a.event ->> 'amount')::double precision as amount, a.event ->> 'currency' as currency
from unnest(%(episode_ids)s::text[]) as wanted(episode_id)
cross join lateral (select * from anomalies n where n.episode_id = wanted.episode_id and n.tenant = %(tenant)s
                    order by n.ordinal limit 100) a;

-- name: desk_edges
-- Who calls whom in one tenant.
select caller, callee from service_edges where tenant = %(tenant)s order by caller, callee;

-- name: desk_grown
-- Files whose episode has grown since the desk last looked.
select f.case_id, c.revision, c.severity, c.started_at, c.last_at
from case_files f join cases c using (case_id)
where f.tenant = %(tenant)s and c.revision > f.revision order by f.case_id limit %(limit)s;

-- name: desk_lock_file
-- One file, held for this transaction.
select *, now() as now from case_files where tenant = %(tenant)s and case_id = %(case_id)s for update;

-- name: desk_lock_files
-- Those of some cases that have files, held for this transaction.
select * from case_files where tenant = %(tenant)s and case_id = any(%(case_ids)s::text[]) order by case_id for update;

-- name: desk_file
-- One file.
select * from case_files where tenant = %(tenant)s and case_id = %(case_id)s;

-- name: desk_group
-- A head and its members.
select * from case_files where tenant = %(tenant)s and (case_id = %(case_id)s or head = %(case_id)s)
order by head is not null, own_started_at, case_id;

-- name: desk_move_group
-- A head and its members become members of another head.
update case_files set head = %(keep)s, joined_because = case when case_id = %(gone)s then %(because)s else joined_because end,
  next_timer_at = case when case_id = %(gone)s then null else next_timer_at end
where tenant = %(tenant)s and (case_id = %(gone)s or head = %(gone)s);

-- name: desk_stakes
-- What is at stake in each of a group, and how sure the council was.
select case_id, stake, confidence, outcome from case_files where tenant = %(tenant)s and (case_id = %(case_id)s or head = %(case_id)s);

-- name: desk_candidates
-- Files near in event time that touch the same things: of each head and kind the nearest few, so that no large case hides another.
with near as (
  select f.case_id, coalesce(f.head, f.case_id) as head_id, f.fingerprint, f.pattern, f.own_started_at, f.own_last_at, f.apart,
         row_number() over (
           partition by coalesce(f.head, f.case_id), f.kind, f.fingerprint ->> 'subject' = %(subject)s
           order by greatest(f.own_started_at - %(last_at)s, %(started_at)s - f.own_last_at, interval '0'), f.case_id) as place
  from case_files f
  where f.tenant = %(tenant)s and f.touches && %(keys)s::text[] and f.case_id <> %(case_id)s
    and f.own_last_at >= %(started_at)s::timestamptz - make_interval(secs => %(within_s)s)
    and f.own_started_at <= %(last_at)s::timestamptz + make_interval(secs => %(within_s)s))
select near.*, h.status as head_status, h.started_at as head_started_at, h.last_at as head_last_at
from near join case_files h on h.case_id = near.head_id and h.tenant = %(tenant)s
where near.place <= 4 order by near.own_last_at desc, near.case_id limit 200;

-- name: desk_recurring
-- The newest closed head about the same thing whose last hit is not too long ago in event time.
select * from case_files
where tenant = %(tenant)s and head is null and status in ('resolved', 'dismissed') and touches && %(keys)s::text[]
  and fingerprint ->> 'subject' = %(subject)s and pattern = %(pattern)s
  and last_at between %(started_at)s::timestamptz - make_interval(secs => %(within_s)s) and %(started_at)s
order by last_at desc, case_id limit 1;

-- name: desk_add_file
-- A new file.
insert into case_files (
  case_id, tenant, head, joined_because, version, status, title, entity, kind, pattern, fingerprint, touches, apart, ruling_id,
  outcome, confidence, severity, own_severity, revision, hits, members, started_at, last_at, own_started_at, own_last_at, stake,
  expected_loss, loss_currency, loss_words, weight, assignee, tags, reason, reason_text, closed_at, closed_by, expires_at, closed_severity,
  recurrences, reopened, snoozed_until, snoozed_by, snooze, held_by, opened_at, acknowledged_at, changed_at, ack_due_at,
  resolve_due_at, breached, escalation, next_timer_at)
values (
  %(case_id)s, %(tenant)s, %(head)s, %(joined_because)s, %(version)s, %(status)s, %(title)s, %(entity)s, %(kind)s, %(pattern)s,
  %(fingerprint)s, %(touches)s, %(apart)s, %(ruling_id)s, %(outcome)s, %(confidence)s, %(severity)s, %(own_severity)s,
  %(revision)s, %(hits)s, %(members)s, %(started_at)s, %(last_at)s, %(own_started_at)s, %(own_last_at)s, %(stake)s,
  %(expected_loss)s, %(loss_currency)s, %(loss_words)s, %(weight)s, %(assignee)s, %(tags)s, %(reason)s, %(reason_text)s, %(closed_at)s,
  %(closed_by)s, %(expires_at)s, %(closed_severity)s, %(recurrences)s, %(reopened)s, %(snoozed_until)s, %(snoozed_by)s,
  %(snooze)s, %(held_by)s, %(opened_at)s, %(acknowledged_at)s, %(changed_at)s, %(ack_due_at)s, %(resolve_due_at)s,
  %(breached)s, %(escalation)s, %(next_timer_at)s);

-- name: desk_save_file
-- All of a file that may change.
update case_files set
  head = %(head)s, joined_because = %(joined_because)s, version = %(version)s, status = %(status)s, title = %(title)s,
  pattern = %(pattern)s, fingerprint = %(fingerprint)s, touches = %(touches)s, apart = %(apart)s, ruling_id = %(ruling_id)s,
  outcome = %(outcome)s, confidence = %(confidence)s, severity = %(severity)s, own_severity = %(own_severity)s,
  revision = %(revision)s, hits = %(hits)s, members = %(members)s, started_at = %(started_at)s, last_at = %(last_at)s,
  own_started_at = %(own_started_at)s, own_last_at = %(own_last_at)s, stake = %(stake)s, expected_loss = %(expected_loss)s,
  loss_currency = %(loss_currency)s, loss_words = %(loss_words)s, weight = %(weight)s, assignee = %(assignee)s, tags = %(tags)s, reason = %(reason)s,
  reason_text = %(reason_text)s, closed_at = %(closed_at)s, closed_by = %(closed_by)s, expires_at = %(expires_at)s,
  closed_severity = %(closed_severity)s, recurrences = %(recurrences)s, reopened = %(reopened)s,
  snoozed_until = %(snoozed_until)s, snoozed_by = %(snoozed_by)s, snooze = %(snooze)s, held_by = %(held_by)s,
  opened_at = %(opened_at)s, acknowledged_at = %(acknowledged_at)s, changed_at = %(changed_at)s, ack_due_at = %(ack_due_at)s,
  resolve_due_at = %(resolve_due_at)s, breached = %(breached)s, escalation = %(escalation)s, next_timer_at = %(next_timer_at)s
where tenant = %(tenant)s and case_id = %(case_id)s;

-- name: desk_follow_head
-- Members stand as their head does.
update case_files set status = %(status)s where tenant = %(tenant)s and head = %(case_id)s and status <> %(status)s;

-- name: desk_add_entry
-- One more entry; whoever watches the cases is told at commit.
with put as (
  insert into case_entries (tenant, case_id, version, at, actor, name, kind, said, detail)
  values (%(tenant)s, %(case_id)s, %(version)s, %(at)s, %(actor)s, %(name)s, %(kind)s, %(said)s, %(detail)s)
  returning case_id)
select pg_notify('cases', case_id) from put;

-- name: desk_changes_since
-- What happened to a case after the version that somebody saw.
select version, at, actor, name, kind, said from case_entries
where tenant = %(tenant)s and case_id = %(case_id)s and version > %(version)s order by entry_id limit 50;

-- name: desk_due_timers
-- Heads whose time has come, held for this transaction.
select * from case_files where next_timer_at <= coalesce(%(now)s::timestamptz, now())
order by next_timer_at, case_id limit %(limit)s for update skip locked;

-- name: desk_windows_of
-- Windows that could hold a case that began in a stretch of event time.
select * from maintenance_windows
where tenant = %(tenant)s and starts_at <= %(until)s and ends_at >= %(since)s order by starts_at, window_id;

-- name: desk_held_over
-- Held heads whose window does not cover them any longer: it was cut short, or they went on after its end.
select f.* from case_files f left join maintenance_windows w on w.window_id = f.held_by and w.tenant = f.tenant
where f.held_by is not null and f.head is null and (w.window_id is null or f.started_at >= w.ends_at or f.last_at > w.ends_at)
order by f.case_id limit %(limit)s for update of f skip locked;

-- name: desk_add_link
-- A link; the same again changes its title.
insert into case_links (tenant, case_id, target, kind, title, actor, at)
values (%(tenant)s, %(case_id)s, %(target)s, %(kind)s, %(title)s, %(actor)s, %(at)s)
on conflict (tenant, case_id, target) do update set title = excluded.title;

-- name: desk_drop_link
-- Take a link off.
delete from case_links where tenant = %(tenant)s and case_id = %(case_id)s and target = %(target)s;

-- name: desk_case_exists
-- Whether another case of the tenant has this id.
select case_id from cases where tenant = %(tenant)s and case_id = %(case_id)s;

-- name: desk_put_window
-- Planned work.
insert into maintenance_windows (tenant, title, pattern, kinds, starts_at, ends_at, created_by)
values (%(tenant)s, %(title)s, %(pattern)s, %(kinds)s, %(starts_at)s, %(ends_at)s, %(actor)s) returning *;

-- name: desk_end_window
-- Cut a window short; one that has not begun is over before it begins.
update maintenance_windows set ends_at = greatest(least(ends_at, %(at)s), starts_at + interval '1 microsecond'), ended_by = %(actor)s
where tenant = %(tenant)s and window_id = %(window_id)s returning *;

-- name: desk_windows
-- Windows, the newest first, with the cases that each holds.
select w.*, (select count(*) from case_files f where f.tenant = w.tenant and f.held_by = w.window_id and f.head is null) as holds
from maintenance_windows w
where w.tenant = %(tenant)s and (%(after)s::bigint is null or w.window_id < %(after)s)
  and (not %(current)s::boolean or w.ends_at > now()) order by w.window_id desc limit %(limit)s;
