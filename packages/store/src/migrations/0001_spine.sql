-- One row a payment authorisation that was accepted: written before the request goes to a node, so that one payment
-- can never serve two requests, and so that a crash leaves a trace of what was on its way.
create table requests (
  request_id text primary key,
  state text not null check (state in ('forwarded', 'finished', 'failed', 'released')),
  payer text not null,
  -- 1 exact over EIP-3009, 2 upto over Permit2
  scheme smallint not null,
  -- most that may be taken, OPG base units
  authorised numeric(39, 0) not null,
  -- last second at which it can be collected, Unix seconds
  expires_at numeric(78, 0) not null,
  -- what the collecting contract call needs, JSON with integers as strings
  collect text not null,
  model_id text not null,
  node_url text not null,
  request_hash text not null,
  created_at timestamptz not null default now(),
  finished_at timestamptz
);

create index requests_forwarded on requests (created_at) where state = 'forwarded';

-- A batch from the moment its bytes are fixed. Only `state` and what the chain said ever change.
create table batches (
  batch_id text primary key,
  committer text not null,
  height bigint not null,
  root text not null,
  sum numeric(39, 0) not null,
  count bigint not null,
  data_hash text not null,
  -- the batch file, canonical JSON
  file bytea not null,
  state text not null check (state in ('frozen', 'committed', 'attested', 'final', 'void', 'expired')),
  -- of the commit, once mined
  transaction_hash text,
  -- whether everything that can be paid out of it was
  settled boolean not null default false,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (committer, height)
);

create index batches_open on batches (committer, height) where state in ('frozen', 'committed', 'attested') or not settled;

create table receipts (
  request_id text primary key references requests,
  -- canonical JSON, exactly as it is hashed
  receipt text not null,
  signature text not null,
  leaf text not null,
  price numeric(39, 0) not null,
  -- outbox: waits for a batch; batched: stands in batch_id; expired: older than any batch may carry
  state text not null check (state in ('outbox', 'batched', 'expired')),
  batch_id text references batches,
  created_at timestamptz not null default now()
);

create index receipts_outbox on receipts (created_at) where state = 'outbox';

create index receipts_by_batch on receipts (batch_id);

-- The money of one receipt; none where the price is 0.
create table payments (
  request_id text primary key references requests,
  -- OPG base units to take
  amount numeric(39, 0) not null,
  state text not null check (state in ('none', 'submitted', 'locked', 'settled', 'refunded', 'failed')),
  transaction_hash text,
  settle_transaction_hash text,
  attempts integer not null default 0,
  next_attempt_at timestamptz not null default now(),
  failure text,
  updated_at timestamptz not null default now()
);

create index payments_open on payments (next_attempt_at) where state in ('none', 'submitted');
