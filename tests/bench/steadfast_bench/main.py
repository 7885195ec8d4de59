"""tests/bench/run: the options, the order of the measurements, the output."""

import argparse
import contextlib
import ctypes
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import time
import traceback

from .net import CLONE_NEWNET, LIBC, Unusable, refuse_outside
from .plot import render as draw
from .routers import PR_SET_PDEATHSIG, Keepalived, Steadfast
from .rows import NAMES, ROWS, panels, plan
from .table import median, render, show

REPOSITORY = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", "..", ".."))
CLONE_NEWNS, CLONE_NEWPID = 0x00020000, 0x20000000
MS_REC, MS_PRIVATE = 0x4000, 0x40000


def arguments(words, about):
    """The options."""
    parser = argparse.ArgumentParser(
        prog="tests/bench/run", formatter_class=argparse.RawDescriptionHelpFormatter,
        description=about, epilog=f"Rows: {', '.join(NAMES)}")
    parser.add_argument("--quick", action="store_true",
                        help="few repetitions, once each, no 250 instances: below 3 minutes")
    parser.add_argument("--rows", metavar="NAME,...", default=",".join(NAMES),
                        help="only these rows")
    parser.add_argument("--rounds", type=int, metavar="N",
                        help="how often all is measured, every second time in the other order "
                             "(default: 2; with --quick 1)")
    parser.add_argument("--no-budgets", action="store_true",
                        help="a budget that does not hold is no failure")
    parser.add_argument("--nice", type=int, metavar="N", default=0,
                        help="the nice value of both daemons, such as -15 on a machine "
                             "that others use as well (default: 0)")
    parser.add_argument("--binary", metavar="PATH",
                        help="the steadfast to measure (default: builds the static one with "
                             "cross/build x86_64)")
    parser.add_argument("--keepalived", metavar="PATH", default="/usr/sbin/keepalived",
                        help="the keepalived to measure (default: %(default)s)")
    parser.add_argument("--out", metavar="DIR",
                        default=os.path.join(REPOSITORY, "target", "bench"),
                        help="where bench.txt, bench.json and bench.svg go "
                             "(default: target/bench)")
    options = parser.parse_args(words)
    options.names = options.rows.split(",")
    unknown = [name for name in options.names if name not in NAMES]
    if unknown:
        parser.error(f"no rows called {', '.join(unknown)}; there are: {', '.join(NAMES)}")
    if options.rounds is None:
        options.rounds = 1 if options.quick else 2
    if options.rounds < 1:
        parser.error("--rounds: at least 1")
    for name in ("binary", "keepalived", "out"):
        value = getattr(options, name)
        setattr(options, name, value and os.path.realpath(value))
        if value and getattr(options, name).startswith("/run/"):
            parser.error(f"--{name}: nothing below /run, which is covered while it works")
    return options


def main(words, about):
    """Runs it; the exit code."""
    options = arguments(words, about)
    try:
        prepare(options)
        return enter(options)
    except Unusable as reason:
        say(f"tests/bench/run: {reason}")
        return 2
    except KeyboardInterrupt:
        return 130


def prepare(options):
    """Finds all that is needed."""
    with contextlib.suppress(Unusable):
        refuse_outside()
        raise AssertionError("a router could be started in the network of this machine")
    if os.geteuid() != 0:
        raise Unusable("it needs root for network namespaces and real-time priority; run it with: "
                       "sudo tests/bench/run")
    if not shutil.which("ip"):
        raise Unusable("ip is missing; install it with: apt-get install iproute2")
    if not os.access(options.keepalived, os.X_OK):
        raise Unusable(f"{options.keepalived} is missing; install it with: apt-get install "
                       "keepalived (or say --keepalived PATH)")
    if options.binary is None:
        done = subprocess.run([os.path.join(REPOSITORY, "cross", "build"), "x86_64"],
                              stdout=subprocess.PIPE, text=True, check=False)
        if done.returncode:
            raise Unusable("cross/build x86_64 failed; say --binary PATH for another binary")
        options.binary = done.stdout.strip()
    if not os.access(options.binary, os.X_OK):
        raise Unusable(f"{options.binary} is no program; build it with: cross/build x86_64")
    os.makedirs(options.out, exist_ok=True)


def enter(options):
    """Runs all in namespaces of its own: when their first process ends, so does all in them."""
    system(LIBC.unshare(CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWPID), "make namespaces")
    system(LIBC.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None), "detach the mounts")
    pid = os.fork()
    if pid == 0:
        code = 2
        everything = os.open("/proc", os.O_RDONLY | os.O_DIRECTORY)
        try:
            LIBC.prctl(PR_SET_PDEATHSIG, ctypes.c_ulong(signal.SIGKILL), 0, 0, 0)
            system(LIBC.mount(b"proc", b"/proc", b"proc", 0, None), "mount /proc")
            # keepalived may write there.
            system(LIBC.mount(b"bench", b"/run", b"tmpfs", 0, None), "mount a tmpfs")
            os.mkdir("/run/bench")
            code = measure_all(options, "/run/bench", everything)
        except Unusable as reason:
            say(f"tests/bench/run: {reason}")
        except KeyboardInterrupt:
            code = 130
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def system(result, action):
    """Turns an error of the C library into ours."""
    if result != 0:
        raise Unusable(f"cannot {action}: {os.strerror(ctypes.get_errno())}")


def load():
    """The load averages of 1, 5 and 15 minutes."""
    return " ".join(f"{value:.2f}" for value in os.getloadavg())


def strangers(path, everything):
    """Processes with this program, in all of /proc, that the bench did not start."""
    own, found = os.readlink("/proc/self/ns/pid"), 0
    for name in os.listdir(everything):
        if name.isdigit():
            with contextlib.suppress(OSError):
                if os.readlink(f"{name}/exe", dir_fd=everything) == path \
                        and os.readlink(f"{name}/ns/pid", dir_fd=everything) != own:
                    found += 1
    return found


def processor():
    """What the processor calls itself."""
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        names = [line.partition(":")[2].strip() for line in file if line.startswith("model name")]
    return names[0] if names else platform.machine()


def measure_all(options, directory, everything):
    """Measures what was asked for, and writes what came out; the exit code."""
    keepalived = Keepalived(options.keepalived, directory, options.nice)
    ours = Steadfast(options.binary, directory, options.nice)
    results, errors, loads, shared = {}, [], {}, 0
    begun, before = time.monotonic(), load()
    todo = [(key, measure, [ours] if only_ours else [keepalived, ours])
            for name, key, measure, only_ours in plan(options.quick, keepalived)
            if name in options.names]
    for turn in range(options.rounds):
        for number, (key, measure, routers) in enumerate(todo):
            for router in routers if (turn + number) % 2 == 0 else routers[::-1]:
                loads.setdefault(key, []).append(os.getloadavg()[0])
                shared = max(shared, strangers(router.path, everything))
                try:
                    found = measure(router)
                except Unusable as reason:
                    errors.append(f"{key}, {router.name}: {reason}")
                    say(f"{key:14} {router.name:10}  {reason}")
                    continue
                kept = results.setdefault(key, {}).setdefault(router.name, {})
                for name, samples in found.items():
                    kept.setdefault(name, []).extend(samples)
                say(f"{key:14} {router.name:10}  " + ", ".join(
                    f"{name} {show(median(samples))}" for name, samples in found.items()
                    if samples))
    text, failed = render([row for row in ROWS if row.name in options.names], results,
                          shared)
    head = (f"{ours.version} and {keepalived.version}, Linux {os.uname().release}, "
            f"{os.cpu_count()} x {processor()}\n"
            f"{options.rounds} rounds in {time.monotonic() - begun:.0f} s; load average before "
            f"{before}, after {load()} (with the bench itself); nice {options.nice}\n"
            "Medians, unless another word is there.\n\n")
    tail = "".join(f"does not hold: {name}\n" for name in failed)
    if shared:
        tail += (f"note: up to {shared} other processes ran the same program meanwhile; their part "
                 "of what is shared is missing in the PSS\n")
    tail += "".join(f"not measured: {error}\n" for error in errors)
    report = head + text + ("\n" + tail if tail else "")
    print(report, end="")
    write(options.out, "bench.txt", report)
    write(options.out, "bench.json", json.dumps(
        {"versions": {"ours": ours.version, "keepalived": keepalived.version},
         "kernel": os.uname().release, "cores": os.cpu_count(), "processor": processor(),
         "load_before": before, "load_after": load(), "load_at": loads,
         "nice": options.nice, "other_processes": shared,
         "samples": results, "does_not_hold": failed, "not_measured": errors}, indent=1))
    picture = draw(panels(results), f"{ours.version} and {keepalived.version}: share of the "
                   "samples that are later than so much")
    if picture:
        write(options.out, "bench.svg", picture)
    return 1 if errors or (failed and not options.no_budgets) else 0


def say(line):
    """Progress."""
    print(line, file=sys.stderr, flush=True)


def write(directory, name, text):
    """Writes one of the results."""
    with open(os.path.join(directory, name), "w", encoding="utf-8") as file:
        file.write(text)
