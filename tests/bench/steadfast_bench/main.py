"""tests/bench/run: options, order of the measurements, output."""

import argparse
import json
import os
import shutil
import sys
import tempfile
import time

from . import failover, handover, steady
from .net import LIBC, Unusable
from .routers import Keepalived, Steadfast
from .table import Row, median, p99, render

REPOSITORY = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.realpath(__file__)))))
INSIDE = "STEADFAST_BENCH_INSIDE"

COUNTS = (1, 250, 1000)
ROWS = [
    Row("takeover", "takeover beyond Master_Down_Interval", ("takeover", "takeover"), "ms",
        ratio=1, slack=0.02),
    Row("takeover", "the same, earliest (0: never early)", ("takeover", "takeover"), "ms", of=min),
    Row("together", "1000 instances together: worst advert late", ("together", "late"), "ms",
        ratio=0.25),
    Row("together", "the same, last address and announcement", ("together", "complete"), "ms",
        ratio=0.5),
    Row("addresses", "1000 addresses: first gratuitous ARP", ("addresses", "first"), "ms",
        ratio=0.1),
    Row("addresses", "the same, all addresses present", ("addresses", "present"), "ms", ratio=0.8),
    Row("handover", "stop: priority 0 to the successor's advert", ("handover", "answer"), "ms",
        limit=10),
    Row("handover", "stop: request to the successor's advert", ("handover", "whole"), "ms"),
    Row("handover", "stop: pings lost, one every 2 ms", ("handover", "lost_pings"), "",
        limit=0, of=max),
    Row("handover", "stop, backups not counted: to the advert", ("handover_any", "answer"), "ms",
        limit=35),
    Row("handover", "stop, backups not counted: pings lost", ("handover_any", "lost_pings"), "",
        limit=0, of=max),
    Row("switchover", "switchover: priority 0 to the successor", ("switchover", "answer"), "ms",
        limit=10),
    Row("switchover", "switchover: pings lost", ("switchover", "lost_pings"), "", limit=0, of=max),
]
for _n in COUNTS:
    ROWS.append(Row("sent", f"CPU per advert sent, {_n} instances", (f"sent{_n}", "cpu_sent"),
                    "us", ratio=None if _n == 1 else 0.5))
for _n in COUNTS:
    ROWS.append(Row("received", f"CPU per advert received, {_n} instances",
                    (f"received{_n}", "cpu_received"), "us", ratio=0.7))
for _n in COUNTS[1:]:
    ROWS.append(Row("received", f"the same, {_n} at once from one master",
                    (f"burst{_n}", "cpu_received"), "us", ratio=0.7))
ROWS += [
    Row("start", "start to first advert, CPU", ("start", "start_cpu"), "ms", ratio=0.5),
    Row("start", "start to first advert, wall", ("start", "start_wall"), "ms"),
]
for _n in COUNTS:
    _ratio = 0.25 if _n == 1000 else None
    ROWS += [
        Row("reload", f"reload of {_n}: new address", (f"reload{_n}", "new_address"), "ms",
            ratio=_ratio),
        Row("reload", f"reload of {_n}: longest extra advert gap", (f"reload{_n}", "extra_gap"),
            "ms", ratio=_ratio),
        Row("reload", f"reload of {_n}: losses", (f"reload{_n}", "lost"), "", limit=0, of=max),
    ]
for _n in COUNTS:
    _ratio = 0.5 if _n == 1 else None
    ROWS += [
        Row("sent", f"memory of {_n} instances, PSS", (f"sent{_n}", "pss"), "KiB", ratio=_ratio),
        Row("sent", f"memory of {_n} instances, anonymous", (f"sent{_n}", "anonymous"), "KiB",
            ratio=_ratio),
    ]
ROWS += [
    Row("check", "check of 1 MiB, wall", ("check", "check"), "ms", ratio=0.2),
    Row("check", "check of 1 MiB, CPU", ("check", "check_cpu"), "ms"),
]
NAMES = list(dict.fromkeys(row.name for row in ROWS))


def plan(names, quick, keepalived):
    """What is measured: (key, function of a router, only ours)."""
    few = quick
    todo = [
        ("takeover", "takeover", lambda r: failover.takeover(r, 5 if few else 50), False),
        ("together", "together", lambda r: failover.together(r, 2 if few else 5), False),
        ("addresses", "addresses",
         lambda r: failover.thousand_addresses(r, 3 if few else 10), False),
        ("handover", "handover",
         lambda r: handover.hand_over(r, keepalived, 1 if few else 3), False),
        ("handover", "handover_any",
         lambda r: handover.hand_over(r, keepalived, 1 if few else 3, backups=0), True),
        ("switchover", "switchover",
         lambda r: handover.hand_over(r, keepalived, 1 if few else 3, "switchover"), True),
    ]
    for n in COUNTS:
        todo.append(("sent", f"sent{n}", lambda r, n=n: steady.sent(r, n, 2 if few else 10), False))
        todo.append(("received", f"received{n}",
                     lambda r, n=n: steady.received(r, n, 2 if few else 10), False))
        if n > 1:
            todo.append(("received", f"burst{n}",
                         lambda r, n=n: steady.received(r, n, 2 if few else 10, True), False))
    todo.append(("start", "start", lambda r: steady.start(r, 4 if few else 20), False))
    for n in COUNTS:
        todo.append(("reload", f"reload{n}",
                     lambda r, n=n: steady.reload(r, n, 1 if few else 5), False))
    todo.append(("check", "check", lambda r: steady.check(r, 3 if few else 10), False))
    return [(key, measure, ours) for name, key, measure, ours in todo if name in names]


def arguments(words):
    """The options."""
    parser = argparse.ArgumentParser(
        prog="tests/bench/run", formatter_class=argparse.RawDescriptionHelpFormatter,
        description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--rows", metavar="NAME,...", default=",".join(NAMES))
    parser.add_argument("--rounds", type=int, metavar="N")
    parser.add_argument("--binary", metavar="PATH")
    parser.add_argument("--keepalived", metavar="PATH", default="/usr/sbin/keepalived")
    parser.add_argument("--out", metavar="DIR", default=os.path.join(REPOSITORY, "target/bench"))
    options = parser.parse_args(words)
    options.names = options.rows.split(",")
    unknown = [name for name in options.names if name not in NAMES]
    if unknown:
        parser.error(f"no rows called {', '.join(unknown)}; there are: {', '.join(NAMES)}")
    options.rounds = options.rounds or 2
    return options


def main(words):
    """Runs it; the exit code."""
    options = arguments(words)
    if os.environ.get(INSIDE) != str(os.getppid()) and os.getpid() != 1:
        return enter(words)
    with tempfile.TemporaryDirectory(prefix="steadfast-bench-") as directory:
        try:
            return measure_all(options, directory)
        except Unusable as reason:
            print(f"tests/bench/run: {reason}", file=sys.stderr)
            return 1


def enter(words):
    """Runs all in namespaces of its own: when its first process ends, so does everything."""
    if os.geteuid() != 0:
        print("tests/bench/run: it needs root for network namespaces and real-time priority; "
              "run it with: sudo tests/bench/run", file=sys.stderr)
        return 1
    os.execvp("unshare", ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child",
                          "--mount-proc", "--", sys.executable, sys.argv[0], *words])
    return 1


def measure_all(options, directory):
    """Measures what was asked for, and writes what came out."""
    keepalived = Keepalived(options.keepalived, directory)
    routers = [keepalived, Steadfast(os.path.abspath(options.binary), directory)]
    results, errors = {}, []
    begun, load = time.time(), os.getloadavg()
    for key, measure, only_ours in plan(options.names, options.quick, keepalived):
        for turn in range(options.rounds):
            order = routers if turn % 2 == 0 else routers[::-1]
            for router in order:
                if only_ours and router is keepalived:
                    continue
                at = time.monotonic()
                try:
                    found = measure(router)
                except Unusable as reason:
                    errors.append(f"{key}, {router.name}: {reason}")
                    print(f"{key:12} {router.name:10} {reason}", file=sys.stderr, flush=True)
                    continue
                kept = results.setdefault(key, {}).setdefault(router.name, {})
                for name, samples in found.items():
                    kept.setdefault(name, []).extend(samples)
                print(f"{key:12} {router.name:10} {time.monotonic() - at:5.1f} s  "
                      + "  ".join(f"{name} {median(s):.3f}" for name, s in found.items() if s),
                      file=sys.stderr, flush=True)
    text, failed = render(ROWS, results)
    now = os.getloadavg()
    head = (f"{routers[1].version} beside {keepalived.version}, Linux {os.uname().release}, "
            f"{os.cpu_count()} cores, {time.time() - begun:.0f} s\n"
            f"load average before {load[0]:.2f} {load[1]:.2f} {load[2]:.2f}, "
            f"after {now[0]:.2f} {now[1]:.2f} {now[2]:.2f} (the bench itself included)\n\n")
    print(head + text)
    for error in errors:
        print(f"not measured: {error}")
    os.makedirs(options.out, exist_ok=True)
    with open(os.path.join(options.out, "bench.txt"), "w", encoding="utf-8") as file:
        file.write(head + text)
    with open(os.path.join(options.out, "bench.json"), "w", encoding="utf-8") as file:
        json.dump({"results": results, "errors": errors, "failed": failed}, file, indent=1)
    return 1 if errors or failed else 0
