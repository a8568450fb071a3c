-- What the council page shows.

-- name: dashboard_council
-- Rulings of the chosen kind, newest first; also superseded ones when asked for.
select r.*, c.entity, c.kind, c.severity, c.started_at, c.last_at, c.revision as case_revision, p.detectors, p.worst,
       (select coalesce(jsonb_agg(jsonb_build_object('action', k.action, 'target', k.target, 'state', k.state) order by k.action), '[]')
        from commands k where k.ruling_id = r.ruling_id) as commands, count(*) over () as of_all
from rulings r join cases c using (case_id) join episodes p using (episode_id)
where r.tenant = %(tenant)s and (r.in_force or %(superseded)s) and (%(outcome)s::text is null or r.outcome = %(outcome)s)
  and (%(council)s::text is null or r.council = %(council)s) and (%(kind)s::text is null or c.kind = %(kind)s)
  and strpos(lower(c.entity), lower(%(typed)s)) > 0
order by r.ruled_at desc, r.ruling_id limit %(most)s offset %(skip)s;

-- name: dashboard_council_tally
-- Rulings in force by outcome and council, with how sure and how quick they were.
select outcome, council, count(*) as rulings, avg(confidence) as confidence,
       percentile_cont(0.5) within group (order by latency_ms) as p50_ms,
       percentile_cont(0.95) within group (order by latency_ms) as p95_ms
from rulings where tenant = %(tenant)s and in_force group by outcome, council order by outcome, council;

-- name: dashboard_council_members
-- How each member voted on the rulings in force, and how often with the outcome.
select o->>'role' as role, o->>'vote' as vote, count(*) as votes,
       count(*) filter (where (o->>'vote' = 'confirm' and r.outcome = 'confirmed')
                           or (o->>'vote' = 'dismiss' and r.outcome = 'dismissed')) as with_outcome,
       count(*) filter (where coalesce((o->>'veto')::boolean, false)) as vetoes
from rulings r, jsonb_array_elements(r.opinions) o
where r.tenant = %(tenant)s and r.in_force group by 1, 2 order by 1, 2;
