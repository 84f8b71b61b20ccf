#!/usr/bin/env python3
"""A client for the conformance suite of TUF, of which runwrit is one part.

Roots are judged by runwrit alone: whether one is well formed, follows on the one before, is signed
by enough, and has not expired. It implements nothing else of TUF, so timestamp, snapshot and
targets are python-tuf's, under the keys of the root that runwrit has followed.
"""

import argparse
import datetime
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tuf.api.exceptions import ExpiredMetadataError, RepositoryError
from tuf.api.metadata import Metadata, Root, Timestamp
from tuf.ngclient import Updater, updater
from tuf.ngclient._internal.trusted_metadata_set import TrustedMetadataSet

NEVER = datetime.datetime(9999, 1, 1, tzinfo=datetime.timezone.utc)


class Chain:
    """The roots that runwrit follows, with a keyring of their own."""

    def __init__(self) -> None:
        self.folder = tempfile.TemporaryDirectory()

    def runwrit(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        # The rest of the environment stays: the suite shifts the clock with it.
        environment = {**os.environ, "HOME": self.folder.name}
        environment["RUNWRIT_TRUST"] = str(Path(self.folder.name, "host", "trust.toml"))
        command = [os.environ["RUNWRIT_BIN"], *arguments]
        return subprocess.run(
            command, cwd=self.folder.name, env=environment, capture_output=True, text=True
        )

    def follow(self, data: bytes, *task: str) -> int:
        """Hands a root over, and returns the number of the one that counts then."""
        Path(self.folder.name, "root.json").write_bytes(data)
        done = self.runwrit("trust", *task, "root.json")
        if done.returncode != 0:
            raise RepositoryError(done.stderr)
        shown = self.runwrit("trust", "show", "--json")
        return json.loads(shown.stdout)["root"]

    def is_expired(self) -> bool:
        found = self.runwrit("trust", "check", "--json").stdout.splitlines()
        roots = [it for it in map(json.loads, found) if it["check"] == "root"]
        assert len(roots) == 1, found
        return roots[0]["level"] == "wrong"


class Judged(TrustedMetadataSet):
    """What is trusted: a root once runwrit follows it, all else by the rules of python-tuf."""

    def _load_trusted_root(self, data: bytes) -> None:
        self.chain = Chain()
        self._follow(data, self.chain.follow(data, "init", "--root"))

    def update_root(self, data: bytes) -> Root:
        number = self.chain.follow(data, "advance")
        if number != self.root.version + 1:
            raise RepositoryError(f"runwrit stays with root {number}")
        return self._follow(data, number)

    def _follow(self, data: bytes, number: int) -> Root:
        root = Metadata[Root].from_bytes(data).signed
        assert root.version == number, "runwrit and python-tuf read different numbers"
        # Nobody but runwrit says whether it has expired.
        root.expires = NEVER
        self._trusted_set[Root.type] = root
        return root

    def update_timestamp(self, data: bytes) -> Timestamp:
        if self.chain.is_expired():
            raise ExpiredMetadataError("runwrit says that the root has expired")
        return super().update_timestamp(data)


def main() -> None:
    parser = argparse.ArgumentParser()
    for name in ("--metadata-url", "--target-dir", "--target-base-url"):
        parser.add_argument(name)
    parser.add_argument("--metadata-dir", required=True)
    parser.add_argument("--target-name", action="append")
    tasks = parser.add_subparsers(dest="task", required=True)
    tasks.add_parser("init").add_argument("root")
    tasks.add_parser("refresh")
    tasks.add_parser("download")
    given = parser.parse_args()
    if given.task == "init":
        shutil.copyfile(given.root, Path(given.metadata_dir, "root.json"))
        return
    updater.TrustedMetadataSet = Judged
    client = Updater(
        given.metadata_dir,
        given.metadata_url,
        given.target_dir,
        given.target_base_url,
        bootstrap=None,
    )
    if given.task == "refresh":
        client.refresh()
        return
    for name in given.target_name:
        found = client.get_targetinfo(name)
        if found is None:
            sys.exit(f"there is no `{name}`")
        if not client.find_cached_target(found):
            client.download_target(found)


if __name__ == "__main__":
    main()
