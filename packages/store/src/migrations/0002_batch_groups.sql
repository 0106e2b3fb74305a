-- What the chain is told of a batch: its rows by node, and what its receipts put at risk.
alter table batches
  add column exposure numeric(39, 0) not null default 0,
  -- JSON array of {node, top, sum, exposure, count}, integers as decimal strings
  add column groups text not null default '[]';

alter table batches alter column exposure drop default, alter column groups drop default;
