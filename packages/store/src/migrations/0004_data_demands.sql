-- Parts of our batches that somebody demanded on chain, with a deadline: an answer left out costs the bond. A batch that
-- is referred to here cannot be deleted, and its file is never null: what may be demanded is there to be shown.
create table data_demands (
  challenge_id text primary key,
  batch_id text not null references batches,
  -- 0 a chunk of the file, 1 the receipt at a place under the root
  part smallint not null check (part in (0, 1)),
  index integer not null,
  -- block of the demand; deadlines are in this order
  block bigint not null,
  -- open: to be answered; answered: by anybody; missed: nobody did in time; gone: the chain does not hold it
  state text not null default 'open' check (state in ('open', 'answered', 'missed', 'gone')),
  -- of our answer
  transaction_hash text,
  attempts integer not null default 0,
  next_attempt_at timestamptz not null default now(),
  created_at timestamptz not null default now()
);

create index data_demands_open on data_demands (block, batch_id) where state = 'open';

-- How far the chain's events were read: all blocks below this one.
create table event_cursors (
  name text primary key,
  block bigint not null
);
