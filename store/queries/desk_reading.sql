-- What people read of the desk.

-- name: desk_inbox
-- Heads by what they need, most urgent first: expected loss (or what stands for it), growing by itself for each day they wait.
with listed as (
  select f.case_id, f.version, f.status, f.title, f.entity, f.kind, f.pattern, f.outcome, f.confidence, f.severity, f.hits, f.members,
         f.started_at, f.last_at, f.expected_loss, f.loss_currency, f.loss_words, f.assignee, f.tags, f.reason, f.reason_text,
         f.closed_at, f.expires_at, f.recurrences, f.reopened, f.snoozed_until, f.snooze, f.held_by, w.title as held_title,
         f.opened_at, f.acknowledged_at, f.changed_at, f.ack_due_at, f.resolve_due_at, f.breached, f.escalation,
         r.action, r.root_cause,
         (select count(*) from commands k join case_files m using (case_id)
          where k.tenant = f.tenant and k.state = 'proposed' and (m.case_id = f.case_id or m.head = f.case_id)) as proposals,
         extract(epoch from %(now)s - f.opened_at)::double precision as age_s,
         case %(sort)s
           when 'urgency' then f.weight * (1 + greatest(extract(epoch from %(now)s - f.opened_at), 0) / 86400.0)
           when 'loss' then coalesce(f.expected_loss, -1) when 'severity' then f.severity
           when 'newest' then extract(epoch from f.opened_at) when 'oldest' then - extract(epoch from f.opened_at)
           else extract(epoch from f.changed_at) end::double precision as rank
  from case_files f
  left join rulings r on r.ruling_id = f.ruling_id and r.tenant = f.tenant
  left join maintenance_windows w on w.window_id = f.held_by and w.tenant = f.tenant
  where f.tenant = %(tenant)s and f.head is null and f.status = any(%(statuses)s::text[])
    and case %(quiet)s when 'awake' then f.snoozed_until is null and f.held_by is null
                       when 'snoozed' then f.snoozed_until is not null when 'held' then f.held_by is not null else true end
    and (%(assignee)s::text is null or f.assignee is not distinct from nullif(%(assignee)s, ''))
    and (%(tag)s::text is null or %(tag)s = any(f.tags)) and (%(kind)s::text is null or f.kind = %(kind)s)
    and (not %(late)s::boolean or cardinality(f.breached) > 0)
    and (%(entity)s::text is null
         or exists (select from case_files m where m.tenant = f.tenant and m.entity = %(entity)s
                    and (m.case_id = f.case_id or m.head = f.case_id)))
    and (%(q)s::text is null or strpos(lower(concat_ws(' ', f.case_id, f.title, f.entity, f.pattern, r.root_cause)), lower(%(q)s)) > 0
         or exists (select from case_files m where m.tenant = f.tenant and m.head = f.case_id
                    and strpos(lower(m.entity || ' ' || m.case_id), lower(%(q)s)) > 0)))
select *, count(*) over () as of_all from listed
where %(after_rank)s::double precision is null or (rank, case_id) < (%(after_rank)s, %(after_id)s)
order by rank desc, case_id desc limit %(limit)s;

-- name: desk_counts
-- How many cases stand where, and what is kept quiet; losses in the commonest currency, others count as unknown.
with f as (
  select *, status in ('open', 'acknowledged', 'investigating') as active,
         status in ('open', 'acknowledged', 'investigating') and snoozed_until is null and held_by is null as awake
  from case_files where tenant = %(tenant)s and head is null),
common as (select mode() within group (order by loss_currency) as currency from f where awake and expected_loss is not null)
select count(*) filter (where awake and status = 'open') as open, count(*) filter (where awake and status = 'acknowledged') as acknowledged,
       count(*) filter (where awake and status = 'investigating') as investigating,
       count(*) filter (where active and snoozed_until is not null) as snoozed, count(*) filter (where active and held_by is not null) as held,
       count(*) filter (where awake and cardinality(breached) > 0) as late, count(*) filter (where awake and assignee is null) as unassigned,
       count(*) filter (where status = 'resolved') as resolved, count(*) filter (where status = 'dismissed') as dismissed,
       coalesce(sum(recurrences) filter (where status = 'dismissed'), 0)::bigint as recurrences,
       sum(expected_loss) filter (where awake and loss_currency = common.currency) as expected_loss, common.currency as loss_currency,
       count(*) filter (where awake and (expected_loss is null or loss_currency <> common.currency)) as loss_unknown,
       min(snoozed_until) filter (where active) as next_wake_at
from common left join f on true group by common.currency;

-- name: desk_case
-- A case with the ruling in force on it.
select f.*, w.title as held_title, c.episode_id, c.lane, r.action, r.root_cause, r.next_steps, r.citations, r.council, r.model, r.why, r.ruled_at
from case_files f join cases c using (case_id)
left join rulings r on r.ruling_id = f.ruling_id and r.tenant = f.tenant
left join maintenance_windows w on w.window_id = f.held_by and w.tenant = f.tenant
where f.tenant = %(tenant)s and f.case_id = %(case_id)s;

-- name: desk_members
-- Everything that belongs to a head, itself first.
select f.case_id, f.head, f.entity, f.kind, f.pattern, f.outcome, f.confidence, f.own_severity as severity, f.revision as hits,
       f.own_started_at as started_at, f.own_last_at as last_at, f.joined_because, f.ruling_id, c.episode_id, r.action, r.root_cause
from case_files f join cases c using (case_id)
left join rulings r on r.ruling_id = f.ruling_id and r.tenant = f.tenant
where f.tenant = %(tenant)s and (f.case_id = %(case_id)s or f.head = %(case_id)s)
order by f.head is not null, f.own_started_at, f.case_id limit %(limit)s;

-- name: desk_case_commands
-- The commands of a case and its members.
select k.*, f.entity from commands k join case_files f using (case_id)
where k.tenant = %(tenant)s and f.tenant = k.tenant and (f.case_id = %(case_id)s or f.head = %(case_id)s)
order by k.created_at, k.command_id;

-- name: desk_links
-- A case's links.
select target, kind, title, actor, at from case_links where tenant = %(tenant)s and case_id = %(case_id)s order by at, target;

-- name: desk_timeline
-- Everything about a case and its members in the order of the clock.
with ids as (
  select case_id from case_files where tenant = %(tenant)s and (case_id = %(case_id)s or head = %(case_id)s)),
told as (
  select e.at, 'entry' as source, lpad(e.entry_id::text, 19, '0') as id, e.kind, coalesce(nullif(e.name, ''), e.actor) as who, e.said,
         e.case_id, e.detail || jsonb_build_object('actor', e.actor, 'version', e.version) as detail
  from case_entries e where e.tenant = %(tenant)s and e.case_id in (select case_id from ids)
  union all
  select r.ruled_at, 'ruling', r.ruling_id, r.outcome, case r.council when 'model' then coalesce(r.model, 'the council') else 'the council' end,
         r.root_cause, r.case_id,
         jsonb_build_object('ruling_id', r.ruling_id, 'council', r.council, 'action', r.action, 'confidence', r.confidence,
                            'in_force', r.in_force, 'superseded_by', r.superseded_by, 'why', r.why, 'revision', r.revision)
  from rulings r where r.tenant = %(tenant)s and r.case_id in (select case_id from ids)
  union all
  select t.at, 'call', lpad(t.audit_id::text, 19, '0'), t.kind, t.name, concat_ws(': ', nullif(t.role, ''), t.outcome), %(case_id)s,
         jsonb_build_object('latency_ms', t.latency_ms, 'tokens_in', t.tokens_in, 'tokens_out', t.tokens_out, 'cost', t.cost,
                            'outcome', t.outcome, 'detail', t.detail)
  from tool_audit t where t.tenant = %(tenant)s and t.case_ids && array(select case_id from ids)
  union all
  select k.created_at, 'command', k.command_id, 'proposed', 'the council',
         'proposed: ' || replace(k.action, '_', ' ') || ' ' || k.target, k.case_id,
         jsonb_build_object('command_id', k.command_id, 'state', k.state, 'reason', k.reason, 'ruling_id', k.ruling_id)
  from commands k where k.tenant = %(tenant)s and k.case_id in (select case_id from ids)
  union all
  select (a.answer ->> 'at')::timestamptz, 'run', u.run_id || '.' || lpad(a.answer ->> 'attempt', 4, '0'), u.purpose, 'the webhook',
         coalesce(a.answer ->> 'error', 'answered ' || (a.answer ->> 'status')), k.case_id,
         a.answer || jsonb_build_object('run_id', u.run_id, 'command_id', u.command_id)
  from command_runs u join commands k using (command_id) cross join lateral jsonb_array_elements(u.answers) a(answer)
  where u.tenant = %(tenant)s and k.case_id in (select case_id from ids)
  union all
  select d.created_at, 'delivery', d.delivery_id, d.state, d.channel_id,
         concat_ws(' ', d.action, 'by', d.kind || ':', d.state, nullif(d.error, '')), d.subject,
         jsonb_build_object('delivery_id', d.delivery_id, 'attempts', d.attempts, 'status', d.status, 'title', d.title, 'total', d.total,
                            'finished_at', d.finished_at)
  from subject_deliveries d where d.tenant = %(tenant)s and d.subject in (select case_id from ids)
  union all
  select b.at, 'feedback', lpad(b.feedback_id::text, 19, '0'), b.verdict, coalesce(nullif(b.name, ''), b.actor),
         case b.verdict when 'confirm' then 'confirms the ' else 'rejects the ' end || b.about
         || coalesce(': ' || nullif(b.comment, ''), ''), b.case_id,
         jsonb_build_object('about', b.about, 'subject_id', b.subject_id, 'reason', b.reason, 'via', b.via, 'shown_hash', b.shown_hash)
  from feedback b where b.tenant = %(tenant)s and b.case_id in (select case_id from ids)
  union all
  select q.at, 'receipt', lpad(q.receipt_id::text, 19, '0') || '.0', q.kind, 'the docket',
         case q.kind when 'filed' then 'filed it for want of room' else 'let it wait in the batch lane for want of room' end
         || ': ' || q.rank || ' of ' || q.of_all || ' by expected loss (' || q.loss_words || ')', q.case_id,
         jsonb_build_object('receipt_id', q.receipt_id, 'why', q.why, 'expected_loss', q.expected_loss, 'currency', q.loss_currency,
                            'rank', q.rank, 'of_all', q.of_all, 'policy', q.policy, 'revision', q.revision)
  from docket_receipts q where q.tenant = %(tenant)s and q.case_id in (select case_id from ids)
  union all
  select q.returned_at, 'receipt', lpad(q.receipt_id::text, 19, '0') || '.1', 'returned', 'the docket',
         'put it back (' || q.returned_because || ')', q.case_id, jsonb_build_object('receipt_id', q.receipt_id)
  from docket_receipts q
  where q.tenant = %(tenant)s and q.case_id in (select case_id from ids) and q.kind = 'filed' and q.returned_at is not null),
keyed as (select told.*, to_char(at at time zone 'UTC', 'YYYYMMDDHH24MISSUS') || '.' || source || '.' || id as key from told)
select at, source, kind, who, said, case_id, detail, key from keyed
where key collate "C" > %(after)s order by key collate "C" limit %(limit)s;

-- name: desk_case_feedback
-- What people think of the rulings and anomalies of a case and its members.
select b.feedback_id, b.about, b.subject_id, b.case_id, b.verdict, b.reason, b.comment, b.actor, b.name, b.via, b.shown_hash, b.at
from feedback b where b.tenant = %(tenant)s
  and b.case_id in (select case_id from case_files where tenant = %(tenant)s and (case_id = %(case_id)s or head = %(case_id)s))
order by b.feedback_id desc limit 200;
