"""The two daemons: what they are told, how they are started, what they use."""

import contextlib
import ctypes
import os
import re
import signal
import subprocess
import time

from .net import LIBC, Unusable, now_ns, refuse_outside

PR_SET_PDEATHSIG = 1


class Instance:
    """One virtual router, as both daemons are told."""

    def __init__(self, interface, vrid, priority=100, interval_cs=100, addresses=(), excluded=()):
        self.name = f"{interface}-{vrid}"
        self.interface, self.vrid, self.priority = interface, vrid, priority
        self.interval_cs = interval_cs
        self.addresses, self.excluded = list(addresses), list(excluded)
        # How many other routers there are; only ours asks. 0: not said.
        self.backups = 0

    @property
    def down_ns(self):
        """Master_Down_Interval (RFC 9568), when the master sends at the same interval."""
        interval = self.interval_cs * 10**7
        return 3 * interval + interval * (256 - self.priority) // 256


def many(count, links=4, prefix="d", **settings):
    """So many instances with one address each, over all links: 10.(100+link).9.(vrid)."""
    each = -(-count // links)
    return [Instance(f"{prefix}{n // each}", n % each + 1,
                     addresses=[f"10.{100 + n // each}.9.{n % each + 1}"], **settings)
            for n in range(count)]


class Running:
    """A daemon and its processes."""

    def __init__(self, pid, started_ns, cpu_before_ns):
        self.pid, self.started_ns, self.cpu_before_ns = pid, started_ns, cpu_before_ns
        self.over = False

    def processes(self):
        """The daemon's process and all below it."""
        parents = {}
        for name in os.listdir("/proc"):
            if name.isdigit():
                try:
                    with open(f"/proc/{name}/stat", "rb") as file:
                        words = file.read().rsplit(b")", 1)[1].split()
                except (FileNotFoundError, ProcessLookupError):
                    continue
                if words[0] != b"Z":
                    parents[int(name)] = int(words[1])
        found, grown = {self.pid}, True
        while grown:
            new = {child for child, parent in parents.items() if parent in found} - found
            found |= new
            grown = bool(new)
        return sorted(pid for pid in found if pid in parents)

    def cpu_ns(self, processes=None):
        """Processor time of all threads since the start, user and system."""
        total = 0
        for pid in processes or self.processes():
            try:
                for task in os.listdir(f"/proc/{pid}/task"):
                    with open(f"/proc/{pid}/task/{task}/schedstat", encoding="ascii") as file:
                        total += int(file.read().split()[0])
            except (FileNotFoundError, ProcessLookupError):
                continue
        return total - self.cpu_before_ns

    def memory_kib(self):
        """(proportional set size, anonymous) of all processes."""
        sums = {"Pss": 0, "Anonymous": 0}
        for pid in self.processes():
            with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
                for line in file:
                    key, _, rest = line.partition(":")
                    if key in sums:
                        sums[key] += int(rest.split()[0])
        return sums["Pss"], sums["Anonymous"]

    def alive(self):
        """Whether the daemon's first process runs."""
        if not self.over and os.waitpid(self.pid, os.WNOHANG)[0]:
            self.over = True
        return not self.over

    def reload(self):
        """Asks for a reload; when."""
        at = now_ns()
        os.kill(self.pid, signal.SIGHUP)
        return at

    def end(self, patience=5.0):
        """Stops it as an administrator does; when that takes too long it is killed."""
        if self.alive():
            os.kill(self.pid, signal.SIGTERM)
            until = time.monotonic() + patience
            while self.alive() and time.monotonic() < until:
                time.sleep(0.005)
        self.kill()

    def kill(self):
        """Kills all its processes: what they leave goes with the namespace."""
        if not self.alive():
            return
        for pid in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        self.over = True


def spawn(namespace, command, log, nice):
    """Starts a program in a namespace. It dies with the bench."""
    read, write = os.pipe()
    parent = os.getpid()
    with namespace.entered():
        refuse_outside()
        pid = os.fork()
        if pid == 0:
            try:
                LIBC.prctl(PR_SET_PDEATHSIG, ctypes.c_ulong(signal.SIGKILL), 0, 0, 0)
                if os.getppid() != parent:
                    os._exit(1)
                null = os.open(os.devnull, os.O_RDONLY)
                out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
                os.dup2(null, 0)
                os.dup2(out, 1)
                os.dup2(out, 2)
                os.setsid()
                os.setpriority(os.PRIO_PROCESS, 0, nice)
                # Where sessions share the processors (autogroup), theirs is what counts.
                with contextlib.suppress(FileNotFoundError), \
                        open("/proc/self/autogroup", "w", encoding="ascii") as file:
                    file.write(str(nice))
                with open("/proc/thread-self/schedstat", "rb") as file:
                    used = file.read().split()[0]
                os.write(write, b"%d %s" % (now_ns(), used))
                os.execv(command[0], command)
            finally:
                os._exit(127)
    os.close(write)
    words = os.read(read, 100).split()
    os.close(read)
    return Running(pid, int(words[0]), int(words[1]))


class Program:
    """What both daemons have in common."""

    def __init__(self, path, directory, nice=0):
        self.path, self.directory, self.serial, self.nice = path, directory, 0, nice
        self.file = ""
        self.next_file()

    def next_file(self):
        """Every process that is started has a configuration file of its own."""
        self.serial += 1
        self.file = f"{self.directory}/{self.name}-{self.serial}.{self.kind}"

    def write(self, text):
        """Writes the configuration file of the latest process; its path."""
        with open(self.file, "w", encoding="ascii") as file:
            file.write(text)
        return self.file

    def explain(self):
        """What its check says about the last configuration."""
        done = subprocess.run(self.check(self.file), capture_output=True, text=True, check=False)
        said = [line for line in (done.stderr + done.stdout).splitlines()
                if "doesn't exist" not in line and "does not exist" not in line]
        return " / ".join(said[:3]) if done.returncode else "its check finds no mistake"


class Steadfast(Program):
    """Ours."""

    name, kind = "ours", "toml"

    def __init__(self, path, directory, nice=0):
        super().__init__(path, directory, nice)
        self.state = ""
        done = subprocess.run([path, "--version"], capture_output=True, text=True, check=False)
        self.version = done.stdout.strip() or "steadfast"

    def text(self, instances, realtime=None):
        """The configuration."""
        # keepalived has no refresh unless told, and its second round is switched off too.
        lines = ["[global]", 'router_id = "bench"', 'vrrp_garp_master_refresh = "0s"',
                 'vrrp_garp_master_delay = "0s"']
        if realtime:
            lines.append(f"vrrp_rt_priority = {realtime}")
        for one in instances:
            quoted = [", ".join(f'"{a}/32"' for a in list_) for list_ in
                      (one.addresses, one.excluded)]
            lines += [
                f"[vrrp.instance.{one.name}]", f'interface = "{one.interface}"',
                f"virtual_router_id = {one.vrid}", f"priority = {one.priority}", "version = 3",
                f'advertisement_interval = "{one.interval_cs * 10}ms"',
                f"virtual_addresses = [{quoted[0]}]"]
            if one.excluded:
                lines.append(f"excluded_addresses = [{quoted[1]}]")
            if one.backups:
                lines.append(f"backups = {one.backups}")
        return "\n".join(lines) + "\n"

    def start(self, namespace, text):
        """Starts it with this configuration."""
        self.next_file()
        self.state = f"{self.file}.state"
        command = [self.path, "run", "-c", self.write(text), "--state-dir", self.state]
        return spawn(namespace, command, os.devnull, self.nice)

    def ask(self, *words):
        """Runs a command of it against the running one."""
        done = subprocess.run([self.path, *words, "--state-dir", self.state], capture_output=True,
                              text=True, check=False)
        if done.returncode:
            raise Unusable(f"steadfast {' '.join(words)}: {done.stderr.strip()}")

    def check(self, path):
        """The command that checks a configuration file."""
        return [self.path, "check", "-c", path]


class Keepalived(Program):
    """Theirs: only the VRRP part, in the foreground, log to the same place as ours."""

    name, kind = "keepalived", "conf"

    def __init__(self, path, directory, nice=0):
        super().__init__(path, directory, nice)
        done = subprocess.run([path, "--version"], capture_output=True, text=True, check=False)
        found = re.search(r"v(\d+\.\d+\.\d+)", done.stderr + done.stdout)
        self.version = f"keepalived {found.group(1) if found else '(unknown)'}"

    def text(self, instances, realtime=None):
        """The configuration."""
        lines = ["global_defs {", "  router_id bench", "  vrrp_garp_master_delay 0"]
        if realtime:
            lines.append(f"  vrrp_rt_priority {realtime}")
        lines.append("}")
        for one in instances:
            lines += [
                f"vrrp_instance {one.name} {{",
                f"  state {'MASTER' if one.priority == 255 else 'BACKUP'}",
                f"  interface {one.interface}", "  version 3",
                f"  virtual_router_id {one.vrid}", f"  priority {one.priority}",
                f"  advert_int {one.interval_cs / 100:g}", "  virtual_ipaddress {"]
            lines += [f"    {address}/32" for address in one.addresses]
            lines.append("  }")
            if one.excluded:
                lines.append("  virtual_ipaddress_excluded {")
                lines += [f"    {address}/32" for address in one.excluded]
                lines.append("  }")
            lines.append("}")
        return "\n".join(lines) + "\n"

    def start(self, namespace, text):
        """Starts it with this configuration."""
        self.next_file()
        command = [self.path, "--dont-fork", "--vrrp", "--log-console", "--no-syslog",
                   "--use-file", self.write(text), "--pid", f"{self.file}.pid",
                   "--vrrp_pid", f"{self.file}.vrrp.pid"]
        return spawn(namespace, command, os.devnull, self.nice)

    def check(self, path):
        """The command that checks a configuration file."""
        return [self.path, "--config-test", "--use-file", path]
