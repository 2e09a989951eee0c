"""Where work is done: by processes of this machine, or behind the address of a scheduler."""

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from ..errors import ExplorerError
from ..machine.environment import usable_cores
from ..machine.optional_packages import optional
from .address import ClusterAddress

REACH_S = 5.0  # until a scheduler has to answer
REFUSED = ("SSL", "certificate")  # in the error of a connection that was refused for its certificates
PLAIN = "WRONG_VERSION_NUMBER"  # ... whose other end does not use TLS
MOST_TRIES = 5  # workers that may end at the same piece of work


class Workplace:
    """An address, and the processes that are started for it.

    Args:
        started: a cluster object of Dask's that is used in place of own processes.
    Raises:
        ExplorerError: distributed is not installed.
    """

    def __init__(self, address: ClusterAddress, started: Any = None):
        self.address, self.started = address, started
        self._distributed = optional("distributed")
        self._local: Any = None

    def client(self, patience: float) -> Any:
        """Return a new client of Dask's.

        Args:
            patience: seconds to wait for a scheduler.
        Raises:
            ExplorerError: distributed cannot be used, or nothing answers at the address.
        """
        if self.address.kind == "local":
            if self.started is None and self._local is None:
                self._local = self._own_processes(self.address.workers or usable_cores())
            return self._distributed.Client(self.started or self._local, set_as_default=False)
        security = self._security()
        try:
            with ThreadPoolExecutor(1) as apart:  # the caller's thread may run a loop, as in a notebook
                apart.submit(lambda: asyncio.run(self._greet(security))).result()
            return self._distributed.Client(
                self.address.text, security=security, timeout=patience, set_as_default=False
            )
        except (OSError, TimeoutError, ValueError, MemoryError) as error:
            why = str(error) or str(error.__cause__ or type(error).__name__)
            raise ExplorerError(self._unreachable(" ".join(why.split())[:240])) from error

    def _unreachable(self, why: str) -> str:
        """Return a sentence for the user: nobody is there, or somebody who talks otherwise."""
        if self.address.kind == "tls" and PLAIN in why:
            return (
                f"The scheduler at {self.address} does not use TLS ({why}); start it with certificates, or "
                "use tcp:// in a network that you trust."
            )
        if self.address.kind == "tls" and any(word in why for word in REFUSED):
            return (
                f"The scheduler at {self.address} and this program do not accept each other's certificates "
                f"({why}); give ones that are valid today and signed by the authority in --cluster-ca, which "
                "must be the scheduler's, too."
            )
        tls = ", use tls:// if it has certificates" if self.address.kind == "tcp" and "closed" in why else ""
        return (
            f"No scheduler answers at {self.address} ({why}); start one with 'dask scheduler'{tls}, or use "
            "--cluster local."
        )

    async def _greet(self, security: Any) -> None:
        """Ask whether a scheduler is there: a client that waits for one in vain cannot be closed quickly."""
        how = (security or self._distributed.Security()).get_connection_args("client")
        comm = await optional("distributed.comm").connect(self.address.text, timeout=REACH_S, **how)
        comm.abort()

    def _own_processes(self, count: int) -> Any:
        """Start processes of this machine that only this user can reach."""
        optional("cryptography")
        config = {
            "distributed.scheduler.allowed-failures": MOST_TRIES,
            "distributed.worker.memory.terminate": False,  # the system decides, not a share of the memory
            "distributed.worker.memory.pause": False,
            "distributed.worker.memory.spill": False,
            "distributed.worker.memory.target": False,
            "distributed.scheduler.http.routes": [],  # it is there without a dashboard, too, for everybody
        }
        with optional("dask.config").set(config):
            return self._distributed.LocalCluster(
                n_workers=count,
                threads_per_worker=1,
                host="127.0.0.1",
                dashboard_address="127.0.0.1:0",  # with None, the usual port: taken as soon as there are two
                scheduler_kwargs={"dashboard": False},
                security=True,
                silence_logs=logging.CRITICAL,
            )

    def _security(self) -> Any:
        """Return what Dask's client needs for TLS; None without it.

        Raises:
            ExplorerError: a certificate or key is missing or cannot be read.
        """
        files = {
            "tls_ca_file": self.address.ca,
            "tls_client_cert": self.address.certificate,
            "tls_client_key": self.address.key,
        }
        given = {name: file for name, file in files.items() if file}
        if self.address.kind != "tls":
            return None
        for file in given.values():
            if not Path(file).is_file():
                raise ExplorerError(
                    f"There is no file {file[-80:]!r}; give the certificates for {self.address} in PEM form."
                )
        security = self._distributed.Security(require_encryption=True, **given)
        try:
            context = security.get_connection_args("client").get("ssl_context")
        except (OSError, ValueError) as error:  # as of ssl
            raise ExplorerError(
                f"The certificates for {self.address} cannot be read ({error}); each file must be in PEM "
                "form, and the key must be that of the certificate."
            ) from error
        if context is None:
            raise ExplorerError(
                f"A connection to {self.address} needs certificates; give them with --cluster-ca, "
                "--cluster-certificate and --cluster-key, or in Dask's own configuration."
            )
        return security

    def close(self) -> None:
        """End the processes that were started."""
        if self._local is not None:
            self._local.close()
