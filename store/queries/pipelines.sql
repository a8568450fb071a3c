-- name: live_processors
-- The live version of every tenant's processors.
select p.tenant, p.processor, p.live_version, v.spec from processors p
join processor_versions v on (v.tenant, v.processor, v.version) = (p.tenant, p.processor, p.live_version)
where p.live_version is not null;

-- name: live_segments
-- Every tenant's enabled segments.
select tenant, segment, topic, filter, processors from segments where enabled and processors <> '{}' order by tenant, segment;

-- name: live_lists
-- The live version of every tenant's data lists.
select tenant, list, live_version from lists where live_version is not null and deleted_at is null;

-- name: find_pins
-- What a batch was pinned to, if it was.
select p.tenant, p.set_hash, s.content from processor_pins p
left join processor_sets s on (s.tenant, s.set_hash) = (p.tenant, p.set_hash)
where query_id = %(query_id)s and batch_id = %(batch_id)s;

-- name: put_set
-- Remember a set by its hash.
insert into processor_sets (tenant, set_hash, content) values (%(tenant)s, %(set_hash)s, %(content)s)
on conflict (tenant, set_hash) do nothing;

-- name: put_pin
-- Pin a batch to a set.
insert into processor_pins (query_id, batch_id, tenant, set_hash) values (%(query_id)s, %(batch_id)s, %(tenant)s, %(set_hash)s);

-- name: list_contents
-- The items of a list's version, in order of their keys.
select i.key, i.data from list_items i
where i.tenant = %(tenant)s and i.list = %(list)s and i.version = %(version)s order by i.key collate "C";

-- name: list_columns
-- A list's columns beside the key.
select columns from lists where tenant = %(tenant)s and list = %(list)s;

-- name: put_rule_count
-- What a rule said of a batch.
insert into rule_counts (tenant, query_id, batch_id, segment, processor, version, evaluated, hit, missed, errors, kept, queued, overflowed)
values (%(tenant)s, %(query_id)s, %(batch_id)s, %(segment)s, %(processor)s, %(version)s, %(evaluated)s, %(hit)s, %(missed)s,
        %(errors)s, %(kept)s, %(queued)s, %(overflowed)s);

-- name: add_rule_total
-- The same added to the hour.
insert into rule_totals as t (tenant, processor, version, segment, hour, evaluated, hit, missed, errors, kept, queued, overflowed)
values (%(tenant)s, %(processor)s, %(version)s, %(segment)s, date_trunc('hour', now()), %(evaluated)s, %(hit)s, %(missed)s,
        %(errors)s, %(kept)s, %(queued)s, %(overflowed)s)
on conflict (tenant, processor, version, segment, hour) do update set
  evaluated = t.evaluated + excluded.evaluated, hit = t.hit + excluded.hit, missed = t.missed + excluded.missed,
  errors = t.errors + excluded.errors, kept = t.kept + excluded.kept, queued = t.queued + excluded.queued,
  overflowed = t.overflowed + excluded.overflowed;

-- name: create_incoming_hits
-- Where a batch's hits land before they are merged.
create temp table if not exists incoming_rule_hits (like rule_hits including defaults) on commit delete rows;

-- name: merge_rule_hits
-- The batch's kept hits; an event that was a hit before is not one again. Answers what was new.
insert into rule_hits select * from incoming_rule_hits on conflict (tenant, hit_id) do nothing
returning tenant, hit_id, processor, segment, entity;

-- name: put_suppression
-- An anomaly that an allow list keeps from the council.
insert into suppressions (tenant, anomaly_id, case_id, entity, processor, version, segment, query_id, batch_id)
values (%(tenant)s, %(anomaly_id)s, %(case_id)s, %(entity)s, %(processor)s, %(version)s, %(segment)s, %(query_id)s, %(batch_id)s)
on conflict (tenant, anomaly_id, processor) do nothing;

-- name: put_lane
-- Remember to which lane a case was raised.
insert into raised_lanes as r (tenant, case_id, lane, processor, version) values (%(tenant)s, %(case_id)s, %(lane)s, %(processor)s, %(version)s)
on conflict (tenant, case_id) do update set lane = excluded.lane, processor = excluded.processor, version = excluded.version, at = now()
where r.lane = 'batch' and excluded.lane = 'immediate';

-- name: raised_lanes_of
-- To which lanes these cases were raised before.
select case_id, lane from raised_lanes where case_id = any(%(case_ids)s);

-- name: queue_length
-- Waiting and running items of a pool, counted up to its limit.
select count(*)::int as n from (
  select 1 from rule_work where tenant = %(tenant)s and pool = %(pool)s and state in ('waiting', 'leased') limit %(limit)s) s;

-- name: put_work
-- Give an event to a worker pool, once.
insert into rule_work (tenant, pool, hit_id, processor, version, segment, input)
values (%(tenant)s, %(pool)s, %(hit_id)s, %(processor)s, %(version)s, %(segment)s, %(input)s)
on conflict (tenant, hit_id) do nothing;

-- name: notify_rule_work
-- Wake the workers of slow rules.
select pg_notify('rule_work', '');

-- name: waiting_pools
-- Pools with something due, with how many of their items run now.
select w.tenant, w.pool, coalesce(p.size, %(size)s) as size, coalesce(p.timeout_s, %(timeout_s)s) as timeout_s,
       coalesce(p.attempts, %(attempts)s) as attempts,
       count(*) filter (where w.state = 'leased' and w.leased_until > now())::int as running
from rule_work w left join worker_pools p using (tenant, pool)
where w.state in ('waiting', 'leased') group by 1, 2, 3, 4, 5
having bool_or(w.state = 'waiting' and w.not_before <= now() or w.state = 'leased' and w.leased_until <= now());

-- name: model_work_waits
-- Whether a model is asked for.
select 1 as waits from rule_work w join processors p using (tenant, processor)
where w.state in ('waiting', 'leased') and w.not_before <= now() and p.kind = 'model' limit 1;

-- name: lock_pool
-- One process at a time counts and takes from a pool, until the transaction's end.
select pg_advisory_xact_lock(hashtextextended('worker pool ' || %(tenant)s || ' ' || %(pool)s, 0));

-- name: running_work
-- How many items of a pool run now.
select count(*)::int as n from rule_work
where tenant = %(tenant)s and pool = %(pool)s and state = 'leased' and leased_until > now();

-- name: take_work
-- Lease the oldest due items of a pool; a lease that ran out is taken over, and a taking counts as an attempt.
update rule_work w set state = 'leased', attempts = w.attempts + 1, leased_by = %(worker)s,
                       leased_until = now() + make_interval(secs => %(lease_s)s)
from (select work_id from rule_work
      where tenant = %(tenant)s and pool = %(pool)s
        and (state = 'waiting' and not_before <= now() or state = 'leased' and leased_until <= now())
      order by work_id limit %(limit)s for update skip locked) n
where w.work_id = n.work_id
returning w.work_id, w.tenant, w.pool, w.hit_id, w.processor, w.version, w.segment, w.input, w.attempts,
          (select spec from processor_versions v where (v.tenant, v.processor, v.version) = (w.tenant, w.processor, w.version)) as spec;

-- name: finish_work
-- An item was answered, by the worker that still holds it.
update rule_work set state = 'done', answer = %(answer)s, finished_at = now(), last_error = null, leased_by = null
where work_id = %(work_id)s and state = 'leased' and leased_by = %(worker)s and attempts = %(attempt)s;

-- name: fail_work
-- An item was not answered: again later, or never when its attempts are used up.
update rule_work set state = case when attempts >= %(attempts)s then 'dead' else 'waiting' end, last_error = %(error)s, leased_by = null,
  not_before = now() + make_interval(secs => %(wait_s)s), finished_at = case when attempts >= %(attempts)s then now() end
where work_id = %(work_id)s and state = 'leased' and leased_by = %(worker)s and attempts = %(attempt)s;

-- name: defer_work
-- What it needs is not there: later, and it was no attempt.
update rule_work set state = 'waiting', attempts = attempts - 1, last_error = %(error)s, leased_by = null,
  not_before = now() + make_interval(secs => %(wait_s)s)
where work_id = %(work_id)s and state = 'leased' and leased_by = %(worker)s and attempts = %(attempt)s;

-- name: put_rule_hit
-- A single hit, once.
insert into rule_hits (tenant, hit_id, processor, version, segment, kind, query_id, batch_id, event_id, event_time, entity, case_id,
                       lane, severity, event, answer)
values (%(tenant)s, %(hit_id)s, %(processor)s, %(version)s, %(segment)s, %(kind)s, %(query_id)s, %(batch_id)s, %(event_id)s,
        %(event_time)s, %(entity)s, %(case_id)s, %(lane)s, %(severity)s, %(event)s, %(answer)s)
on conflict (tenant, hit_id) do nothing;

-- name: list_work
-- Work of a tenant's pools, newest first.
select work_id, pool, processor, version, segment, state, attempts, last_error, answer, enqueued_at, finished_at from rule_work
where tenant = %(tenant)s and (%(pool)s::text is null or pool = %(pool)s) and (%(state)s::text is null or state = %(state)s)
  and work_id < coalesce(%(after)s::bigint, 9223372036854775807) order by work_id desc limit %(limit)s;

-- name: list_pools
-- A tenant's pools, configured or with work, and how much lies in them.
select coalesce(p.pool, w.pool) as pool, coalesce(p.size, %(size)s) as size, coalesce(p.queue_limit, %(queue_limit)s) as queue_limit,
       coalesce(p.timeout_s, %(timeout_s)s) as timeout_s, coalesce(p.attempts, %(attempts)s) as attempts,
       coalesce(w.waiting, 0) as waiting, coalesce(w.running, 0) as running, coalesce(w.dead, 0) as dead, p.pool is not null as configured
from (select * from worker_pools where tenant = %(tenant)s) p
full join (select pool, count(*) filter (where state = 'waiting') as waiting, count(*) filter (where state = 'leased') as running,
                  count(*) filter (where state = 'dead') as dead
           from rule_work where tenant = %(tenant)s group by pool) w using (pool) order by 1;

-- name: pool_of
-- A pool's configuration, if it has one.
select size, queue_limit, timeout_s, attempts from worker_pools where tenant = %(tenant)s and pool = %(pool)s;

-- name: put_pool
-- Configure a pool.
insert into worker_pools (tenant, pool, size, queue_limit, timeout_s, attempts, updated_by)
values (%(tenant)s, %(pool)s, %(size)s, %(queue_limit)s, %(timeout_s)s, %(attempts)s, %(actor)s)
on conflict (tenant, pool) do update set size = excluded.size, queue_limit = excluded.queue_limit, timeout_s = excluded.timeout_s,
  attempts = excluded.attempts, updated_by = excluded.updated_by, updated_at = now();

-- name: put_topic
-- Register a topic.
insert into topics (tenant, topic, kind, schema, partitions, retention_s, description, in_kafka, created_by)
values (%(tenant)s, %(topic)s, %(kind)s, %(schema)s, %(partitions)s, %(retention_s)s, %(description)s, %(in_kafka)s, %(actor)s)
on conflict (tenant, topic) do nothing;

-- name: find_topic
-- One topic.
select topic, kind, schema, partitions, retention_s, description, in_kafka, created_by, created_at from topics
where tenant = %(tenant)s and topic = %(topic)s;

-- name: list_topics
-- A tenant's topics by name.
select topic, kind, schema, partitions, retention_s, description, in_kafka, created_by, created_at from topics
where tenant = %(tenant)s and topic > %(after)s order by topic limit %(limit)s;

-- name: remove_topic
-- Forget a topic.
delete from topics where tenant = %(tenant)s and topic = %(topic)s;

-- name: segments_of_topic
-- What reads a topic.
select segment from segments where tenant = %(tenant)s and topic = %(topic)s order by segment;

-- name: segments_of_processor
-- Where a processor acts.
select segment, enabled from segments where tenant = %(tenant)s and %(processor)s = any(processors) order by segment;

-- name: put_segment
-- Make a segment.
insert into segments (tenant, segment, topic, filter, processors, enabled, description, created_by, updated_by)
values (%(tenant)s, %(segment)s, %(topic)s, %(filter)s, %(processors)s, %(enabled)s, %(description)s, %(actor)s, %(actor)s)
on conflict (tenant, segment) do nothing;

-- name: change_segment
-- Change a segment that is still as it was read.
update segments set topic = %(topic)s, filter = %(filter)s, processors = %(processors)s, enabled = %(enabled)s,
  description = %(description)s, updated_by = %(actor)s, updated_at = now(), revision = revision + 1
where tenant = %(tenant)s and segment = %(segment)s and (%(revision)s::int is null or revision = %(revision)s);

-- name: drop_from_segments
-- Take a processor out of every segment.
update segments set processors = array_remove(processors, %(processor)s), updated_by = %(actor)s, updated_at = now(), revision = revision + 1
where tenant = %(tenant)s and %(processor)s = any(processors);

-- name: find_segment
-- One segment.
select segment, topic, filter, processors, enabled, description, revision, created_by, created_at, updated_by, updated_at from segments
where tenant = %(tenant)s and segment = %(segment)s;

-- name: list_segments
-- A tenant's segments by name.
select segment, topic, filter, processors, enabled, description, revision, created_by, created_at, updated_by, updated_at from segments
where tenant = %(tenant)s and segment > %(after)s order by segment limit %(limit)s;

-- name: remove_segment
-- Forget a segment.
delete from segments where tenant = %(tenant)s and segment = %(segment)s;

-- name: put_processor
-- Make a processor, without a version yet.
insert into processors (tenant, processor, kind, description, created_by)
values (%(tenant)s, %(processor)s, %(kind)s, %(description)s, %(actor)s) on conflict (tenant, processor) do nothing;

-- name: lock_processor
-- One processor, held until the transaction's end.
select processor, kind, description, live_version,
       (select coalesce(max(version), 0) from processor_versions v where (v.tenant, v.processor) = (p.tenant, p.processor)) as newest
from processors p where tenant = %(tenant)s and processor = %(processor)s for update;

-- name: put_version
-- A new version.
insert into processor_versions (tenant, processor, version, spec, spec_hash, why, created_by)
values (%(tenant)s, %(processor)s, %(version)s, %(spec)s, %(spec_hash)s, %(why)s, %(actor)s);

-- name: set_live
-- Let a version act, or none.
update processors set live_version = %(version)s where tenant = %(tenant)s and processor = %(processor)s;

-- name: note_change
-- What was done to a processor.
insert into processor_changes (tenant, processor, action, version, actor, why)
values (%(tenant)s, %(processor)s, %(action)s, %(version)s, %(actor)s, %(why)s);

-- name: find_processor
-- One processor with its newest version.
select p.processor, p.kind, p.description, p.live_version, p.created_by, p.created_at, v.version as newest_version, v.spec as newest_spec,
       l.spec as live_spec
from processors p
join lateral (select version, spec from processor_versions v where (v.tenant, v.processor) = (p.tenant, p.processor)
              order by version desc limit 1) v on true
left join processor_versions l on (l.tenant, l.processor, l.version) = (p.tenant, p.processor, p.live_version)
where p.tenant = %(tenant)s and p.processor = %(processor)s;

-- name: list_processors
-- A tenant's processors by name, with what they did in the last 24 hours.
select p.processor, p.kind, p.description, p.live_version, p.created_by, p.created_at, v.version as newest_version, v.spec as newest_spec,
       l.spec as live_spec, coalesce(t.evaluated, 0)::bigint as evaluated_24h, coalesce(t.hit, 0)::bigint as hit_24h,
       coalesce(t.errors, 0)::bigint as errors_24h,
       (select coalesce(array_agg(segment order by segment), '{}') from segments s where s.tenant = p.tenant and p.processor = any(s.processors)) as segments
from processors p
join lateral (select version, spec from processor_versions v where (v.tenant, v.processor) = (p.tenant, p.processor)
              order by version desc limit 1) v on true
left join processor_versions l on (l.tenant, l.processor, l.version) = (p.tenant, p.processor, p.live_version)
left join (select processor, sum(evaluated) as evaluated, sum(hit) as hit, sum(errors) as errors from rule_totals
           where tenant = %(tenant)s and hour > now() - interval '24 hours' group by processor) t on t.processor = p.processor
where p.tenant = %(tenant)s and p.processor > %(after)s order by p.processor limit %(limit)s;

-- name: list_versions_of
-- A processor's versions, newest first.
select version, spec, spec_hash, why, created_by, created_at from processor_versions
where tenant = %(tenant)s and processor = %(processor)s order by version desc limit %(limit)s;

-- name: find_version
-- One version.
select version, spec, spec_hash, why, created_by, created_at from processor_versions
where tenant = %(tenant)s and processor = %(processor)s and version = %(version)s;

-- name: changes_of
-- What was done to a processor, newest first.
select action, version, actor, why, at from processor_changes where tenant = %(tenant)s and processor = %(processor)s
order by change_id desc limit %(limit)s;

-- name: remove_processor
-- Forget a processor and its versions; what it counted and hit stays.
delete from processors where tenant = %(tenant)s and processor = %(processor)s;

-- name: rule_outcomes
-- A processor's outcomes by hour, newest first.
select version, segment, hour, evaluated, hit, missed, errors, kept, queued, overflowed from rule_totals
where tenant = %(tenant)s and processor = %(processor)s and (%(hour)s::timestamptz is null or hour < %(hour)s
  or hour = %(hour)s and (version < %(version)s::bigint or version = %(version)s::bigint and segment > %(segment)s::text))
order by hour desc, version desc, segment limit %(limit)s;

-- name: batch_outcomes
-- A processor's outcomes by batch, newest first.
select version, segment, query_id, batch_id, evaluated, hit, missed, errors, kept, queued, overflowed, at from rule_counts
where tenant = %(tenant)s and processor = %(processor)s order by at desc, batch_id desc, segment limit %(limit)s;

-- name: list_hits
-- Hits, newest first; of one processor or entity when it is given.
select hit_id, processor, version, segment, kind, event_id, event_time, entity, case_id, lane, severity, event, answer, batch_id, created_at
from rule_hits
where tenant = %(tenant)s and (%(processor)s::text is null or processor = %(processor)s) and (%(entity)s::text is null or entity = %(entity)s)
  and (%(at)s::timestamptz is null or (created_at, hit_id) < (%(at)s, %(hit_id)s))
order by created_at desc, hit_id desc limit %(limit)s;

-- name: list_suppressions
-- Anomalies kept from the council, newest first.
select anomaly_id, case_id, entity, processor, version, segment, created_at from suppressions
where tenant = %(tenant)s and (%(processor)s::text is null or processor = %(processor)s) order by created_at desc limit %(limit)s;

-- name: put_list
-- Make a data list, or bring back one that was deleted.
insert into lists as l (tenant, list, description, holds, columns, created_by)
values (%(tenant)s, %(list)s, %(description)s, %(holds)s, %(columns)s, %(actor)s)
on conflict (tenant, list) do update set description = excluded.description, holds = excluded.holds, columns = excluded.columns,
  created_by = excluded.created_by, created_at = now(), deleted_at = null, live_version = null where l.deleted_at is not null;

-- name: lock_list
-- One list, held until the transaction's end.
select list, description, holds, columns, live_version,
       (select coalesce(max(version), 0) from list_versions v where (v.tenant, v.list) = (l.tenant, l.list)) as newest
from lists l where tenant = %(tenant)s and list = %(list)s and deleted_at is null for update;

-- name: put_list_version
-- A new version of a list.
insert into list_versions (tenant, list, version, items, sha256, why, created_by)
values (%(tenant)s, %(list)s, %(version)s, %(items)s, %(sha256)s, %(why)s, %(actor)s);

-- name: put_items
-- The items of a list's version (COPY does not work under row-level security).
insert into list_items (tenant, list, version, key, data)
select %(tenant)s, %(list)s, %(version)s, t.key, t.data::jsonb from unnest(%(keys)s::text[], %(data)s::text[]) t(key, data);

-- name: set_live_list
-- Let a list's version act; an enrichment table may have got other columns.
update lists set live_version = %(version)s, columns = coalesce(%(columns)s, columns) where tenant = %(tenant)s and list = %(list)s;

-- name: all_lists
-- A tenant's lists by name.
select l.list, l.description, l.holds, l.columns, l.live_version, v.items, l.created_by, l.created_at, v.created_at as changed_at
from lists l left join list_versions v on (v.tenant, v.list, v.version) = (l.tenant, l.list, l.live_version)
where l.tenant = %(tenant)s and l.deleted_at is null and l.list > %(after)s order by l.list limit %(limit)s;

-- name: find_list
-- One list.
select l.list, l.description, l.holds, l.columns, l.live_version, v.items, l.created_by, l.created_at, v.created_at as changed_at
from lists l left join list_versions v on (v.tenant, v.list, v.version) = (l.tenant, l.list, l.live_version)
where l.tenant = %(tenant)s and l.list = %(list)s and l.deleted_at is null;

-- name: versions_of_list
-- A list's versions, newest first.
select version, items, sha256, why, created_by, created_at from list_versions
where tenant = %(tenant)s and list = %(list)s order by version desc limit %(limit)s;

-- name: page_list
-- Items of a list's version by key.
select key, data from list_items
where tenant = %(tenant)s and list = %(list)s and version = %(version)s and key > %(after)s order by key limit %(limit)s;

-- name: delete_list
-- A list is no more; its items stay until no batch in work can need them.
update lists set deleted_at = now(), live_version = null where tenant = %(tenant)s and list = %(list)s and deleted_at is null;

-- name: specs_with_lists
-- Newest and live versions of a tenant's processors, to see which lists they name.
select p.processor, v.spec from processors p join processor_versions v on (v.tenant, v.processor) = (p.tenant, p.processor)
where p.tenant = %(tenant)s and (v.version = p.live_version or v.version = (
  select max(version) from processor_versions n where (n.tenant, n.processor) = (p.tenant, p.processor)));

-- name: newest_anomaly_rows
-- The newest anomalies, as a dry run of what acts on anomalies sees them.
select a.anomaly_id, a.entity, a.detector, a.severity, a.value as observed, a.expected, a.unit, a.scores, a.event, a.event_time,
       e.kind as entity_kind, e.revision as hits
from anomalies a join episodes e using (episode_id)
where a.tenant = %(tenant)s order by a.event_time desc, a.anomaly_id limit %(limit)s;

-- name: prune_pins
-- Pins that are past any retry.
delete from processor_pins where pinned_at < now() - make_interval(days => %(days)s);

-- name: prune_counts
-- Counts per batch; their sums by hour stay.
delete from rule_counts where at < now() - make_interval(days => %(days)s);

-- name: prune_work
-- Finished work.
delete from rule_work where state in ('done', 'dead') and finished_at < now() - make_interval(days => %(days)s);

-- name: prune_totals
-- Old sums by hour.
delete from rule_totals where hour < now() - make_interval(days => %(days)s);

-- name: prune_hits
-- Old hits.
delete from rule_hits where created_at < now() - make_interval(days => %(days)s);

-- name: prune_suppressions
-- Old suppressions.
delete from suppressions where created_at < now() - make_interval(days => %(days)s);

-- name: prune_lists
-- Lists deleted long ago, with their versions and items.
delete from lists where deleted_at < now() - make_interval(days => %(days)s);

-- name: prune_lanes
-- Raised lanes of cases that are gone.
delete from raised_lanes r where not exists (select from cases c where c.case_id = r.case_id);
