"""Delivery: each official gets the pages that are theirs, over their channels, once; every attempt is on record.

`ledger` is the record (table delivery.attempt), `messages` what is said, the channels (`mail`, `robots`, `folder`) how it
gets there, `courier` puts them together; `sign_off` is the decision about public figures, `steps` what the DAGs call.
docs/decisions/delivery-once.md says what happens when a sender dies.
"""
