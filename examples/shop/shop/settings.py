"""What a pod is told by its environment."""

import os
from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """Where the others are, and how much is done at once. What a service doesn't need may be empty."""

    service: str = os.environ.get("SERVICE", "")
    """The name in metrics: the Deployment's."""
    served_by: str = os.environ.get("SERVED_BY", "full")
    """What the storefront's pages say who served them."""
    database: str = os.environ.get("DATABASE_HOST", "")
    """Host of the PostgreSQL server to read from, and to write to unless it is the replica."""
    password: str = os.environ.get("SHOP_PASSWORD", "")
    flags: str = os.environ.get("FLAGS_FILE", "/flags/flags.json")
    """The flag document: a mounted ConfigMap."""
    catalogue: str = os.environ.get("CATALOGUE_URL", "")
    checkout: str = os.environ.get("CHECKOUT_URL", "")
    recommendations: str = os.environ.get("RECOMMENDATIONS_URL", "")
    notifications: str = os.environ.get("NOTIFICATIONS_URL", "")
    payments_primary: str = os.environ.get("PAYMENTS_PRIMARY_URL", "")
    payments_secondary: str = os.environ.get("PAYMENTS_SECONDARY_URL", "")
    email: str = os.environ.get("EMAIL_URL", "")
    sms: str = os.environ.get("SMS_URL", "")
    book: str = os.environ.get("BOOK_FILE", "/tmp/book")
    """Where a company outside keeps what it did."""
    workers: int = int(os.environ.get("WORKERS", "8"))
    """Requests that are worked on at once."""
    line: int = int(os.environ.get("LINE", "16"))
    """Requests that wait for a worker; one more gets 503."""
