"""What a router costs that has nothing to do: processor time, context switches, system calls."""

import contextlib
import ctypes
import os
import platform
import struct
import time

from .net import LIBC, Links, Observer, Unusable
from .routers import many
from .steady import wait_for_masters

PERF_EVENT_OPEN = {"x86_64": 298, "aarch64": 241, "riscv64": 241}
PERF_TYPE_TRACEPOINT = 2
PERF_ATTR_OCTETS = 112
PERF_FLAG_FD_CLOEXEC = 8
TRACING = "/run/bench/tracing"
# After the last instance is master: what belongs to the start is over.
SETTLE_SECONDS = 8.0
WINDOW_SECONDS = 5.0


def threads(processes):
    """All threads of the processes."""
    found = []
    for pid in processes:
        with contextlib.suppress(FileNotFoundError):
            found += [(pid, int(task)) for task in os.listdir(f"/proc/{pid}/task")]
    return found


def switches(processes):
    """Context switches so far, voluntary ones and others."""
    total = 0
    for pid, task in threads(processes):
        with contextlib.suppress(FileNotFoundError), \
                open(f"/proc/{pid}/task/{task}/status", encoding="ascii") as file:
            total += sum(int(line.split()[1]) for line in file if "ctxt_switches" in line)
    return total


def tracepoint():
    """The number of the kernel's tracepoint at the begin of a system call."""
    if not os.path.isdir(TRACING):
        os.mkdir(TRACING)
        if LIBC.mount(b"tracefs", TRACING.encode(), b"tracefs", 0, None) != 0:
            os.rmdir(TRACING)
            raise Unusable(f"cannot count system calls: tracefs: "
                           f"{os.strerror(ctypes.get_errno())}")
    with open(f"{TRACING}/events/raw_syscalls/sys_enter/id", encoding="ascii") as file:
        return int(file.read())


class SystemCalls:
    """Counts the system calls of processes, without stopping them as ptrace would."""

    def __init__(self, processes):
        # perf_event_attr: type, size, config, period, sample_type, read_format, flags.
        attributes = struct.pack("=IIQQQQQ", PERF_TYPE_TRACEPOINT, PERF_ATTR_OCTETS,
                                 tracepoint(), 0, 0, 0, 0).ljust(PERF_ATTR_OCTETS, b"\0")
        self.counters = []
        for _, task in threads(processes):
            counter = LIBC.syscall(PERF_EVENT_OPEN[platform.machine()], attributes, task, -1, -1,
                                   PERF_FLAG_FD_CLOEXEC)
            if counter < 0:
                reason = os.strerror(ctypes.get_errno())
                raise Unusable(f"cannot count system calls: perf_event_open: {reason}")
            self.counters.append(counter)

    def close(self):
        """The number so far; the end."""
        total = 0
        for counter in self.counters:
            total += struct.unpack("=Q", os.read(counter, 8))[0]
            os.close(counter)
        return total


def idle(router, count, windows):
    """As the master of so many instances at 1 s, with nobody else there."""
    names = ("cpu", "switches", "calls", "parent_cpu", "parent_switches", "parent_calls")
    result = {name: [] for name in names}
    with Links() as links:
        running = router.start(links.router, router.text(many(count)))
        try:
            with Observer(links.bench) as seen:
                wait_for_masters(seen, count, running)
            time.sleep(SETTLE_SECONDS)
            processes, parent = running.processes(), [running.pid]
            groups = (("", processes), ("parent_", parent))
            for _ in range(windows):
                counted = [SystemCalls(group) for _, group in groups]
                begun = time.monotonic()
                before = [(running.cpu_ns(group), switches(group)) for _, group in groups]
                time.sleep(WINDOW_SECONDS)
                for (name, group), (cpu, switched), calls in zip(groups, before, counted):
                    cpu, switched = running.cpu_ns(group) - cpu, switches(group) - switched
                    took = time.monotonic() - begun
                    result[f"{name}cpu"].append(cpu / 1e6 / took)
                    result[f"{name}switches"].append(switched / took)
                    result[f"{name}calls"].append(calls.close() / took)
            if running.processes() != processes:
                raise Unusable(f"{router.name} started a process anew meanwhile")
        finally:
            running.kill()
    return result
