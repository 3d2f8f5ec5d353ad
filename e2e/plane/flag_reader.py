"""A flag document read as an application reads it: by the OpenFeature SDK and its flagd provider, from a file."""

import itertools
from pathlib import Path

from openfeature import api
from openfeature.contrib.provider.flagd import FlagdProvider
from openfeature.contrib.provider.flagd.config import ResolverType
from openfeature.evaluation_context import EvaluationContext

_numbers = itertools.count(1)


def read_flags(text: str, folder: Path, *names: str, email: str = "") -> dict[str, bool]:
    """What an application gets for boolean flags of a document, for a user with this email.

    Raises AssertionError when the SDK falls back to the code's default, because then it couldn't read the flag.
    """
    number = next(_numbers)
    file = folder / f"flags-{number}.json"
    file.write_text(text, encoding="utf-8")
    provider = FlagdProvider(resolver_type=ResolverType.FILE, offline_flag_source_path=str(file))
    domain = f"flags-{number}"
    api.set_provider_and_wait(provider, domain)
    try:
        client = api.get_client(domain)
        found = {}
        for name in names:
            details = client.get_boolean_details(name, False, EvaluationContext(attributes={"email": email}))
            assert details.error_code is None, f"{name}: {details.error_code} {details.error_message}"
            found[name] = bool(details.value)
        return found
    finally:
        provider.shutdown()
