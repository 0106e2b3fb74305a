-- Answers that their clients asked to have kept, so that the same request may be sent again without being paid again. The
-- only contents in this database; each goes when its time is over.
create table kept_answers (
  -- who asked, authenticated: payer:0x… or key:0x…
  scope text not null,
  -- the client's name of the request
  id text not null,
  request_hash text not null,
  -- null until its payment is claimed
  request_id text,
  status smallint,
  -- JSON of the response headers
  headers text,
  -- null until it is there, where it is too long, and where room was needed
  body bytea,
  created_at timestamptz not null default now(),
  expires_at timestamptz not null,
  primary key (scope, id)
);

create index kept_answers_by_age on kept_answers (expires_at);
