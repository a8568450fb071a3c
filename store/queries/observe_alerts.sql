-- name: llm_rules
-- Alert rules of a tenant, of some projects when they are given.
select * from llm_rules where tenant = %(tenant)s and (%(only)s::text[] is null or project = any(%(only)s::text[])) order by project, rule_id;

-- name: llm_rule
-- One rule, held until the transaction's end.
select * from llm_rules where tenant = %(tenant)s and rule_id = %(rule_id)s for update;

-- name: put_llm_rule
-- A new rule; nothing when the id is taken.
insert into llm_rules (tenant, rule_id, project, model, metric, comparison, threshold, window_s, least, severity, enabled, title, created_by)
values (%(tenant)s, %(rule_id)s, %(project)s, %(model)s, %(metric)s, %(comparison)s, %(threshold)s, %(window_s)s, %(least)s, %(severity)s,
        %(enabled)s, %(title)s, %(actor)s)
on conflict do nothing;

-- name: change_llm_rule
-- A rule written anew; it is looked at again soon.
update llm_rules set project = %(project)s, model = %(model)s, metric = %(metric)s, comparison = %(comparison)s, threshold = %(threshold)s,
  window_s = %(window_s)s, least = %(least)s, severity = %(severity)s, enabled = %(enabled)s, title = %(title)s, version = version + 1,
  checked_at = null
where tenant = %(tenant)s and rule_id = %(rule_id)s
returning *;

-- name: drop_llm_rule
-- Remove a rule; its firings stay.
delete from llm_rules where tenant = %(tenant)s and rule_id = %(rule_id)s;

-- name: take_llm_rules
-- Rules that are due to be looked at, of all tenants, held against other workers.
select * from llm_rules where enabled and (checked_at is null or checked_at <= %(before)s) order by checked_at nulls first limit %(limit)s for update skip locked;

-- name: llm_rule_checked
-- A rule was looked at.
update llm_rules set checked_at = %(now)s where tenant = %(tenant)s and rule_id = %(rule_id)s;

-- name: measures
-- What is measured of each scored trace that arrived in a stretch of time, without its texts; the newest first when there are too many.
select t.trace_id, t.project, t.model, t.prompt, t.weight, t.started_at, t.received_at, t.status, t.latency_ms, t.cost, t.tokens_in, t.tokens_out,
       t.hallucination, t.injection, t.toxic, s.scores
from traces t
left join lateral (select jsonb_object_agg(metric, value) as scores from trace_scores s
                   where s.tenant = t.tenant and s.trace_id = t.trace_id and s.scorer = %(scorer)s) s on true
where t.tenant = %(tenant)s and (%(project)s::text is null or t.project = %(project)s)
  and (%(only)s::text[] is null or t.project = any(%(only)s::text[])) and (%(model)s::text is null or t.model = %(model)s)
  and t.received_at >= %(since)s and t.received_at < %(until)s and t.state <> 'waiting'
order by t.received_at desc, t.trace_id limit %(limit)s;

-- name: open_firing
-- The alert of a rule and model that is not resolved yet.
select * from llm_firings where tenant = %(tenant)s and rule_id = %(rule_id)s and model = %(model)s and state <> 'resolved' for update;

-- name: settled_by_hand
-- Whether a person ended the alert of this rule and model a short while ago.
select firing_id from llm_firings
where tenant = %(tenant)s and rule_id = %(rule_id)s and model = %(model)s and state = 'resolved' and resolved_at > %(since)s
  and resolved_by not like 'system:%%' limit 1;

-- name: open_firings_of
-- All alerts of a rule that are not resolved yet.
select * from llm_firings where tenant = %(tenant)s and rule_id = %(rule_id)s and state <> 'resolved' order by model for update;

-- name: put_firing
-- A new alert.
insert into llm_firings (tenant, firing_id, rule_id, project, model, metric, comparison, threshold, value, baseline, counted, opened_at, last_at,
                         from_at, worst)
values (%(tenant)s, %(firing_id)s, %(rule_id)s, %(project)s, %(model)s, %(metric)s, %(comparison)s, %(threshold)s, %(value)s, %(baseline)s,
        %(counted)s, %(now)s, %(now)s, %(from_at)s, %(value)s)
on conflict do nothing;

-- name: continue_firing
-- The alert still holds.
update llm_firings set value = %(value)s, baseline = %(baseline)s, counted = %(counted)s, worst = %(worst)s, last_at = %(now)s
where tenant = %(tenant)s and firing_id = %(firing_id)s;

-- name: put_firing_traces
-- The traces that made it.
insert into llm_firing_traces (tenant, firing_id, trace_id, value)
select %(tenant)s, %(firing_id)s, trace_id, value
from jsonb_to_recordset(%(rows)s::jsonb) as n(trace_id text, value double precision)
on conflict do nothing;

-- name: log_firing
-- What happened to an alert.
insert into llm_firing_log (tenant, firing_id, seq, at, actor, action, note, value)
select %(tenant)s, %(firing_id)s, coalesce(max(seq), 0) + 1, %(now)s, %(actor)s, %(action)s, %(note)s, %(value)s
from llm_firing_log where tenant = %(tenant)s and firing_id = %(firing_id)s;

-- name: llm_firings
-- Alerts, the newest first; after a place in that order.
select f.*, (select count(*) from llm_firing_traces t where t.tenant = f.tenant and t.firing_id = f.firing_id) as traces
from llm_firings f
where f.tenant = %(tenant)s and (%(state)s::text is null or f.state = %(state)s) and (%(project)s::text is null or f.project = %(project)s)
  and (%(only)s::text[] is null or f.project = any(%(only)s::text[]))
  and (%(after_at)s::timestamptz is null or (f.opened_at, f.firing_id) < (%(after_at)s, %(after_id)s::text))
order by f.opened_at desc, f.firing_id desc limit %(limit)s;

-- name: llm_firing
-- One alert, held until the transaction's end.
select * from llm_firings where tenant = %(tenant)s and firing_id = %(firing_id)s for update;

-- name: llm_firing_read
-- One alert, to be read.
select f.*, r.title from llm_firings f left join llm_rules r using (tenant, rule_id)
where f.tenant = %(tenant)s and f.firing_id = %(firing_id)s;

-- name: llm_firing_traces
-- The traces that made an alert, the worst first as far as they are still here.
select f.trace_id, f.value, t.started_at, t.model, t.status, t.latency_ms, t.cost, t.hallucination, t.trace_id is not null as here
from llm_firing_traces f left join traces t using (tenant, trace_id)
where f.tenant = %(tenant)s and f.firing_id = %(firing_id)s
order by t.received_at desc nulls last, f.trace_id limit %(limit)s;

-- name: llm_firing_log
-- The history of an alert.
select seq, at, actor, action, note, value from llm_firing_log where tenant = %(tenant)s and firing_id = %(firing_id)s order by seq;

-- name: acknowledge_firing
-- Somebody looks after it.
update llm_firings set state = 'acknowledged', acknowledged_by = %(actor)s, acknowledged_at = %(now)s, version = version + 1
where tenant = %(tenant)s and firing_id = %(firing_id)s;

-- name: resolve_firing
-- It is over.
update llm_firings set state = 'resolved', resolved_by = %(actor)s, resolved_at = %(now)s, note = %(note)s, version = version + 1
where tenant = %(tenant)s and firing_id = %(firing_id)s;
