# SPDX-License-Identifier: Apache-2.0
"""A kinto of its own for the soak and the benchmarks: temporary home, free loopback ports, and nothing left."""

import hashlib
import http.client
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(os.environ.get("KINTO_BIN_DIR", ROOT / ".build/release")).resolve()
GIT = {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1", "GIT_AUTHOR_NAME": "Box",
       "GIT_AUTHOR_EMAIL": "box@example.invalid", "GIT_COMMITTER_NAME": "Box",
       "GIT_COMMITTER_EMAIL": "box@example.invalid"}


RESERVED = []


def free_ports(count):
    """Ports that nothing listens on and that no other test is given: see Tests/TestSupport/FreePort.swift."""
    ports = []
    while len(ports) < count:
        port = random.randrange(10_240, 20_000)
        mark = socket.socket(socket.AF_UNIX)
        try:
            mark.bind(f"\0kinto-test-port-{port}")
            socket.create_server(("127.0.0.1", port)).close()
        except OSError:
            mark.close()
            continue
        RESERVED.append(mark)
        ports.append(port)
    return ports


def environment():
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TZ") if name in os.environ}
    # A hook of a debug build waits for so many seconds for the server to answer.
    return kept | GIT | {"KINTO_HOOK_PATIENCE": os.environ.get("KINTO_HOOK_PATIENCE", "60")}


def git(directory, *arguments, check=True):
    return subprocess.run(["git", "-C", str(directory), *arguments], env=environment(), check=check,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def processes(words):
    """(pid, command line) of every process whose command line or environment has one of the words."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
            around = (entry / "environ").read_bytes().decode("utf-8", "replace")
        except OSError:
            continue
        if any(word in line or word in around for word in words):
            found.append((int(entry.name), line.strip()))
    return found


class Box:
    """`with Box() as box:` a running `kinto serve`, gone afterwards with its proxy and services."""

    def __init__(self, options=()):
        """`options`: more words for `kinto serve`."""
        self.options = list(options)
        for name in ("kinto", "kinto-runtime", "kinto-load"):
            if not os.access(BIN / name, os.X_OK):
                raise SystemExit(f"{BIN / name} is missing: make release load")
        self.directory = Path(tempfile.mkdtemp(prefix="kinto-box."))
        if any(word in self.options for word in ("--build-user", "--service-user")):
            # Let through to what is theirs in the home.
            self.directory.chmod(0o711)
        self.home = self.directory / "home"
        self.control_port, self.proxy_port = free_ports(2)
        # As every process that kinto starts for this home has it in its environment.
        self.mark = hashlib.sha256(str(self.home).encode()).hexdigest()[:16]
        self.words = [str(self.directory), f"KINTO_HOME_ID={self.mark}"]
        self.server = None
        self.loads = []

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            shutil.rmtree(self.directory)
            raise
        return self

    def __exit__(self, *_):
        # A second Ctrl-C does not keep anything running.
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        for load in self.loads:
            if load.poll() is None:
                load.terminate()
                load.wait()
        try:
            if self.server.poll() is not None:
                self.start()
            proxy = self.status()["proxy"]["supervisor"]
            for name in {service["name"] for service in self.status()["services"]}:
                self.kinto("service", "remove", name, "--yes")
            self.stop()
            os.kill(proxy, signal.SIGTERM)
            for _ in range(3600):
                if not Path(f"/proc/{proxy}").exists():
                    break
                time.sleep(0.05)
        finally:
            if self.server.poll() is None:
                self.server.kill()
            # What was told to end ends in its time.
            for _ in range(300):
                self.left = processes(self.words)
                if not self.left:
                    break
                time.sleep(0.1)
            # Control groups of a server that was killed: nobody else removes them.
            subprocess.run(["find", "/sys/fs/cgroup", "-depth", "-type", "d", "-path", f"*/kinto-{self.mark}*", "-delete"],
                           stderr=subprocess.DEVNULL)
            shutil.rmtree(self.directory)

    def start(self, wait=True, boot=None, **variables):
        """`boot`: another boot's identifier than the machine's (needs root). `variables`: of the server's environment beside
        the usual ones."""
        words = []
        if boot:
            (self.directory / "boot_id").write_text(f"{boot}\n")
            words = ["unshare", "--mount", "sh", "-c",
                     'mount --bind "$0" /proc/sys/kernel/random/boot_id && exec "$@"', self.directory / "boot_id"]
        log = open(self.directory / "serve.log", "ab")
        self.server = subprocess.Popen(
            words + [BIN / "kinto", "serve", "--home", self.home, "--listen", f"127.0.0.1:{self.control_port}",
             "--proxy-listen", f"127.0.0.1:{self.proxy_port}", *self.options],
            env=environment() | variables, stdout=log, stderr=log, start_new_session=True)
        latest = time.monotonic() + 180
        while wait and time.monotonic() < latest:
            if self.server.poll() is not None:
                raise SystemExit((self.directory / "serve.log").read_text())
            if self.kinto("status", "--json", check=False).returncode == 0 and self.listens():
                return
            time.sleep(0.05)
        if wait:
            raise SystemExit("kinto serve does not answer")

    def listens(self):
        """At its port, too, which is another socket than that of the commands."""
        try:
            socket.create_connection(("127.0.0.1", self.control_port), 60).close()
        except OSError:
            return False
        return True

    def lose_everything(self):
        """Every process is gone at once, as at the end of the machine's power."""
        proxy = self.status()["proxy"]["supervisor"]
        self.server.kill()
        self.server.wait()
        # Supervisors first: they would start their services again.
        found = processes(self.words)
        for pid in [proxy] + [p for p, line in found if line.endswith(" supervise")] + [p for p, _ in found]:
            if pid not in [load.pid for load in self.loads]:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass

    def stop(self):
        """SIGTERM; the seconds it took."""
        began = time.monotonic()
        self.server.terminate()
        self.server.wait(180)
        return time.monotonic() - began

    def kinto(self, *arguments, check=True):
        done = subprocess.run([BIN / "kinto", *arguments, "--home", self.home], env=environment(),
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if check and done.returncode != 0:
            raise SystemExit(f"kinto {' '.join(arguments)}: exit {done.returncode}\n{done.stdout}")
        return done

    def api(self, method, path, body=None):
        """The HTTP API, without the start of a command."""
        connection = http.client.HTTPConnection("localhost")
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.connect(str(self.home / "kinto.sock"))
        connection.request(method, f"/api/v1{path}", json.dumps(body or {}), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        if answer.status >= 300:
            raise RuntimeError(f"{method} {path}: {answer.status} {text[:300]}")
        return json.loads(text)

    def status(self):
        return json.loads(self.kinto("status", "--json").stdout)

    def releases(self, name, count=1000):
        return json.loads(self.kinto("releases", name, "--json", "-n", str(count)).stdout)

    def load(self, report, rate=300, connections=64, host="hello.localhost", mix=None):
        """`mix`: where the mixed load notes its samples."""
        load = subprocess.Popen(
            [BIN / "kinto-load", "--connect", f"127.0.0.1:{self.proxy_port}", "--host", host, "--rate",
             str(rate), "--connections", str(connections), "--json", report,
             *(["--mix", "--samples", mix] if mix else [])], start_new_session=True)
        self.loads.append(load)
        return load

    def repository(self, name):
        return self.home / "repos" / f"{name}.git"
