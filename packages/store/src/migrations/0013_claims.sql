-- Names one claim of a payment among all that ever were, so that what is late for one of them never touches the next.
alter table requests add column claim_id text;
