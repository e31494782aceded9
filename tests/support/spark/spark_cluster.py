"""A real Spark cluster from Python packages: a driver with Spark Connect, and two workers with an executor each."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

from tests.support.server.ports import free_port

SERVER = "org.apache.spark.sql.connect.service.SparkConnectServer"
EXECUTOR = "CoarseGrainedExecutorBackend"
SMALL_JVM = (  # short runs; class verification took a fifth of the start
    "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -XX:+UnlockDiagnosticVMOptions -XX:-BytecodeVerificationRemote"
)
SETTINGS: Mapping[str, str] = {
    "spark.connect.grpc.binding.address": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.memory": "1g",
    "spark.driver.extraJavaOptions": SMALL_JVM,
    "spark.executor.extraJavaOptions": SMALL_JVM,
    "spark.sql.catalogImplementation": "in-memory",
    "spark.sql.shuffle.partitions": "2",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.log.level": "ERROR",
    # settings that a cluster may have, and that the engine must not depend on
    "spark.sql.ansi.enabled": "false",
    "spark.sql.parser.escapedStringLiterals": "true",
    "spark.sql.session.timeZone": "America/Mexico_City",
    "spark.sql.legacy.timeParserPolicy": "LEGACY",
    "spark.sql.legacy.statisticalAggregate": "true",
}
SECONDS_TO_START = 240.0
TASKS = 2


class Cluster:
    """A driver and its workers, any of which can be killed; without workers, one local process."""

    def __init__(
        self, folder: Path, settings: Mapping[str, str] | None = None, workers: int = 2, memory: int = 1024
    ) -> None:
        self.folder, self.settings = folder, {**SETTINGS, **(settings or {})}
        self.workers, self.memory = workers, memory  # MB of each
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def running(self) -> bool:
        """Return whether the driver was started and not killed."""
        return self._process is not None

    @property
    def remote(self) -> str:
        """URL of Spark Connect."""
        return f"sc://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start a driver with its workers, and wait until all of them are ready."""
        home = self._home()
        given = {**self.settings, "spark.connect.grpc.binding.port": str(self.port)}
        command = [str(home / "bin" / "spark-submit"), "--class", SERVER]
        alone = f"local[{TASKS}]"  # tasks at once
        command += ["--master", f"local-cluster[{self.workers},1,{self.memory}]" if self.workers else alone]
        for name, value in given.items():
            command += ["--conf", f"{name}={value}"]
        environment = {**os.environ, "SPARK_HOME": str(home), "SPARK_LOCAL_IP": "127.0.0.1"}
        environment |= {"PYSPARK_PYTHON": sys.executable}
        with (self.folder / "driver.log").open("ab") as log:
            self._process = subprocess.Popen(
                [*command, "spark-internal"], cwd=self.folder, env=environment, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip
        self._wait()

    def _home(self) -> Path:
        """Create a home of links to the package, so that workers do not write into it."""
        found, home = importlib.util.find_spec("pyspark"), self.folder / "home"
        assert found is not None and found.origin is not None, "install passersby[spark]"
        if not home.exists():
            home.mkdir(parents=True)
            for part in ("bin", "jars", "python"):
                (home / part).symlink_to(Path(found.origin).parent / part)
        return home

    def executors(self) -> list[int]:
        """List the executor processes of this driver."""
        assert self._process is not None
        group = self._process.pid
        numbers = (entry for entry in Path("/proc").iterdir() if entry.name.isdigit())
        return sorted(int(e.name) for e in numbers if _group(e) == group and EXECUTOR in _command(e))

    def processor_seconds(self) -> float:
        """Sum the CPU seconds of driver, workers and executors so far."""
        assert self._process is not None
        group = self._process.pid
        numbers = (entry for entry in Path("/proc").iterdir() if entry.name.isdigit())
        return sum(_ticks(e) for e in numbers if _group(e) == group) / os.sysconf("SC_CLK_TCK")

    def kill_executor(self) -> int:
        """Kill one executor."""
        victim = self.executors()[0]
        os.kill(victim, signal.SIGKILL)
        return victim

    def kill(self) -> None:
        """Kill the driver, its workers and executors."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    def _wait(self) -> None:
        deadline = time.monotonic() + SECONDS_TO_START
        while time.monotonic() < deadline:
            assert self._process is not None
            if self._process.poll() is not None:
                raise RuntimeError((self.folder / "driver.log").read_text(errors="replace")[-4_000:])
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                if len(self.executors()) >= self.workers:
                    return
            time.sleep(0.2)
        raise RuntimeError("Spark did not start")

    def __enter__(self) -> Self:
        if not has_java():
            pytest.skip("Spark runs on Java 17 or 21, and there is none: apt-get install openjdk-17-jre-headless")
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


def has_java() -> bool:
    """Return whether this machine has a Java that Spark 4 supports."""
    home = os.environ.get("JAVA_HOME")
    found = str(Path(home) / "bin" / "java") if home else shutil.which("java")
    if found is None:
        return False
    output = subprocess.run([found, "-version"], capture_output=True, text=True, check=False).stderr
    return re.search(r'version "(17|21)\b', output) is not None


def _group(entry: Path) -> int:
    try:
        return os.getpgid(int(entry.name))
    except ProcessLookupError:
        return -1


def _ticks(entry: Path) -> int:
    """CPU ticks of a process; https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html."""
    try:
        fields = (entry / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return int(fields[11]) + int(fields[12])


def _command(entry: Path) -> str:
    try:
        return (entry / "cmdline").read_text(errors="replace")
    except OSError:
        return ""
