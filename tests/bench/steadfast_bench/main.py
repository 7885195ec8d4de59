"""tests/bench/run: the options, the order of the measurements, the output."""

import argparse
import ctypes
import json
import os
import platform
import shutil
import subprocess
import sys
import time

from .net import LIBC, Unusable
from .plot import render as draw
from .routers import Keepalived, Steadfast
from .rows import NAMES, ROWS, panels, plan
from .table import median, render, show

HERE = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
REPOSITORY = os.path.dirname(os.path.dirname(HERE))
# Set for the run that is inside its own namespaces.
INSIDE = "STEADFAST_BENCH_INSIDE"
TOOLS = [("ip", "iproute2"), ("unshare", "util-linux")]


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
        if os.environ.get(INSIDE) == "1" and os.getpid() == 1:
            # A file system that ends with the namespace; keepalived writes there too.
            if LIBC.mount(b"bench", b"/run", b"tmpfs", ctypes.c_ulong(0), None):
                raise Unusable(f"cannot mount a tmpfs: {os.strerror(ctypes.get_errno())}")
            os.mkdir("/run/bench")
            return measure_all(options, "/run/bench")
        return enter(options)
    except Unusable as reason:
        print(f"tests/bench/run: {reason}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def enter(options):
    """Runs all in namespaces of its own: when its first process ends, so does everything in it."""
    if os.geteuid() != 0:
        raise Unusable("it needs root for network namespaces and real-time priority; run it with: "
                       "sudo tests/bench/run")
    for tool, package in TOOLS:
        if not shutil.which(tool):
            raise Unusable(f"{tool} is missing; install it with: apt-get install {package}")
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
    words = ["--rows", ",".join(options.names), "--rounds", str(options.rounds),
             "--binary", options.binary, "--keepalived", options.keepalived, "--out", options.out]
    words += ["--quick"] if options.quick else []
    sys.stdout.flush()
    os.execvpe(
        "unshare",
        ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--",
         sys.executable, os.path.join(HERE, "run"), *words],
        {**os.environ, INSIDE: "1"})
    return 2


def load():
    """The load averages of 1, 5 and 15 minutes."""
    return " ".join(f"{value:.2f}" for value in os.getloadavg())


def processor():
    """What the processor calls itself."""
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        names = [line.partition(":")[2].strip() for line in file if line.startswith("model name")]
    return names[0] if names else platform.machine()


def measure_all(options, directory):
    """Measures what was asked for, and writes what came out; the exit code."""
    keepalived, ours = Keepalived(options.keepalived, directory), \
        Steadfast(options.binary, directory)
    results, errors, loads = {}, [], {}
    begun, before = time.monotonic(), load()
    todo = [(key, measure, [ours] if only_ours else [keepalived, ours])
            for name, key, measure, only_ours in plan(options.quick, keepalived)
            if name in options.names]
    for turn in range(options.rounds):
        for number, (key, measure, routers) in enumerate(todo):
            for router in routers if (turn + number) % 2 == 0 else routers[::-1]:
                loads.setdefault(key, []).append(os.getloadavg()[0])
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
    text, failed = render([row for row in ROWS if row.name in options.names], results)
    head = (f"{ours.version} and {keepalived.version}, Linux {os.uname().release}, "
            f"{os.cpu_count()} x {processor()}\n"
            f"{options.rounds} rounds in {time.monotonic() - begun:.0f} s; load average before "
            f"{before}, after {load()} (with the bench itself)\n"
            "Medians, unless another word is there.\n\n")
    tail = "".join(f"does not hold: {name}\n" for name in failed)
    tail += "".join(f"not measured: {error}\n" for error in errors)
    report = head + text + ("\n" + tail if tail else "")
    print(report, end="")
    write(options.out, "bench.txt", report)
    write(options.out, "bench.json", json.dumps(
        {"versions": {"ours": ours.version, "keepalived": keepalived.version},
         "kernel": os.uname().release, "cores": os.cpu_count(), "processor": processor(),
         "load_before": before, "load_after": load(), "load_at": loads,
         "samples": results, "does_not_hold": failed, "not_measured": errors}, indent=1))
    picture = draw(panels(results), f"{ours.version} and {keepalived.version}: which part of the "
                                    "samples is later than")
    if picture:
        write(options.out, "bench.svg", picture)
    return 1 if errors or failed else 0


def say(line):
    """Progress."""
    print(line, file=sys.stderr, flush=True)


def write(directory, name, text):
    """Writes one of the results."""
    with open(os.path.join(directory, name), "w", encoding="utf-8") as file:
        file.write(text)
