-- name: nightly_flow
-- What the streams did in a span, by the clock: events, refusals, lateness, duplicates and the rest.
select coalesce(sum(events) filter (where job = 'ingest'), 0)::bigint as read, coalesce(sum(accepted), 0)::bigint as accepted,
       coalesce(sum(quarantined) filter (where job = 'ingest'), 0)::bigint as refused, coalesce(sum(points), 0)::bigint as scored,
       coalesce(sum(late), 0)::bigint as late, coalesce(sum(duplicates), 0)::bigint as duplicates,
       coalesce(sum(conflicts), 0)::bigint as conflicts, coalesce(sum(unwatched), 0)::bigint as unwatched,
       coalesce(sum(anomalies), 0)::bigint as anomalies, count(*) as batches
from batches where committed_at > %(since)s and committed_at <= %(until)s;

-- name: nightly_refusals
-- Why records were refused in a span, the commonest first.
select reason, field, count(*) as records, min(position) as example from quarantined
where tenant = %(tenant)s and arrived_at > %(since)s and arrived_at <= %(until)s
group by 1, 2 order by 3 desc limit %(limit)s;

-- name: nightly_silent
-- Services that spoke in the span before this one and not in it.
select e.entity, max(m.bucket) as last_at from metrics_minute m join entities e using (entity_hash)
where m.tenant = %(tenant)s and e.kind = 'service' and m.bucket > %(before)s and m.bucket <= %(until)s
group by 1 having max(m.bucket) <= %(since)s order by 2 desc limit %(limit)s;

-- name: nightly_services
-- A service's requests in the span and in the same span a week earlier.
select e.entity, coalesce(sum(m.count) filter (where m.bucket > %(since)s), 0)::bigint as now,
       coalesce(sum(m.count) filter (where m.bucket <= %(since)s - interval '7 days' + (%(until)s - %(since)s)), 0)::bigint as week_ago
from metrics_minute m join entities e using (entity_hash)
where m.tenant = %(tenant)s and e.kind = 'service' and m.bucket <= %(until)s and (m.bucket > %(since)s
  or m.bucket > %(since)s - interval '7 days' and m.bucket <= %(until)s - interval '7 days')
group by 1 order by 2 desc limit %(limit)s;

-- name: nightly_rulings
-- Rulings in force made in a span, by outcome and council.
select outcome, council, count(*) as rulings from rulings
where tenant = %(tenant)s and in_force and ruled_at > %(since)s and ruled_at <= %(until)s group by 1, 2 order by 3 desc;

-- name: nightly_worst
-- The worst confirmed cases of a span.
select c.case_id, c.entity, c.severity, r.action, r.confidence, r.root_cause from rulings r join cases c using (case_id)
where r.tenant = %(tenant)s and r.in_force and r.outcome = 'confirmed' and r.ruled_at > %(since)s and r.ruled_at <= %(until)s
order by c.severity desc, c.case_id limit %(limit)s;

-- name: nightly_models
-- What model calls of a span took; costs that are not known are counted, not summed.
select name, count(*) as calls, count(*) filter (where outcome <> 'ok') as failed, sum(tokens_in) as tokens_in, sum(tokens_out) as tokens_out,
       sum(cost) as cost, count(*) filter (where cost is null) as cost_unknown, percentile_cont(0.95) within group (order by latency_ms) as p95_ms
from tool_audit where tenant = %(tenant)s and kind = 'model' and at > %(since)s and at <= %(until)s group by 1 order by 2 desc;

-- name: nightly_waiting
-- What waits for the council and for people.
select (select count(*) from docket where tenant = %(tenant)s and state in ('waiting', 'leased')) as docket,
       (select count(*) from docket where tenant = %(tenant)s and state = 'dead') as dead,
       (select count(*) from commands where tenant = %(tenant)s and state = 'proposed') as commands;

-- name: nightly_mark
-- Changes whenever something happened that a digest would tell.
select concat_ws('/', (select max(committed_at) from batches where events > 0), (select max(ruled_at) from rulings where tenant = %(tenant)s),
                 (select max(updated_at) from commands where tenant = %(tenant)s)) as mark;

-- name: nightly_feedback
-- What people said of anomalies and of the rulings on them: of each person's verdicts on a thing the newest, with the detectors' scores.
select distinct on (f.about, f.subject_id, f.actor) a.anomaly_id, a.detector, a.scores, a.severity, f.verdict, f.reason, f.at
from feedback f
join cases c on c.case_id = f.case_id
join anomalies a on case when f.about = 'anomaly' then a.anomaly_id = f.subject_id else a.episode_id = c.episode_id and a.ordinal = 1 end
where f.tenant = %(tenant)s and a.tenant = %(tenant)s
order by f.about, f.subject_id, f.actor, f.feedback_id desc;

-- name: nightly_feedback_mark
-- Changes with every feedback.
select count(*) || '/' || coalesce(max(feedback_id), 0) as mark from feedback where tenant = %(tenant)s;
