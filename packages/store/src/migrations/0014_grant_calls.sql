-- How many calls ever had a place under a grant. Counters are taken in blocks and leave gaps, so they do not tell it; and as
-- it changes with every reservation, it tells one whether another came between its look and its write.
alter table grants add column calls bigint not null default 0;

update grants set calls = next_counter - 1;
