-- name: notify_waiting_messages
-- What nobody has dispatched yet, oldest first; rows that another dispatcher holds are left to it.
select message_id, tenant, topic, kind, subject, entity, severity, title, payload, dedupe_key, created_at
from messages where dispatched_at is null order by message_id limit %(limit)s for update skip locked;

-- name: notify_mark_dispatched
-- Their notices are written in the same transaction.
update messages set dispatched_at = %(now)s where message_id = any(%(ids)s);

-- name: notify_put_notices
-- One row for each message and route.
insert into notices (tenant, route_id, message_id, group_key, due_at, created_at)
select %(tenant)s, route_id, message_id, group_key, due_at, %(now)s
from unnest(%(routes)s::text[], %(messages)s::bigint[], %(groups)s::text[], %(due)s::timestamptz[])
  as given(route_id, message_id, group_key, due_at)
on conflict do nothing;

-- name: notify_due_routes
-- Routes with something to tell now.
select distinct tenant, route_id from notices where bundle_id is null and due_at <= %(now)s order by 1, 2 limit %(limit)s;

-- name: notify_lock_route
-- One flusher per route until the transaction's end; false while another one is at it.
select pg_try_advisory_xact_lock(hashtextextended('notify route ' || %(tenant)s || ' ' || %(route_id)s, 0)) as mine;

-- name: notify_lock_alarms
-- Opening and closing incidents of a tenant wait for each other, so that none is opened after it was closed.
select pg_advisory_xact_lock(hashtextextended('notify alarms ' || %(tenant)s, 0));

-- name: notify_waiting_groups
-- What waits in the groups of a route that have something due, alike rows added up.
select n.group_key, m.entity, m.kind, m.subject, count(*) as count, max(m.severity) as severity, min(n.due_at) as due_at,
       min(m.message_id) as first_message
from (select group_key, message_id, due_at, min(due_at) over (partition by group_key) as first_due
      from notices where tenant = %(tenant)s and route_id = %(route_id)s and bundle_id is null) n
join messages m using (message_id)
where n.first_due <= %(now)s
group by n.group_key, m.entity, m.kind, m.subject;

-- name: notify_rate_limits
-- What is known of a route's keys and not yet past.
select key, tat from rate_limits where tenant = %(tenant)s and route_id = %(route_id)s and tat > %(now)s;

-- name: notify_put_rate_limits
-- The keys that were charged.
insert into rate_limits (tenant, route_id, key, tat)
select %(tenant)s, %(route_id)s, key, tat from unnest(%(keys)s::text[], %(tats)s::timestamptz[]) as given(key, tat)
on conflict (tenant, route_id, key) do update set tat = excluded.tat;

-- name: notify_bundle_notices
-- The groups' notices leave together; their messages.
with gone as (
  update notices set bundle_id = %(bundle_id)s
  where tenant = %(tenant)s and route_id = %(route_id)s and bundle_id is null and group_key = any(%(groups)s)
  returning message_id)
select m.message_id, m.kind, m.subject, m.entity, m.severity, m.title, m.created_at, m.payload ->> 'state' as state
from gone join messages m using (message_id) order by m.message_id;

-- name: notify_postpone
-- Groups that a limit holds back are looked at again when it lets them go.
update notices n set due_at = given.at
from unnest(%(groups)s::text[], %(at)s::timestamptz[]) as given(group_key, at)
where n.tenant = %(tenant)s and n.route_id = %(route_id)s and n.group_key = given.group_key and n.bundle_id is null
  and n.due_at < given.at;

-- name: notify_payloads
-- The payloads of a few messages.
select message_id, payload from messages where tenant = %(tenant)s and message_id = any(%(ids)s);

-- name: notify_put_bundle
-- What left together.
insert into bundles (tenant, bundle_id, route_id, total, content, created_at)
values (%(tenant)s, %(bundle_id)s, %(route_id)s, %(total)s, %(content)s, %(now)s);

-- name: notify_put_delivery
-- A bundle's way to one channel.
insert into deliveries (tenant, delivery_id, bundle_id, route_id, channel_id, kind, action, subject, thread, state, not_before, error,
                        created_at, finished_at)
values (%(tenant)s, %(delivery_id)s, %(bundle_id)s, %(route_id)s, %(channel_id)s, %(kind)s, %(action)s, %(subject)s, %(thread)s,
        %(state)s, %(now)s, %(error)s, %(now)s, case when %(state)s = 'waiting' then null else %(now)s::timestamptz end)
on conflict do nothing;

-- name: notify_bundle_messages
-- Every message of a bundle, whole.
select m.message_id, m.topic, m.kind, m.subject, m.entity, m.severity, m.title, m.payload, m.created_at
from notices n join messages m on m.tenant = n.tenant and m.message_id = n.message_id
where n.tenant = %(tenant)s and n.bundle_id = %(bundle_id)s order by m.message_id;

-- name: notify_settled_since
-- Subjects that were resolved or dismissed after the last message of theirs given here.
select distinct given.subject from unnest(%(subjects)s::text[], %(newest)s::bigint[]) as given(subject, message_id)
join messages m on m.tenant = %(tenant)s and m.subject = given.subject and m.message_id > given.message_id
where m.kind ~ '\.(resolved|dismissed|recovered)$' or (m.kind = 'llm.alert' and m.payload ->> 'state' = 'resolved');

-- name: notify_put_alarms
-- An incident is opened (again), kept open by these subjects.
insert into alarms (tenant, channel_id, thread, subject, state, bundle_id, updated_at)
select %(tenant)s, %(channel_id)s, %(thread)s, subject, 'open', %(bundle_id)s, %(now)s from unnest(%(subjects)s::text[]) as subject
on conflict (tenant, channel_id, thread, subject) do update
  set state = 'open', bundle_id = excluded.bundle_id, updated_at = excluded.updated_at;

-- name: notify_settle_alarms
-- The subject no longer keeps its incidents open; those that it kept, with what still keeps each.
with settled as (
  update alarms set state = %(state)s, updated_at = %(now)s
  where tenant = %(tenant)s and subject = %(subject)s and state <> 'closed' and state <> %(state)s
  returning tenant, channel_id, thread)
select s.channel_id, s.thread,
       count(*) filter (where a.state = 'open' and a.subject <> %(subject)s) as open,
       count(*) filter (where a.state = 'acknowledged' and a.subject <> %(subject)s) as acknowledged
from settled s join alarms a using (tenant, channel_id, thread)
group by s.channel_id, s.thread order by 1, 2;

-- name: notify_lease_deliveries
-- Take what is due, and what a dead sender left; an incident's deliveries leave one after the other.
with due as (
  select tenant, delivery_id from deliveries d
  where d.state in ('waiting', 'sending') and d.not_before <= %(now)s and (d.leased_until is null or d.leased_until < %(now)s)
    and (d.kind = 'model') = %(slow)s
    and (d.thread = '' or not exists (
      select from deliveries e where e.tenant = d.tenant and e.channel_id = d.channel_id and e.thread = d.thread
        and e.state in ('waiting', 'sending') and e.seq < d.seq))
  order by d.not_before, d.seq limit %(limit)s for update skip locked)
update deliveries d set state = 'sending', unsure = d.unsure or d.state = 'sending', attempts = d.attempts + 1,
  leased_by = %(worker)s, leased_until = %(until)s
from due, bundles b
where d.tenant = due.tenant and d.delivery_id = due.delivery_id and b.tenant = d.tenant and b.bundle_id = d.bundle_id
returning d.tenant, d.delivery_id, d.bundle_id, d.route_id, d.channel_id, d.kind, d.action, d.subject, d.thread, d.attempts,
  d.unsure, d.replays, d.created_at, b.content, b.total;

-- name: notify_lease_one
-- One delivery, to be sent by whoever asked for it.
update deliveries d set state = 'sending', attempts = d.attempts + 1, leased_by = %(worker)s, leased_until = %(until)s
from bundles b
where d.tenant = %(tenant)s and d.delivery_id = %(delivery_id)s and d.state = 'waiting' and b.tenant = d.tenant
  and b.bundle_id = d.bundle_id
returning d.tenant, d.delivery_id, d.bundle_id, d.route_id, d.channel_id, d.kind, d.action, d.subject, d.thread, d.attempts,
  d.unsure, d.replays, d.created_at, b.content, b.total;

-- name: notify_finish_delivery
-- What came of an attempt, unless another sender has taken it over meanwhile.
update deliveries set state = %(state)s, status = %(status)s, answer = %(answer)s, error = %(error)s, not_before = %(not_before)s,
  leased_by = null, leased_until = null, unsure = false, finished_at = %(finished_at)s
where tenant = %(tenant)s and delivery_id = %(delivery_id)s and leased_by = %(worker)s and attempts = %(attempt)s
  and state = 'sending';

-- name: notify_put_attempt
-- Its line in the log of attempts.
insert into delivery_attempts (tenant, delivery_id, attempt, at, latency_ms, outcome, status, detail)
values (%(tenant)s, %(delivery_id)s, %(attempt)s, %(now)s, %(latency_ms)s, %(outcome)s, %(status)s, %(detail)s)
on conflict do nothing;

-- name: notify_purge_deliveries
-- Bundles with their deliveries and attempts before a moment, none of them under way.
delete from bundles where (tenant, bundle_id) in (
  select b.tenant, b.bundle_id from bundles b where b.created_at < %(before)s
    and not exists (select from deliveries d where d.tenant = b.tenant and d.bundle_id = b.bundle_id
                    and d.state in ('waiting', 'sending'))
  limit %(limit)s);

-- name: notify_purge_notices
-- Notices that left before a moment.
delete from notices where (tenant, route_id, message_id) in (
  select tenant, route_id, message_id from notices where bundle_id is not null and created_at < %(before)s limit %(limit)s);

-- name: notify_purge_messages
-- Dispatched messages before a moment that wait nowhere.
delete from messages where message_id in (
  select m.message_id from messages m where m.created_at < %(before)s and m.dispatched_at is not null
    and not exists (select from notices n where n.tenant = m.tenant and n.message_id = m.message_id)
  limit %(limit)s);

-- name: notify_purge_alert_messages
-- Messages of alert topics past their topic's retention.
delete from alert_messages where (tenant, topic_id, "offset") in (
  select m.tenant, m.topic_id, m."offset" from alert_messages m join alert_topics t using (tenant, topic_id)
  where m.stored_at < %(now)s::timestamptz - make_interval(days => t.retention_days) limit %(limit)s);

-- name: notify_purge_rate_limits
-- Keys that are as good as new.
delete from rate_limits where (tenant, route_id, key) in (
  select tenant, route_id, key from rate_limits where tat <= %(now)s limit %(limit)s);

-- name: notify_purge_alarms
-- Incidents closed before a moment.
delete from alarms where state = 'closed' and updated_at < %(before)s;

-- name: notify_channels
-- A tenant's channels.
select channel_id as id, kind, config, enabled, version, created_at, updated_at
from channels where tenant = %(tenant)s order by channel_id;

-- name: notify_put_channel
-- New, or changed from the version that was seen (null: whatever it is); nothing when somebody was faster.
insert into channels as c (tenant, channel_id, kind, config, enabled, created_at, updated_at)
values (%(tenant)s, %(id)s, %(kind)s, %(config)s, %(enabled)s, %(now)s, %(now)s)
on conflict (tenant, channel_id) do update set kind = excluded.kind, config = excluded.config, enabled = excluded.enabled,
  version = c.version + 1, updated_at = excluded.updated_at
where %(version)s::integer is null or c.version = %(version)s
returning version;

-- name: notify_remove_channel
-- It is no more; its deliveries stay in the log.
delete from channels where tenant = %(tenant)s and channel_id = %(id)s;

-- name: notify_routes
-- A tenant's routes in their order.
select route_id as id, position, rule, enabled, version, created_at, updated_at
from routes where tenant = %(tenant)s order by position, route_id;

-- name: notify_put_route
-- New (at its position, or last), or changed from the version that was seen.
insert into routes as r (tenant, route_id, position, rule, enabled, created_at, updated_at)
values (%(tenant)s, %(id)s,
        coalesce(%(position)s::integer, (select coalesce(max(position), 0) + 10 from routes where tenant = %(tenant)s)),
        %(rule)s, %(enabled)s, %(now)s, %(now)s)
on conflict (tenant, route_id) do update set position = coalesce(%(position)s::integer, r.position), rule = excluded.rule,
  enabled = excluded.enabled, version = r.version + 1, updated_at = excluded.updated_at
where %(version)s::integer is null or r.version = %(version)s
returning version;

-- name: notify_remove_route
-- It is no more; what waits at it is said to be so in the log.
delete from routes where tenant = %(tenant)s and route_id = %(id)s;

-- name: notify_topics
-- A tenant's alert topics, with how many messages each holds.
select t.topic_id as id, t.description, t.matchers, t.retention_days, t.next_offset, t.enabled, t.version, t.created_at, t.updated_at,
       (select min(m."offset") from alert_messages m where m.tenant = t.tenant and m.topic_id = t.topic_id) as first_offset
from alert_topics t where t.tenant = %(tenant)s order by t.topic_id;

-- name: notify_put_topic
-- New, or changed from the version that was seen.
insert into alert_topics as t (tenant, topic_id, description, matchers, retention_days, enabled, created_at, updated_at)
values (%(tenant)s, %(id)s, %(description)s, %(matchers)s, %(retention_days)s, %(enabled)s, %(now)s, %(now)s)
on conflict (tenant, topic_id) do update set description = excluded.description, matchers = excluded.matchers,
  retention_days = excluded.retention_days, enabled = excluded.enabled, version = t.version + 1, updated_at = excluded.updated_at
where %(version)s::integer is null or t.version = %(version)s
returning version;

-- name: notify_ensure_topic
-- A topic that stands in the file has a row, too, for its offsets.
insert into alert_topics (tenant, topic_id, description, matchers, retention_days, created_at, updated_at)
values (%(tenant)s, %(id)s, %(description)s, %(matchers)s, %(retention_days)s, %(now)s, %(now)s)
on conflict (tenant, topic_id) do update set retention_days = excluded.retention_days
where alert_topics.retention_days <> excluded.retention_days;

-- name: notify_remove_topic
-- With its messages and subscriptions.
delete from alert_topics where tenant = %(tenant)s and topic_id = %(id)s;

-- name: notify_take_offsets
-- Offsets for so many messages, without gaps: the topic's row is locked until they are written.
update alert_topics set next_offset = next_offset + %(count)s where tenant = %(tenant)s and topic_id = %(id)s
returning next_offset - %(count)s as first;

-- name: notify_publish_alerts
-- The messages as the topic keeps them.
insert into alert_messages (tenant, topic_id, "offset", message_id, kind, subject, entity, severity, title, payload, created_at, stored_at)
select m.tenant, %(id)s, %(first)s + given.ordinal - 1, m.message_id, m.kind, m.subject, m.entity, m.severity, m.title, m.payload,
       m.created_at, %(now)s
from unnest(%(messages)s::bigint[]) with ordinality as given(message_id, ordinal)
join messages m on m.message_id = given.message_id and m.tenant = %(tenant)s;

-- name: notify_read_topic
-- A topic's messages from an offset on.
select "offset", message_id, kind, subject, entity, severity, title, payload, created_at, stored_at
from alert_messages where tenant = %(tenant)s and topic_id = %(id)s and "offset" >= %(from)s order by "offset" limit %(limit)s;

-- name: notify_subscriptions
-- A tenant's subscriptions.
select subscription_id as id, topic_id, rule, enabled, version, created_at, updated_at
from subscriptions where tenant = %(tenant)s order by subscription_id;

-- name: notify_put_subscription
-- New, or changed from the version that was seen.
insert into subscriptions as s (tenant, subscription_id, topic_id, rule, enabled, created_at, updated_at)
values (%(tenant)s, %(id)s, %(topic_id)s, %(rule)s, %(enabled)s, %(now)s, %(now)s)
on conflict (tenant, subscription_id) do update set topic_id = excluded.topic_id, rule = excluded.rule, enabled = excluded.enabled,
  version = s.version + 1, updated_at = excluded.updated_at
where %(version)s::integer is null or s.version = %(version)s
returning version;

-- name: notify_remove_subscription
-- It is no more.
delete from subscriptions where tenant = %(tenant)s and subscription_id = %(id)s;

-- name: notify_deliveries
-- The delivery log, newest first.
select d.seq, d.delivery_id, d.bundle_id, d.route_id, d.channel_id, d.kind, d.action, d.subject, d.state, d.attempts, d.unsure,
       d.replays, d.not_before, d.status, d.answer, d.error, d.created_at, d.finished_at, b.total, b.content ->> 'title' as title
from deliveries d join bundles b using (tenant, bundle_id)
where d.tenant = %(tenant)s and d.seq < coalesce(%(before)s::bigint, 9223372036854775807)
  and (%(state)s::text is null or d.state = %(state)s) and (%(channel_id)s::text is null or d.channel_id = %(channel_id)s)
  and (%(route_id)s::text is null or d.route_id = %(route_id)s)
order by d.seq desc limit %(limit)s;

-- name: notify_delivery
-- One delivery with what it says.
select d.seq, d.delivery_id, d.bundle_id, d.route_id, d.channel_id, d.kind, d.action, d.subject, d.thread, d.state, d.attempts,
       d.unsure, d.replays, d.not_before, d.status, d.answer, d.error, d.created_at, d.finished_at, b.total, b.content,
       b.content ->> 'title' as title
from deliveries d join bundles b using (tenant, bundle_id)
where d.tenant = %(tenant)s and d.delivery_id = %(delivery_id)s;

-- name: notify_attempts
-- Every attempt of a delivery.
select attempt, at, latency_ms, outcome, status, detail from delivery_attempts
where tenant = %(tenant)s and delivery_id = %(delivery_id)s order by attempt;

-- name: notify_replay
-- Finished deliveries go round again: of one, or the dead letters of a channel.
update deliveries set state = 'waiting', replays = replays + 1, not_before = %(now)s, finished_at = null, error = ''
where tenant = %(tenant)s and state in ('sent', 'dead', 'skipped') and action <> 'test' and channel_id <> ''
  and (delivery_id = %(delivery_id)s::text or (%(delivery_id)s::text is null and state = 'dead' and channel_id = %(channel_id)s::text))
returning delivery_id;

-- name: notify_channel_state
-- How each channel has done lately.
select d.channel_id, count(*) filter (where d.state = 'sent') as sent, count(*) filter (where d.state in ('waiting', 'sending')) as waiting,
       count(*) filter (where d.state = 'dead') as dead, max(d.finished_at) filter (where d.state = 'sent') as last_sent_at,
       (array_agg(d.error order by d.seq desc) filter (where d.state = 'dead'))[1] as last_error
from deliveries d where d.tenant = %(tenant)s and d.created_at >= %(since)s group by d.channel_id;

-- name: notify_subject_deliveries
-- What was sent about a case (or another subject), oldest first.
select delivery_id, channel_id, kind, action, state, attempts, status, error, created_at, finished_at, title, total
from subject_deliveries where tenant = %(tenant)s and subject = %(subject)s order by created_at, delivery_id;
