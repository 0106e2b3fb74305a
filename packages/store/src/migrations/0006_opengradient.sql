-- What enclaves said of answers in OpenGradient's wire format, for the settlement events of that profile. Hashes only, and
-- none of a call that was asked for under `private`. Written before the answer's receipt is, so a row may lack one.
create table opengradient_statements (
  request_id text primary key,
  -- 'batch': told of in a tree with others; 'individual': in an event of its own
  settlement text not null check (settlement in ('batch', 'individual')),
  tee_id text not null,
  request_hash text not null,
  output_hash text not null,
  -- Unix seconds
  stated_at bigint not null,
  signature text not null,
  -- of the settlement event, once mined
  transaction_hash text,
  created_at timestamptz not null default now()
);

create index opengradient_untold on opengradient_statements (created_at) where transaction_hash is null;
