-- What a payer called lately is added up over all gateways, where they limit it.
create index requests_by_payer on requests (payer, created_at);
