-- Payments that are locked for an answer that no batch will ever make final: they go back to their payers.
create index receipts_expired on receipts (request_id) where state = 'expired';

create index payments_stranded on payments (next_attempt_at) where state in ('locked', 'failed');
