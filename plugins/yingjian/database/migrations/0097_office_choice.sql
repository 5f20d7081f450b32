-- The office decides whether its BI tool sees in which grid a person lives (docs/decisions/small-cells.md).
create table access.office_choice (
    is_only_row boolean primary key default true check (is_only_row),
    shows_grids boolean not null default true
);
comment on table access.office_choice is 'One row: what the office decided about what its own logins see.';
comment on column access.office_choice.is_only_row is 'Always true: keeps the table at one row.';
comment on column access.office_choice.shows_grids is 'Whether logins of the office see grid and building in rows of persons.';
insert into access.office_choice default values;
