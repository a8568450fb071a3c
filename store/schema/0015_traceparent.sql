-- The way of a batch to its rulings, for OpenTelemetry. A transaction that belongs to a span says so (store/carried.py), and the rows
-- that others go on from keep it as a W3C traceparent; without spans it stays null and costs nothing.
alter table batches add column traceparent text default nullif(current_setting('conclave.traceparent', true), '');  -- span of the batch
alter table docket add column traceparent text default nullif(current_setting('conclave.traceparent', true), '');   -- span of the batch that put the case there
alter table rulings add column traceparent text;   -- span of the ruling, to which commands and deliveries belong

create function docket_goes_on() returns trigger language plpgsql as $$
begin
  new.traceparent := current_setting('conclave.traceparent', true);
  return new;
end $$;

-- A case that comes back to the docket belongs to the batch that brought it.
create trigger docket_follows_its_batch before update on docket for each row
  when (new.state = 'waiting' and old.state <> 'waiting' and coalesce(current_setting('conclave.traceparent', true), '') <> '')
  execute function docket_goes_on();

-- Counted at each scrape, so that no scan of what is done for good is needed.
create index docket_off on docket (state) where state in ('dead', 'shed');
create index deliveries_dead on deliveries (tenant) where state = 'dead';

select guard_tenants();
