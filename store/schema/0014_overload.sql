-- Overload: what is over the docket's depth is filed with a receipt and heard later, never lost; and how far the streams are behind.
alter table docket drop constraint docket_state_check;
alter table docket add constraint docket_state_check check (state in ('waiting', 'leased', 'done', 'dead', 'shed'));
alter table docket drop constraint docket_reason_check;
alter table docket add constraint docket_reason_check check (reason in ('new', 'grown', 'rehear', 'retry', 'unshed'));
alter table docket add column lowered boolean not null default false;  -- of the immediate lane, heard in the batch lane for want of room

-- Why a case was not heard when it came, and when it went back: one row each time.
create table docket_receipts (
  receipt_id    bigint generated always as identity,
  tenant        text not null,
  case_id       text not null references cases on delete cascade,
  kind          text not null check (kind in ('filed', 'lowered')),  -- off the docket, or from the immediate into the batch lane
  revision      integer not null,                -- of the case, as it was then
  severity      double precision not null,
  expected_loss double precision,                -- in `loss_currency`; null is unknown, not 0
  loss_currency text not null,
  loss_words    text not null,                   -- how it was reckoned, or why it is unknown
  weight        double precision not null,       -- what ordered the cases: that loss, or an assumed stake × severity
  rank          integer not null,                -- 1 is the case with the most to lose
  of_all        integer not null,                -- so many stood in the lane
  policy        jsonb not null,                  -- the settings that decided: {max_depth, …}
  why           text not null,
  at            timestamptz not null default clock_timestamp(),
  returned_at   timestamptz,                     -- null: it is still filed, or not heard yet
  returned_because text,                         -- unshed | grown | retry | heard
  primary key (tenant, receipt_id)
);
create unique index one_open_receipt on docket_receipts (case_id, kind) where returned_at is null;
create index docket_receipts_by_case on docket_receipts (tenant, case_id);
create index docket_receipts_open on docket_receipts (weight desc) where kind = 'filed' and returned_at is null;

-- Whichever way a case goes back to the docket, its receipt says so.
create function close_receipts() returns trigger language plpgsql as $$
begin
  update docket_receipts set returned_at = clock_timestamp(), returned_because = case when new.state = 'done' then 'heard' else new.reason end
  where case_id = new.case_id and returned_at is null;
  return null;
end $$;
create trigger receipts_are_closed after update on docket for each row
  when (old.state = 'shed' and new.state <> 'shed' or old.lowered and not new.lowered) execute function close_receipts();

-- What waits for each stream. Detect: rows that ingest's ledger has and detect's has not, counted from the last batch that ended with
-- a whole bronze version (a row number holds its ingest batch above 35 bits). Ingest: what its process last said of its source.
create view stream_lag as
with folding as (select query_id from batches where job = 'detect' order by committed_at desc limit 1),
taking as (select query_id from batches where job = 'ingest' order by committed_at desc limit 1),
whole as (
  select b.batch_id, (b.detail ->> 'newest_row')::bigint >> 35 as ingested from batches b join folding using (query_id)
  where b.job = 'detect' and coalesce((b.offsets -> 'ends' -> 0 ->> 'index')::bigint, -1) < 0 and b.detail ? 'newest_row'
  order by b.batch_id desc limit 1),
since as (select coalesce((select ingested from whole), -1) as ingested, coalesce((select batch_id from whole), -1) as folded),
ingested as (
  select coalesce(sum(b.accepted), 0) as accepted, min(b.committed_at) filter (where b.accepted > 0) as oldest
  from batches b join taking using (query_id), since where b.job = 'ingest' and b.batch_id > since.ingested),
folded as (
  select coalesce(sum(b.events), 0) as events
  from batches b join folding using (query_id), since where b.job = 'detect' and b.batch_id > since.folded)
select 'detect' as job, greatest(i.accepted - f.events, 0)::bigint as waiting, 'rows' as unit,
       case when i.accepted > f.events then greatest(extract(epoch from clock_timestamp() - i.oldest), 0) else 0 end::double precision as oldest_s,
       clock_timestamp() as at
from ingested i, folded f where exists (select from taking)
union all
(select 'ingest', (detail -> 'lag' ->> 'waiting')::bigint, detail -> 'lag' ->> 'unit', (detail -> 'lag' ->> 'oldest_s')::double precision, seen_at
 from workers where job = 'ingest' and detail ? 'lag' order by seen_at desc limit 1);

select guard_tenants();
