"""The marts that are published: where readers find each of them, and what they see of it."""

# Marts as dbt builds them, by the schema in which readers find them.
READER_SCHEMAS = {
    "obligation": "reporting",
    "due": "reporting",
    "overdue": "reporting",
    "compliance_daily": "reporting",
    "due_forecast": "reporting",
    "risk_zone": "reporting",
    "control": "reporting",
    "sampling_unit_daily": "reporting",
    "sampling_proposal": "reporting",
    "screening_round": "reporting",
    "screening_building": "reporting",
    "screening_outstanding": "reporting",
    "screening_progress": "reporting",
    "vaccination_60plus": "reporting",
    "disinfection_daily": "reporting",
    "terminal_disinfection": "reporting",
    "readiness": "reporting",
    "grid_population": "reporting",
    "town_state": "reporting",
    "contact_clock": "reporting",
    "push_clearance": "reporting",
    "push_outstanding": "reporting",
    "pool_followup": "reporting",
    "pharmacy_followup": "reporting",
    "signal": "reporting",
    "unscheduled": "reporting",
    "feed_quality": "reporting",
    "rejection_summary": "reporting",
    "rejection_by_sender": "reporting",
    "restatement": "reporting",
    "zone_blocker": "reporting",
    "zone_stay_summary": "reporting",
    "zone_history": "reporting",
    "quality_check": "reporting",
    "delivery_outcome": "reporting",
    "public_figure": "reporting_public",
    "responsibility": "reporting",
    "person": "restricted",
}

# Marts that readers see for every published business date: the newest publication of each.
HISTORY = frozenset({"compliance_daily"})

# The one mart that is not dbt's: what the audit found of this build.
FINDINGS = "quality_check"
# Marts that readers see only of the newest publication that was signed off (article 31).
SIGNED_OFF = frozenset({"public_figure"})
