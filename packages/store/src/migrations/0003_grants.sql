-- A spending grant that this gateway serves. What was ever spent under it is counted here, for nobody else may spend it;
-- what is on its way is the sum of its forwarded requests.
create table grants (
  grant_id text primary key,
  payer text not null,
  -- the grant, canonical JSON
  terms text not null,
  -- OPG base units: terms as numbers, 0 = no hourly limit
  max_total numeric(39, 0) not null,
  rate_per_hour numeric(39, 0) not null,
  -- counter of the next call; never goes back, and may leave gaps
  next_counter bigint not null default 1,
  -- prices of all recorded calls, OPG base units
  spent numeric(39, 0) not null default 0,
  created_at timestamptz not null default now()
);

-- Only the hash of a key: the key itself never comes here but with a request.
create table api_keys (
  key_hash text primary key,
  grant_id text not null references grants,
  revoked boolean not null default false,
  created_at timestamptz not null default now()
);

create index api_keys_by_grant on api_keys (grant_id);

-- What was spent under a grant in each minute (Unix seconds / 60), for its hourly limit.
create table grant_minutes (
  grant_id text not null references grants,
  minute bigint not null,
  amount numeric(39, 0) not null,
  primary key (grant_id, minute)
);

-- A request under a grant: which, and its place there.
alter table requests
  add column grant_id text references grants,
  add column counter bigint,
  add constraint requests_counter unique (grant_id, counter);

create index requests_under_grant on requests (grant_id) where state = 'forwarded' and grant_id is not null;
