-- name: judged_cases
-- Every case with the outcome of its ruling in force, for comparison with labels.
select c.case_id, c.entity, c.started_at, c.last_at, r.outcome
from cases c left join rulings r on r.case_id = c.case_id and r.in_force
where c.tenant = %(tenant)s
order by c.case_id

-- name: flagged_points
-- Where and when something was flagged.
select entity, event_time from anomalies where tenant = %(tenant)s order by entity, event_time
