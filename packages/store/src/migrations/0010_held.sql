-- What collecting a payment takes from its payer: all that was authorised (exact), the price (upto), nothing where a
-- deposit pays. Every call sums it over its payer's open payments, so it stands where they do.
alter table payments add column held numeric(39, 0);

update payments set held =
  case when q.grant_id is not null then 0 when q.scheme = 1 then q.authorised else payments.amount end
  from requests q where q.request_id = payments.request_id;

alter table payments alter column held set not null;

-- Apart, for those in escrow are many and only the latest of them count.
drop index payments_open_by_payer;

create index payments_open_by_payer on payments (payer) include (held) where state in ('none', 'submitted');

create index payments_locked_by_payer on payments (payer, updated_at) include (held) where state = 'locked';
