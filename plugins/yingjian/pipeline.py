"""These are the ids of the DAGs, of tasks that code outside of their DAG refers to, and the states of builds and files."""

from __future__ import annotations

from enum import StrEnum


class Dag(StrEnum):
    """Each is a file of the folder `dags`."""

    LANDING = "landing"
    DAILY = "daily"
    MAINTENANCE = "maintenance"
    DELIVERY = "delivery"
    PUBLIC_RELEASE = "public_release"
    SENDERS = "senders"
    REMINDERS = "reminders"
    BOUNCES = "bounces"
    WATCH = "watch"


class Task(StrEnum):
    """Other code refers to these tasks: SIGN_OFF of `public_release`, WAIT_FOR_HOUR of `delivery`, and the others of `daily`."""

    WAIT_FOR_FEEDS = "wait_for_feeds"
    CLAIM_BUILD = "claim_build"
    BUILD = "build"
    RELEASE_BY_HAND = "release_by_hand"
    PUBLISH = "publish"
    SIGN_OFF = "sign_off"
    WAIT_FOR_HOUR = "wait"


MODELS = "models"  # This group of `daily` has a task for each model.
MODEL_TASK = f"{MODELS}."  # The id of a model's task begins so.
REFUSED = ("rejected", "unknown_feed")  # Landing takes no row of a file of `quality.landed_file` with such a status.
