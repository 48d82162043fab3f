# SPDX-License-Identifier: Apache-2.0
"""What must be so of a kinto at any moment, and what when nothing is under way: after each kill of `scripts/crash`."""

import http.client
import os
import re
import socket
import sqlite3
import time
from pathlib import Path

from box import git, processes

OPEN = ("queued", "deploying")
# What is replaced may have its drain and its grace until it is gone.
PATIENCE = 60


class Trouble(Exception):
    pass


class Standing:
    """The one service `hello` of a box, whose commits come from the work tree `work`.

    `commands`: a file with the number of each release whose release command ran."""

    def __init__(self, box, work, commands):
        self.box, self.work, self.commands = box, work, commands

    # Looking

    def releases(self, limit=10000):
        return self.box.api("GET", f"/services/hello/releases?limit={limit}")

    def answer(self):
        """The release that answers a visitor over a new connection."""
        with socket.create_connection(("127.0.0.1", self.box.proxy_port), 10) as s:
            s.sendall(b"GET / HTTP/1.1\r\nHost: hello.localhost\r\nConnection: close\r\n\r\n")
            text = b""
            while chunk := s.recv(4096):
                text += chunk
        found = re.search(rb"release=(\d+) ", text)
        return int(found.group(1)) if found else None

    def routed(self):
        """The ports that the proxy sends requests to, from the table that it boots from."""
        text = (self.box.home / "proxy" / "routes").read_bytes().decode()
        return {int(entry[7:]) for entry in text.split("\0") if entry.startswith("server=")}

    def found(self):
        """(pid, command line) of all that runs; applications; supervisors; the rest of a deploy's."""
        all = processes(self.box.words)
        apps = {pid for pid, line in all if "kinto-load origin" in line and " supervise" not in line}
        supervisors = {pid for pid, line in all if line.endswith(" supervise")}
        others = [line for _, line in all if "git " in line or " fetch" in line or "/sh -c" in line]
        return all, apps, supervisors, others

    # What must be so

    def always(self, what, triggers):
        """Whatever is under way: waits until everything agrees, for a swap or a stop takes a moment.

        `triggers`: how many were accepted, at the least and at the most."""
        latest = time.monotonic() + PATIENCE * max(1, os.getloadavg()[0] / (os.cpu_count() or 1))
        while True:
            try:
                problems = list(self.now()) or list(self.history(self.releases(), triggers()))
            except (OSError, http.client.HTTPException, RuntimeError) as error:
                problems = [f"no answer: {error!r}"]
            if not problems:
                break
            if time.monotonic() > latest:
                raise Trouble("\n".join(f"{what}: {problem}" for problem in problems))
            time.sleep(0.05)
        problems = list(self.database())
        if problems:
            raise Trouble("\n".join(f"{what}: {problem}" for problem in problems))

    def now(self):
        """One live release, for the API, the proxy, visitors and the kernel; no process without a record, no record
        without a process."""
        # The newest say all of now. The whole history takes so long to read that a deploy is over meanwhile.
        releases = self.releases(100)
        live = [r for r in releases if r["live"]]
        if len(live) != 1:
            yield f"live: {[r['number'] for r in live]}"
            return
        ports = {i["port"] for i in live[0]["instances"]}
        if self.routed() != ports:
            yield f"the proxy routes to {self.routed()}, release {live[0]['number']} is at {ports}"
        if (answer := self.answer()) not in (live[0]["number"], live[0]["rollbackOf"]):
            yield f"release {answer} answers, {live[0]['number']} is live"
        all, apps, supervisors, others = self.found()
        recorded = {i.get("pid") for r in releases for i in r["instances"]}
        deploying = any(r["status"] in OPEN for r in releases)
        # A deploy that goes on has a build or an instance that is about to be recorded or replaced.
        if apps != recorded:
            yield f"applications {apps}, recorded {recorded}: {self.shown(all)}"
        if not deploying and (others or len(supervisors) != len(recorded)):
            yield f"processes of no release: {self.shown(all)}"
        if sum(r["status"] == "deploying" for r in releases) > 1:
            yield f"side by side: {[r['number'] for r in releases if r['status'] == 'deploying']}"

    def history(self, releases, triggers):
        """One release for each trigger, with one end, in the order of their acceptance."""
        releases = sorted(releases, key=lambda r: r["number"])
        numbers = [r["number"] for r in releases]
        if not triggers[0] <= len(numbers) <= triggers[1]:
            yield f"{len(numbers)} releases of {triggers} triggers"
        if numbers != list(range(1, len(numbers) + 1)):
            yield f"numbers: {numbers[-5:]}"
        order = {commit: index for index, commit in enumerate(
            git(self.work, "rev-list", "--reverse", "HEAD").stdout.split())}
        came = [order.get(r["commit"], -1) for r in releases if r["commit"] and r["trigger"] in ("push", "webhook")]
        if came != sorted(set(came)):
            yield f"not in the order of the pushes: {came[-8:]}"
        for r in releases:
            over = r["status"] in ("deployed", "failed", "aborted", "superseded")
            if not over and r["status"] not in OPEN or over != bool(r["finishedAt"]):
                yield f"release {r['number']} is {r['status']}, finished {r['finishedAt']}"
            if r["status"] == "failed" and r["failure"]["code"] not in ("interrupted", "release-interrupted"):
                yield f"release {r['number']}: {r['failure']}"
        ran = self.ran()
        if len(ran) != len(set(ran)):
            yield f"release command run twice: {[n for n in ran if ran.count(n) > 1][:3]}"
        deployed = {str(r["number"]) for r in releases if r["status"] == "deployed" and r["trigger"] != "rollback"}
        if not deployed <= set(ran):
            yield f"release command not run: {sorted(deployed - set(ran))[:3]}"

    def ran(self):
        return self.commands.read_text().split() if self.commands.exists() else []

    def database(self):
        with sqlite3.connect(f"file:{self.box.home}/kinto.db?mode=ro", uri=True, timeout=30) as database:
            whole = database.execute("PRAGMA integrity_check").fetchall()
            foreign = database.execute("PRAGMA foreign_key_check").fetchall()
        if whole != [("ok",)] or foreign:
            yield f"database: {whole} {foreign}"

    def settled(self, within=180):
        """Waits until no release is queued or deploying."""
        latest = time.monotonic() + within
        while True:
            releases = self.releases()
            if releases and all(r["status"] not in OPEN for r in releases):
                return releases
            if time.monotonic() > latest:
                raise Trouble(f"stuck: {[(r['number'], r['status'], r['stage']) for r in releases][:5]}")
            time.sleep(0.02)

    def rest(self, what, triggers):
        """The same, and nothing left lying about, when nothing is under way."""
        self.settled()
        self.always(what, lambda: (triggers, triggers))
        # A push that was kept for the server may have become a release meanwhile.
        releases = self.settled()
        # What a dead server left is swept beside the deploys, which come first.
        latest = time.monotonic() + 180
        while (problems := list(self.leftovers(releases))) and time.monotonic() < latest:
            time.sleep(0.1)
        dead = zombies(self.found()[0])
        if dead:
            problems.append(f"zombies: {dead}")
        if problems:
            raise Trouble("\n".join(f"{what}: {problem}" for problem in problems))
        return releases

    def leftovers(self, releases):
        files = [str(p) for p in (self.box.home / "work").rglob("*") if p.is_file()]
        if files:
            yield f"checkouts: {files[:3]}"
        names = {p.name for p in (self.box.home / "artifacts").iterdir()}
        known = {f"hello.production.{r['number']}" for r in releases}
        if names - known:
            yield f"artifacts: {sorted(names - known)[:3]}"
        spool = [p.name for p in (self.box.home / "spool").rglob("*") if p.is_file()]
        if spool:
            yield f"spool: {spool[:3]}"

    def shown(self, all):
        return [(pid, line.replace(str(self.box.directory), "")[-60:]) for pid, line in all]


def zombies(found):
    """Children of ours that have ended and that nobody has waited for, twice in a row."""
    ours = {pid for pid, _ in found}

    def look():
        dead = set()
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
                except OSError:
                    continue
                if fields[0] == "Z" and int(fields[1]) in ours:
                    dead.add(int(entry.name))
        return dead

    first = look()
    if first:
        time.sleep(2)
    return first and first & look()
