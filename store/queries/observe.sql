-- name: trace_projects
-- Every project with what it holds; only some of them when `only` is given.
select p.*, coalesce(t.traces, 0) as traces, t.newest, coalesce(t.waiting, 0) as waiting
from trace_projects p
left join lateral (select count(*) as traces, max(received_at) as newest, count(*) filter (where state = 'waiting') as waiting
                   from traces t where t.tenant = p.tenant and t.project = p.project) t on true
where p.tenant = %(tenant)s and (%(only)s::text[] is null or p.project = any(%(only)s::text[]))
order by p.project;

-- name: trace_project
-- One project.
select * from trace_projects where tenant = %(tenant)s and project = %(project)s;

-- name: lock_trace_project
-- One project, held until the transaction's end.
select * from trace_projects where tenant = %(tenant)s and project = %(project)s for update;

-- name: put_trace_project
-- Make a project; nothing when it is there.
insert into trace_projects (tenant, project, title, retention_days, keep_share, slow_ms, costly, low_score, text_mode, judged, created_by)
values (%(tenant)s, %(project)s, %(title)s, %(retention_days)s, %(keep_share)s, %(slow_ms)s, %(costly)s, %(low_score)s, %(text_mode)s,
        %(judged)s, %(actor)s)
on conflict do nothing;

-- name: change_trace_project
-- Write a project's settings anew.
update trace_projects set title = %(title)s, retention_days = %(retention_days)s, keep_share = %(keep_share)s, slow_ms = %(slow_ms)s,
  costly = %(costly)s, low_score = %(low_score)s, text_mode = %(text_mode)s, judged = %(judged)s, version = version + 1
where tenant = %(tenant)s and project = %(project)s
returning *;

-- name: known_traces
-- The projects of traces that are here, and which were dropped by sampling.
select trace_id, project from traces where tenant = %(tenant)s and trace_id = any(%(trace_ids)s::text[])
union all
select trace_id, null from dropped_traces where tenant = %(tenant)s and trace_id = any(%(trace_ids)s::text[]);

-- name: put_traces
-- New traces; the ones that are there are left alone, so the answer names the new ones.
insert into traces (tenant, trace_id, project, source, name, started_at, latency_ms, status, error, model, prompt, query, response, contexts,
                    reference, text_mode, tokens_in, tokens_out, cost, cost_why, price_version, user_hash, session, metadata, pii, spans,
                    complete, state, due_at, received_at)
select %(tenant)s, trace_id, project, source, name, started_at, latency_ms, status, error, model, prompt, query, response, contexts,
       reference, text_mode, tokens_in, tokens_out, cost, cost_why, price_version, user_hash, session, metadata, pii, spans,
       complete, 'waiting', due_at, received_at
from jsonb_to_recordset(%(rows)s::jsonb) as n(
  trace_id text, project text, source text, name text, started_at timestamptz, latency_ms double precision, status text, error text, model text,
  prompt text, query text, response text, contexts jsonb, reference text, text_mode text, tokens_in bigint, tokens_out bigint,
  cost double precision, cost_why text, price_version text, user_hash text, session text, metadata jsonb, pii jsonb, spans integer,
  complete boolean, due_at timestamptz, received_at timestamptz)
order by trace_id
on conflict (tenant, trace_id) do nothing
returning trace_id;

-- name: lock_traces
-- Traces that more spans came for, held in one order so that two deliveries cannot wait for each other.
select trace_id, pii, complete from traces where tenant = %(tenant)s and trace_id = any(%(trace_ids)s::text[]) order by trace_id for update;

-- name: put_spans
-- Spans; one delivered again is left as it is, and not in the answer.
insert into spans (tenant, trace_id, span_id, parent_id, name, kind, started_at, latency_ms, status, error, model, prompt, tokens_in, tokens_out,
                   cost, cost_why, input, output, contexts, reference, attributes)
select %(tenant)s, trace_id, span_id, parent_id, name, kind, started_at, latency_ms, status, error, model, prompt, tokens_in, tokens_out,
       cost, cost_why, input, output, contexts, reference, attributes
from jsonb_to_recordset(%(rows)s::jsonb) as n(
  trace_id text, span_id text, parent_id text, name text, kind text, started_at timestamptz, latency_ms double precision, status text, error text,
  model text, prompt text, tokens_in bigint, tokens_out bigint, cost double precision, cost_why text, input text, output text, contexts jsonb,
  reference text, attributes jsonb)
on conflict (tenant, trace_id, span_id) do nothing
returning trace_id, span_id;

-- name: spans_of
-- All spans of some traces.
select * from spans where tenant = %(tenant)s and trace_id = any(%(trace_ids)s::text[]) order by trace_id, started_at, span_id;

-- name: refold_traces
-- Traces folded anew from all their spans; they are scored again, their weight stays.
update traces t set name = n.name, started_at = n.started_at, latency_ms = n.latency_ms, status = n.status, error = n.error, model = n.model,
  prompt = n.prompt, query = n.query, response = n.response, contexts = n.contexts, reference = n.reference, tokens_in = n.tokens_in,
  tokens_out = n.tokens_out, cost = n.cost, cost_why = n.cost_why, user_hash = coalesce(t.user_hash, n.user_hash),
  session = case when t.session = '' then n.session else t.session end, metadata = t.metadata || n.metadata, pii = n.pii, spans = n.spans,
  complete = n.complete, state = 'waiting', due_at = n.due_at
from jsonb_to_recordset(%(rows)s::jsonb) as n(
  trace_id text, name text, started_at timestamptz, latency_ms double precision, status text, error text, model text, prompt text, query text,
  response text, contexts jsonb, reference text, tokens_in bigint, tokens_out bigint, cost double precision, cost_why text, user_hash text,
  session text, metadata jsonb, pii jsonb, spans integer, complete boolean, due_at timestamptz)
where t.tenant = %(tenant)s and t.trace_id = n.trace_id;

-- name: tell_traces
-- Wake those who score.
select pg_notify('traces', %(tenant)s);

-- name: put_price_version
-- A price table that was used.
insert into price_versions (tenant, version, as_of, currency, content)
values (%(tenant)s, %(version)s, %(as_of)s, %(currency)s, %(content)s) on conflict do nothing;

-- name: price_versions
-- The price tables that were used, the newest first.
select version, as_of, currency, content, adopted_at from price_versions where tenant = %(tenant)s order by adopted_at desc;

-- name: take_traces
-- Traces to be scored now, held against other workers until the transaction's end.
select t.*, p.keep_share, p.low_score, p.judged, p.slow_ms as project_slow_ms, p.costly as project_costly
from traces t join trace_projects p using (tenant, project)
where t.state = 'waiting' and t.due_at <= %(now)s
order by t.due_at limit %(limit)s
for update of t skip locked;

-- name: known_shapes
-- Which of these shapes a project has seen.
select tenant, project, shape from trace_shapes
where (tenant, project, shape) in (select * from unnest(%(tenants)s::text[], %(projects)s::text[], %(shapes)s::bigint[]));

-- name: put_shapes
-- Shapes seen.
insert into trace_shapes (tenant, project, shape, seen_at)
select t, p, s, %(now)s from unnest(%(tenants)s::text[], %(projects)s::text[], %(shapes)s::bigint[]) as n(t, p, s)
group by t, p, s order by t, p, s
on conflict (tenant, project, shape) do update set seen_at = excluded.seen_at
where trace_shapes.seen_at < excluded.seen_at - interval '1 day';

-- name: trace_hour
-- What came for these projects in one hour so far.
select tenant, project, sum(seen)::bigint as seen, sum(novel)::bigint as novel from trace_hours
where hour = %(hour)s and tenant = any(%(tenants)s::text[]) and project = any(%(projects)s::text[])
group by tenant, project;

-- name: put_scores
-- Scores of traces; a second scoring by the same scorer replaces the first.
insert into trace_scores (tenant, trace_id, metric, scorer, value, why, detail, scored_at)
select tenant, trace_id, metric, scorer, value, why, detail, %(now)s
from jsonb_to_recordset(%(rows)s::jsonb) as n(tenant text, trace_id text, metric text, scorer text, value double precision, why text, detail jsonb)
on conflict (tenant, trace_id, metric, scorer) do update set
  value = excluded.value, why = excluded.why, detail = excluded.detail, scored_at = excluded.scored_at;

-- name: mark_scored
-- What scoring found; weight and reasons of a trace that was scored before are kept and added to.
update traces t set state = n.state, hallucination = n.hallucination, injection = n.injection, toxic = n.toxic, judging = n.judging,
  weight = case when t.scored_at is null then n.weight else t.weight end,
  kept_for = array(select distinct unnest(t.kept_for || array(select jsonb_array_elements_text(n.kept_for))) order by 1), scored_at = %(now)s
from jsonb_to_recordset(%(rows)s::jsonb) as n(tenant text, trace_id text, state text, hallucination boolean, injection boolean, toxic boolean,
                                              judging text, weight double precision, kept_for jsonb)
where t.tenant = n.tenant and t.trace_id = n.trace_id;

-- name: drop_traces
-- Traces that sampling drops, with their spans; their ids are remembered for a day.
with gone as (
  delete from traces t using unnest(%(tenants)s::text[], %(trace_ids)s::text[]) as n(tenant, trace_id)
  where t.tenant = n.tenant and t.trace_id = n.trace_id returning t.tenant, t.trace_id)
insert into dropped_traces (tenant, trace_id, dropped_at) select tenant, trace_id, %(now)s from gone on conflict do nothing;

-- name: count_traces
-- Count what was scored for the first time into its hour.
insert into trace_hours as h (tenant, project, model, hour, seen, kept, errors, novel)
select tenant, project, model, hour, seen, kept, errors, novel
from jsonb_to_recordset(%(rows)s::jsonb) as n(tenant text, project text, model text, hour timestamptz, seen bigint, kept bigint, errors bigint,
                                              novel bigint)
order by tenant, project, model, hour
on conflict (tenant, project, model, hour) do update set
  seen = h.seen + excluded.seen, kept = h.kept + excluded.kept, errors = h.errors + excluded.errors, novel = h.novel + excluded.novel;

-- name: lease_judgements
-- Traces for the language model that judges.
update traces t set judging = 'leased', judging_until = %(until)s
where (t.tenant, t.trace_id) in (
  select tenant, trace_id from traces
  where judging in ('waiting', 'leased') and (judging = 'waiting' or judging_until < %(now)s) and state = 'scored'
  order by received_at limit %(limit)s for update skip locked)
returning t.tenant, t.trace_id, t.query, t.response, t.contexts;

-- name: judging_waits
-- Whether any trace waits for a judge.
select 1 as waits from traces where judging in ('waiting', 'leased') limit 1;

-- name: judged
-- The judge's part is done, or failed.
update traces set judging = %(state)s, judging_until = null where tenant = %(tenant)s and trace_id = %(trace_id)s;

-- name: take_untidied
-- Projects whose old traces are due to go, held against other workers.
select tenant, project, retention_days from trace_projects where tidied_at is null or tidied_at <= %(before)s
order by tidied_at nulls first, tenant, project limit %(limit)s for update skip locked;

-- name: remove_old_traces
-- Some of a project's traces that came before a moment.
delete from traces where (tenant, trace_id) in (
  select tenant, trace_id from traces where tenant = %(tenant)s and project = %(project)s and received_at < %(before)s limit %(limit)s);

-- name: tidied
-- A project has none left that are past their time.
update trace_projects set tidied_at = %(now)s where tenant = %(tenant)s and project = %(project)s;

-- name: remove_dropped_traces
-- Ids of dropped traces after a day.
delete from dropped_traces where dropped_at < %(before)s;

-- name: remove_shapes
-- Shapes not seen for long: such a question is novel again.
delete from trace_shapes where seen_at < %(before)s;

-- name: remove_trace_hours
-- Counts of hours long past.
delete from trace_hours where hour < %(before)s;

-- name: remove_firings
-- Alerts resolved long ago.
delete from llm_firings where state = 'resolved' and resolved_at < %(before)s;

-- name: delete_trace
-- One trace with spans and scores.
delete from traces where tenant = %(tenant)s and trace_id = %(trace_id)s returning project;

-- name: delete_user_traces
-- Every trace of a user, in all projects or in some.
delete from traces where tenant = %(tenant)s and user_hash = %(user_hash)s and (%(only)s::text[] is null or project = any(%(only)s::text[]))
returning trace_id, project;

-- name: delete_traces_by_id
-- Traces by their ids.
delete from traces where tenant = %(tenant)s and trace_id = any(%(trace_ids)s::text[]) returning trace_id;

-- name: forget_firing_traces
-- Ids of traces that were deleted, out of the alerts they made.
delete from llm_firing_traces where tenant = %(tenant)s and trace_id = any(%(trace_ids)s::text[]);

-- name: forget_dropped
-- Ids of traces that must not be taken in again are kept for a day.
insert into dropped_traces (tenant, trace_id, dropped_at) select %(tenant)s, unnest(%(trace_ids)s::text[]), %(now)s on conflict do nothing;

-- name: traces_mentioning
-- Traces in which a text occurs that is not sealed, spans included.
select t.trace_id from traces t
where t.tenant = %(tenant)s and (
  position(lower(%(needle)s) in lower(t.query || chr(10) || t.response || chr(10) || t.contexts::text || chr(10) || t.metadata::text || chr(10)
           || t.error || chr(10) || coalesce(t.reference, '') || chr(10) || t.session || chr(10) || t.name)) > 0
  or exists (select from spans s where s.tenant = t.tenant and s.trace_id = t.trace_id
             and position(lower(%(needle)s) in lower(s.input || chr(10) || s.output || chr(10) || s.contexts::text || chr(10) || s.attributes::text
                 || chr(10) || s.error || chr(10) || s.name)) > 0));

-- name: sealed_traces
-- Traces whose texts are sealed, a page at a time.
select trace_id, query, response, reference, contexts, metadata from traces
where tenant = %(tenant)s and text_mode = 'encrypted' and trace_id > %(after)s order by trace_id limit %(limit)s;

-- name: trace_list
-- Traces, the newest first; after a place in that order.
select trace_id, project, source, name, started_at, received_at, latency_ms, status, model, prompt, tokens_in, tokens_out, cost, cost_why,
       hallucination, injection, toxic, pii, state, kept_for, weight, spans, session, query, response
from traces
where tenant = %(tenant)s and (%(project)s::text is null or project = %(project)s) and (%(only)s::text[] is null or project = any(%(only)s::text[]))
  and (%(model)s::text is null or model = %(model)s) and (%(status)s::text is null or status = %(status)s)
  and (%(hallucination)s::boolean is null or hallucination = %(hallucination)s)
  and (%(user_hash)s::text is null or user_hash = %(user_hash)s) and (%(session)s::text is null or session = %(session)s)
  and (%(after_at)s::timestamptz is null or (received_at, trace_id) < (%(after_at)s, %(after_id)s::text))
order by received_at desc, trace_id desc limit %(limit)s;

-- name: trace_read
-- One trace.
select * from traces where tenant = %(tenant)s and trace_id = %(trace_id)s;

-- name: trace_scores_of
-- The scores of one trace.
select metric, scorer, value, why, detail, scored_at from trace_scores
where tenant = %(tenant)s and trace_id = %(trace_id)s order by scorer, metric;

-- name: worst_traces
-- The traces with the worst value of a score, the worst first.
select t.trace_id, t.project, t.name, t.started_at, t.received_at, t.model, t.prompt, t.query, t.response, t.latency_ms, t.cost, t.status, t.weight,
       s.value, s.why, s.detail
from traces t join trace_scores s using (tenant, trace_id)
where t.tenant = %(tenant)s and (%(project)s::text is null or t.project = %(project)s)
  and (%(only)s::text[] is null or t.project = any(%(only)s::text[]))
  and t.received_at >= %(since)s and t.received_at < %(until)s and s.metric = %(metric)s and s.scorer = %(scorer)s and s.value is not null
order by case when %(low_is_bad)s then s.value else -s.value end, t.received_at desc, t.trace_id limit %(limit)s;

-- name: trace_counts
-- What came in and what was kept, exactly.
select coalesce(sum(seen), 0)::bigint as seen, coalesce(sum(kept), 0)::bigint as kept, coalesce(sum(errors), 0)::bigint as errors
from trace_hours
where tenant = %(tenant)s and (%(project)s::text is null or project = %(project)s) and (%(only)s::text[] is null or project = any(%(only)s::text[]))
  and hour >= %(since)s and hour < %(until)s;
