-- What a reader keeps: saved filters and the time zone.

-- name: dashboard_filters
-- One reader's filters of one page, by name.
select name, query from saved_filters where tenant = %(tenant)s and owner = %(owner)s and page = %(page)s order by name;

-- name: dashboard_filter_put
-- Keep a filter under a name; the same name again replaces it.
insert into saved_filters (tenant, owner, page, name, query) values (%(tenant)s, %(owner)s, %(page)s, %(name)s, %(query)s)
on conflict (tenant, owner, page, name) do update set query = excluded.query, created_at = now();

-- name: dashboard_filter_drop
-- Forget a filter.
delete from saved_filters where tenant = %(tenant)s and owner = %(owner)s and page = %(page)s and name = %(name)s;

-- name: dashboard_zone
-- The time zone a reader chose.
select zone from reader_preferences where tenant = %(tenant)s and owner = %(owner)s;

-- name: dashboard_zone_put
-- Keep a reader's choice of time zone.
insert into reader_preferences (tenant, owner, zone) values (%(tenant)s, %(owner)s, %(zone)s)
on conflict (tenant, owner) do update set zone = excluded.zone;
