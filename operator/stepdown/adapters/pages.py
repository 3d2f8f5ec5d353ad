"""Deployments of status pages on the real API server: made and taken away, nothing else.

What is made is ours (ports.Pages); objects of users are only ever patched.
"""

from stepdown.adapters.api import Api
from stepdown.adapters.denials import Denials
from stepdown.adapters.paths import object_path
from stepdown.ports import Conflict, Object, Refused

KIND = "Deployment"


class KubernetesPages:
    """ports.Pages on the real API server. `opt_in` is the command that lets the operator into a namespace."""

    def __init__(self, api: Api, opt_in: str = "") -> None:
        self._api = api
        self._denials = Denials(opt_in)

    async def make(self, namespace: str, deployment: Object) -> Object:
        """See ports.Pages."""
        path = object_path(namespace, KIND)
        self._denials.check("create", path)
        try:
            made = await self._api.post(path, deployment)
        except Conflict:
            raise
        except Refused as error:
            raise self._denials.denied("create", path, namespace, error) from None
        self._denials.granted("create", path)
        return made

    async def remove(self, namespace: str, name: str, uid: str) -> None:
        """See ports.Pages."""
        path = object_path(namespace, KIND, name)
        try:
            await self._api.delete(path, uid)
        except Refused as error:
            if error.status not in (404, 409):  # 409: another one has its name, so this one is gone
                raise
