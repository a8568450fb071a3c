-- name: state_batches
-- What the detect job's ledger says of each batch that held events, in order.
select batch_id, events, entities, state_bytes, detail from batches where job = 'detect' and events > 0 order by committed_at, batch_id

-- name: flagged_events
-- Ids of the events that were flagged.
select event_id from anomalies order by event_id

-- name: digest_anomalies
-- Every anomaly with its evidence as one digest, and their number: equal for equal findings.
select count(*)::int as rows, md5(string_agg(md5(row(anomaly_id, episode_id, ordinal, entity, detector, event_id, event_time, value,
  expected, low, high, window_size, severity, scores)::text), '' order by anomaly_id)) as digest from anomalies

-- name: digest_hours
-- The same of the hourly metrics.
select count(*)::int as rows, md5(string_agg(md5(row(entity_hash, bucket, count, sum, sum_squares, min, max, anomalies, late,
  duplicates)::text), '' order by entity_hash, bucket)) as digest from metrics_hour

-- name: digest_episodes
-- The same of the episodes.
select count(*)::int as rows, md5(string_agg(md5(row(episode_id, entity, revision, started_at, last_at, first_event_id, last_event_id,
  severity, detectors)::text), '' order by episode_id)) as digest from episodes
