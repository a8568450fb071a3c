-- The inbox and the case page. A case is a head (`head is null`) with its members.

-- name: dashboard_waiting
-- What else waits for a person, beside the cases: commands to decide, alerts on model calls, messages and sections.
select (select count(*) from commands where tenant = %(tenant)s and state = 'proposed') as proposals,
       (select count(*) from deliveries where tenant = %(tenant)s and state = 'dead') as undelivered,
       (select count(*) from llm_firings where tenant = %(tenant)s and state = 'open') as llm_alerts,
       (select count(*) from section_proposals where tenant = %(tenant)s and state = 'proposed') as sections_proposed,
       (select count(*) from case_files where tenant = %(tenant)s and head is null and assignee = %(actor)s
        and status in ('open', 'acknowledged', 'investigating')) as mine, now() as now;

-- name: dashboard_held_by
-- The maintenance windows that hold cases quiet now.
select w.title, w.ends_at, count(*) as cases
from case_files f join maintenance_windows w on w.tenant = f.tenant and w.window_id = f.held_by
where f.tenant = %(tenant)s and f.head is null and f.status in ('open', 'acknowledged', 'investigating')
group by w.window_id, w.title, w.ends_at order by w.ends_at;

-- name: dashboard_tags
-- Tags in use on cases, the most used first.
select tag, count(*) as cases from case_files, unnest(tags) as tag where tenant = %(tenant)s and head is null
group by tag order by count(*) desc, tag limit 30;

-- name: dashboard_case
-- One case by its id; a member's id leads to its head.
select f.*, now() as now, r.root_cause, r.action
from case_files f left join rulings r on r.tenant = f.tenant and r.ruling_id = f.ruling_id
where f.tenant = %(tenant)s
  and f.case_id = (select coalesce(m.head, m.case_id) from case_files m where m.tenant = %(tenant)s and m.case_id = %(case_id)s);

-- name: dashboard_case_members
-- The episodes in a case, worst first, the head's own among them.
select f.case_id, f.entity, f.kind, f.own_severity as severity, f.revision as hits, f.own_started_at as started_at,
       f.own_last_at as last_at, f.joined_because, f.pattern, f.outcome, f.head is null as is_head
from case_files f where f.tenant = %(tenant)s and (f.case_id = %(case_id)s or f.head = %(case_id)s)
order by f.head is not null, f.own_severity desc, f.case_id limit 200;

-- name: dashboard_case_rulings
-- The rulings in force on a case and its members, the head's first.
select r.*, c.entity, c.kind, c.severity, c.started_at, c.last_at, c.revision as case_revision, p.detectors, p.worst,
       (select coalesce(jsonb_agg(jsonb_build_object('action', k.action, 'target', k.target, 'state', k.state) order by k.action), '[]')
        from commands k where k.ruling_id = r.ruling_id) as commands
from rulings r join cases c using (case_id) join episodes p using (episode_id)
where r.tenant = %(tenant)s and r.in_force
  and r.case_id in (select f.case_id from case_files f
                    where f.tenant = %(tenant)s and (f.case_id = %(case_id)s or f.head = %(case_id)s))
order by r.case_id <> %(case_id)s, c.severity desc, r.ruling_id limit 20;

-- name: dashboard_case_commands
-- The commands of a case and its members, with what their receiver answered.
select k.*, (select jsonb_agg(jsonb_build_object('purpose', n.purpose, 'state', n.state, 'attempts', n.attempts,
                                                 'answer', n.answers -> -1) order by n.created_at)
             from command_runs n where n.tenant = k.tenant and n.command_id = k.command_id) as runs, now() as now
from commands k
where k.tenant = %(tenant)s and k.state <> 'withdrawn'
  and k.case_id in (select f.case_id from case_files f
                    where f.tenant = %(tenant)s and (f.case_id = %(case_id)s or f.head = %(case_id)s))
order by k.state <> 'proposed', k.created_at, k.command_id;

-- name: dashboard_case_anomalies
-- The newest kept anomalies of a case and its members.
select a.anomaly_id, a.episode_id, a.entity, a.ordinal, a.detector, a.event_id, a.event_time, a.value, a.expected, a.low, a.high,
       a.unit, a.severity, a.scores, a.context, a.event
from anomalies a join cases c on c.tenant = a.tenant and c.episode_id = a.episode_id
where a.tenant = %(tenant)s
  and c.case_id in (select f.case_id from case_files f
                    where f.tenant = %(tenant)s and (f.case_id = %(case_id)s or f.head = %(case_id)s))
order by a.event_time desc, a.anomaly_id limit %(most)s;

-- name: dashboard_case_feedback
-- What people think of a case's rulings and anomalies: the newest of each person about each thing.
select distinct on (about, subject_id, actor) feedback_id, about, subject_id, verdict, reason, comment, actor, name, via, at
from feedback where tenant = %(tenant)s
  and case_id in (select f.case_id from case_files f
                  where f.tenant = %(tenant)s and (f.case_id = %(case_id)s or f.head = %(case_id)s))
order by about, subject_id, actor, feedback_id desc;
