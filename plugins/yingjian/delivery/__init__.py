"""Delivery: each official gets the pages that are theirs, over their channels, once; every attempt is on record.

`ledger` is the record (table delivery.attempt), `messages` what is said, the channels (`mail`, `robots`, `folder`) how it
gets there, `courier` puts them together. docs/decisions/delivery-once.md says what happens when a sender dies.
"""

from yingjian.delivery.courier import Delivered, deliver, plan
from yingjian.delivery.errors import Bounced, MaybeSent, NotSent
from yingjian.delivery.recipients import Recipient, recipients, signatories

__all__ = [
    "Bounced",
    "Delivered",
    "MaybeSent",
    "NotSent",
    "Recipient",
    "deliver",
    "plan",
    "recipients",
    "signatories",
]
