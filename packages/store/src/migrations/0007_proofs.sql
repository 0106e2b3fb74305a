-- A receipt of mode zk waits for its proof before it waits for a batch: unproven, then outbox.
alter table receipts drop constraint receipts_state_check;

alter table receipts add constraint receipts_state_check check (state in ('unproven', 'outbox', 'batched', 'expired'));

create index receipts_unproven on receipts (created_at) where state = 'unproven';

-- What the batch file holds beside such a receipt: bodies, card and proof, canonical JSON.
create table proofs (
  request_id text primary key references receipts,
  attachment text not null,
  created_at timestamptz not null default now()
);
