-- name: put_message
-- Once per dedupe key; the dispatcher is told at commit.
with put as (
  insert into messages (tenant, topic, kind, subject, entity, severity, title, payload, dedupe_key)
  values (%(tenant)s, %(topic)s, %(kind)s, %(subject)s, %(entity)s, %(severity)s, %(title)s, %(payload)s, %(dedupe_key)s)
  on conflict (tenant, dedupe_key) do nothing returning topic)
select pg_notify('messages', topic) from put;
