"""Checks that an address is that of a Ray cluster which lets this process in. Ray itself would try for a while."""

import os
import socket
from pathlib import Path

from isozyme.search.executors.protocol import SetupFailed

_SECONDS = 3.0  # that an answer may take
# Any call would do: it is answered, or refused for want of a token, or unknown to the version of Ray that is there.
_CALL = "/ray.rpc.NodeInfoGcsService/GetClusterId"


def check_address(address: str) -> str:
    """Returns the HOST:PORT of the cluster at `address`; 'auto' means the one that `ray start` started here.

    Ray sends the user's token if the variable RAY_AUTH_MODE says so. A cluster that asks for a token has to get it, and
    any other cluster must not. So the variable is set here, unless the user has set it. Ray reads it while it is
    imported.

    Raises:
      SetupFailed: it is no address, or nobody answers, or something else than Ray, or the token is not accepted.
    """
    found = _own_address() if address == "auto" else address
    host, colon, port = found.rpartition(":")
    if not colon or "/" in host or not port.isdigit() or not 0 < int(port) < 65536:
        raise SetupFailed(f"--address={found}: not an address; write auto or HOST:PORT")
    try:
        socket.create_connection((host, int(port)), timeout=_SECONDS).close()
    except OSError as error:
        raise SetupFailed(f"--address={found}: nobody answers ({error}); start the cluster, or leave it out") from error
    if os.environ.get("RAY_USE_TLS", "0") != "0":
        return found
    if _lets_in(found, None):
        os.environ.setdefault("RAY_AUTH_MODE", "disabled")
        return found
    token = _token()
    remedy = "copy ~/.ray/auth_token from the cluster's head"
    if not token or os.environ.setdefault("RAY_AUTH_MODE", "token") != "token":
        raise SetupFailed(f"--address={found}: the cluster asks for a token; {remedy}")
    if not _lets_in(found, token):
        raise SetupFailed(f"--address={found}: the cluster does not accept the token; {remedy}")
    return found


def _own_address() -> str:
    """Returns the address of the last cluster that was started on this machine, or joined by it."""
    if address := os.environ.get("RAY_ADDRESS"):
        return address
    folder = os.environ.get("RAY_TMPDIR") or os.environ.get("TMPDIR") or "/tmp"
    try:
        return Path(folder, "ray", "ray_current_cluster").read_text().strip()
    except OSError:
        what = "no Ray cluster runs on this machine; start one with `ray start`, name it as HOST:PORT, or leave it out"
        raise SetupFailed(f"--address=auto: {what}") from None


def _lets_in(address: str, token: str | None) -> bool:
    """Tells whether the cluster accepts a call with this token, or without any."""
    import grpc

    with grpc.insecure_channel(address) as channel:
        call = channel.unary_unary(_CALL)
        try:
            call(b"", timeout=_SECONDS, metadata=(("authorization", f"Bearer {token}"),) if token else ())
        except grpc.RpcError as error:
            code = error.code()  # pyright: ignore[reportAttributeAccessIssue]
            if code in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED):
                what = "what answers is not Ray; name the port of the cluster's head"
                raise SetupFailed(f"--address={address}: {what}") from error
            return code is not grpc.StatusCode.UNAUTHENTICATED
    return True


def _token() -> str:
    """Returns the user's token from where Ray looks for it, or an empty text."""
    if token := os.environ.get("RAY_AUTH_TOKEN"):
        return token.strip()
    path = Path(os.environ.get("RAY_AUTH_TOKEN_PATH") or Path.home() / ".ray" / "auth_token")
    try:
        return path.read_text().strip()
    except OSError:
        return ""
