"""Requests with the operator's own token about status pages: what it sends, and what a thief would.

`{ns}` stands for a namespace where `stepdown-page-shop` is one of its pages.
"""

import copy
from collections.abc import Callable
from typing import Any

from plane.api import Object
from plane.operator_writes import DEPLOYMENT, JSON_PATCH, Write, patch
from stepdown import __version__
from stepdown.actions.page_deployment import DIGEST, Owner, PageImage, page_deployment
from stepdown.actions.status_page import PagePort
from stepdown.api.actions import StatusPageAction

IMAGE = PageImage(f"ghcr.io/stepdown-dev/stepdown:{__version__}")
PAGES = DEPLOYMENT.removesuffix("/shop")
TEMPLATE = "/spec/template/spec"
CONTAINER = f"{TEMPLATE}/containers/0"
NOTED = "/metadata/annotations/" + DIGEST.replace("/", "~1")


def page(name: str = "stepdown-page-shop", port: int = 80, uid: str = "0b9d1a52-6c1c-4c0f-9a53-2f1a7a3e9c11") -> Object:
    """A page as the operator makes it, by its own code; `uid` is its policy's."""
    action = StatusPageAction(message="Back soon.")
    return page_deployment(name, action, [PagePort(port, "http")], Owner("shop", uid), IMAGE)


def made(change: Callable[[Object, Object, Object], Any] = lambda _d, _p, _c: None) -> Write:
    """The creation of a page, changed: the Deployment, the spec of its pods, and their container."""
    found = copy.deepcopy(page("stepdown-page-new"))
    pod = found["spec"]["template"]["spec"]
    change(found, pod, pod["containers"][0])
    return Write("POST", PAGES, found)


def variable(name: str) -> Object:
    """A variable that is filled from a Secret."""
    return {"name": name, "valueFrom": {"secretKeyRef": {"name": "shop", "key": "token"}}}


PAGE_ABUSES: dict[str, Write] = {
    "a page of another image": made(lambda _d, _p, c: c.update(image="evil")),
    "a page with another image beside it": made(lambda _d, p, c: p["containers"].append({**c, "name": "two"})),
    "a page that is set up by another image": made(
        lambda _d, p, _c: p.update(initContainers=[{"name": "first", "image": "evil"}])
    ),
    "a page that runs something else": made(lambda _d, _p, c: c.update(command=["sh", "-c", "id"])),
    "the operator run as a page": made(lambda _d, _p, c: c.update(args=["run"])),
    "a page that runs something to see whether it is well": made(
        lambda _d, _p, c: c.update(livenessProbe={"exec": {"command": ["id"]}})
    ),
    "a page that runs something at its start": made(
        lambda _d, _p, c: c.update(lifecycle={"postStart": {"exec": {"command": ["id"]}}})
    ),
    "a page that asks another host whether it is well": made(
        lambda _d, _p, c: c["readinessProbe"]["httpGet"].update(host="169.254.169.254")
    ),
    "a page with a Secret in a variable": made(lambda _d, _p, c: c.update(env=[variable("TOKEN")])),
    "a page with a Secret in a volume": made(
        lambda _d, p, _c: p.update(volumes=[{"name": "secret", "secret": {"secretName": "shop"}}])
    ),
    "a page with a token": made(lambda _d, p, _c: p.update(automountServiceAccountToken=True)),
    "a page under an account": made(lambda _d, p, _c: p.update(serviceAccountName="admin")),
    "a page in the node's network": made(
        lambda _d, p, _c: p.update(hostNetwork=True, securityContext={"runAsNonRoot": True})
    ),
    "a page on a port of the node": made(lambda _d, _p, c: c["ports"][0].update(hostPort=80)),
    "a page on a chosen node": made(lambda _d, p, _c: p.update(nodeName="fake-node")),
    "a page that may be root": made(lambda _d, p, _c: p["securityContext"].update(runAsNonRoot=False)),
    "a page that may write its disk": made(lambda _d, _p, c: c["securityContext"].update(readOnlyRootFilesystem=False)),
    "a page with a capability": made(lambda _d, _p, c: c["securityContext"]["capabilities"].update(add=["NET_ADMIN"])),
    "a page that changes the kernel": made(
        lambda _d, p, _c: p["securityContext"].update(sysctls=[{"name": "kernel.msgmax", "value": "1"}])
    ),
    "a page whose pods another Service selects": made(
        lambda d, _p, _c: d["spec"]["template"]["metadata"]["labels"].update(app="shop")
    ),
    "a page with an annotation on its pods": made(
        lambda d, _p, _c: d["spec"]["template"]["metadata"].update(annotations={"example.com/inject": "true"})
    ),
    "a page of a thousand pods": made(lambda d, _p, _c: d["spec"].update(replicas=1000)),
    "a page of nobody": made(lambda d, _p, _c: d["metadata"].pop("ownerReferences")),
    "a page of somebody else": made(
        lambda d, _p, _c: d["metadata"]["ownerReferences"][0].update(kind="Secret", apiVersion="v1")
    ),
    "a page under another name": made(lambda d, _p, _c: d["metadata"].update(name="shop-2")),
    "a page with a finalizer": made(lambda d, _p, _c: d["metadata"].update(finalizers=["example.com/held"])),
    "a page turned into something else": patch(
        DEPLOYMENT.replace("shop", "stepdown-page-shop"), ("replace", f"{CONTAINER}/image", "evil")
    ),
    "somebody's Deployment turned into a page": patch(
        DEPLOYMENT, ("replace", TEMPLATE, page()["spec"]["template"]["spec"])
    ),
    "a page of another policy": patch(
        DEPLOYMENT.replace("shop", "stepdown-page-shop"), ("replace", "/metadata/ownerReferences/0/name", "other")
    ),
}

PAGE_NEEDED: dict[str, Write] = {
    "a page": made(),
    "a page on a port above 1024": Write("POST", PAGES, page("stepdown-page-new", 8080)),
    "a page that is pulled with a Secret": made(lambda _d, p, _c: p.update(imagePullSecrets=[{"name": "registry"}])),
    "another message on a page": Write(
        "PATCH",
        DEPLOYMENT.replace("shop", "stepdown-page-shop"),
        [
            {"op": "add", "path": NOTED, "value": "0123456789abcdef"},
            {"op": "replace", "path": f"{CONTAINER}/args/1", "value": "--message=Later."},
        ],
        JSON_PATCH,
    ),
    "a page deleted": Write("DELETE", DEPLOYMENT.replace("shop", "stepdown-page-shop")),
}
