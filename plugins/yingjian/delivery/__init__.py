"""Each official gets the pages of their part of the town over their channels, at most once; every attempt is recorded.

`ledger` keeps the record (table delivery.attempt), `messages` writes the messages, the channels (`mail`, `robots`,
`folder`) send them, and `courier` makes the attempts. `sign_off` holds the decision about public figures. The DAGs call
`orchestration.delivery_tasks`. docs/decisions/delivery-once.md says what happens when the process dies.
"""
