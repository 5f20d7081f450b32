-- Pages go to grids as well.
comment on column delivery.attempt.audience_kind is 'office, department, community or grid: whose pages they are; sender: whose rows.';
