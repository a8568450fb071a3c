-- name: ingest_details
-- What the ingest job noted of each batch, in order.
select batch_id, events, accepted, quarantined, detail from batches where job = 'ingest' and events > 0 order by batch_id;
