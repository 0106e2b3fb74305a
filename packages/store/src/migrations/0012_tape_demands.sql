-- 2: the tape beside the receipt at a place under the root
alter table data_demands drop constraint data_demands_part_check;
alter table data_demands add constraint data_demands_part_check check (part in (0, 1, 2));
