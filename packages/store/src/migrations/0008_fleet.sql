-- Gateway processes that share this database, by the id that each draws when it starts.
create table gateways (
  instance text primary key,
  started_at timestamptz not null default now(),
  seen_at timestamptz not null default now()
);

-- Which process relays a request: only what a process leaves behind when it dies is ended by the others.
alter table requests
  add column instance text,
  -- W3C traceparent of the call, where it is traced
  add column trace text;

drop index requests_forwarded;

create index requests_forwarded on requests (instance, created_at) where state = 'forwarded';

create index requests_open_by_payer on requests (payer) where state = 'forwarded' and grant_id is null;

-- What a payer still owes is asked for at every call.
alter table payments add column payer text;

update payments set payer = requests.payer from requests where requests.request_id = payments.request_id;

alter table payments alter column payer set not null;

create index payments_open_by_payer on payments (payer) where state in ('none', 'submitted', 'locked');

-- A duty that one gateway at a time sees to, whichever comes first; it lapses when that one does not come back to it.
create table leases (
  name text primary key,
  holder text not null,
  until timestamptz not null
);

-- Number of the last journal entry that this database holds; used by the embedded engine alone.
create table journal (
  only_row boolean primary key default true check (only_row),
  applied bigint not null
);

insert into journal (applied) values (0);
