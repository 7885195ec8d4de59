"""The rows of the table, and the measurements that give them."""

from . import failover, handover, idle, jitter, steady
from .table import Row, p99

COUNTS = (1, 250, 1000)
IDLE_COUNTS = (1, 1000)
# (key, title, both processors busy, real-time priority)
MODES = [("idle", "idle", False, False), ("busy", "processors busy", True, False),
         ("idle_rt", "idle, real-time", False, True),
         ("busy_rt", "processors busy, real-time", True, True)]

ROWS = [
    Row("takeover", "takeover beyond Master_Down_Interval", "takeover/takeover", "ms", ratio=1,
        slack=0.02),
    Row("takeover", "  the earliest of all: never early", "takeover/takeover", "ms", of=min,
        least=0),
    Row("together", "1000 instances together: worst advert late", "together/late", "ms",
        ratio=0.25),
    Row("together", "  last address and announcement", "together/complete", "ms", ratio=0.5),
    Row("together", "  the earliest of all: never early", "together/early", "ms", of=min,
        least=0),
    Row("addresses", "1000 addresses: first gratuitous ARP", "addresses/first", "ms", ratio=0.1),
    Row("addresses", "  all addresses present", "addresses/present", "ms", ratio=0.8),
    Row("handover", "stop: priority 0 to successor's advert", "handover/answer", "ms", limit=10),
    Row("handover", "  from the signal", "handover/whole", "ms"),
    Row("handover", "  pings lost, one every 2 ms", "handover/lost_pings", "", limit=0, of=max),
    Row("handover", "  how many backups not said", "handover_any/answer", "ms", limit=35),
    Row("handover", "  pings lost", "handover_any/lost_pings", "", limit=0, of=max),
    Row("handover", "switchover: priority 0 to successor's advert", "switchover/answer", "ms",
        limit=10),
    Row("handover", "  pings lost", "switchover/lost_pings", "", limit=0, of=max),
    *[Row("sent", f"CPU per advert sent, {n}", f"sent{n}/cpu_sent", "us",
          ratio=None if n == 1 else 0.5) for n in COUNTS],
    *[Row("received", f"CPU per advert received, {n}", f"received{n}/cpu_received", "us",
          ratio=0.7) for n in COUNTS],
    *[Row("received", f"CPU per advert received, {n} from one master",
          f"received_from{n}/cpu_received", "us", ratio=0.7) for n in COUNTS[1:]],
]
for _mode, _title, _busy, _realtime in MODES:
    ROWS += [
        Row("jitter", f"advert late, {_title}: median", f"jitter_{_mode}/size", "ms"),
        Row("jitter", "  99 of 100", f"jitter_{_mode}/late", "ms", of=p99,
            ratio=1 if _mode == "busy_rt" else None, slack=0.02),
        Row("jitter", "  worst", f"jitter_{_mode}/late", "ms", of=max),
    ]
for _n in COUNTS[1:]:
    ROWS += [
        Row("overload", f"{_n} x 100 ms, busy, real-time: restarts", f"overload{_n}/restarts", "",
            limit=0, of=max),
        Row("overload", "  adverts missing", f"overload{_n}/missing", "%", limit=1),
        Row("overload", "  advert late, 99 of 100", f"overload{_n}/late", "ms", of=p99, ratio=1,
            slack=0.02),
    ]
for _n in IDLE_COUNTS:
    ROWS += [
        Row("idle", f"idle master of {_n} at 1 s: CPU of all", f"idle{_n}/cpu", "ms/s",
            limit=0.2 if _n == 1 else None),
        Row("idle", "  context switches", f"idle{_n}/switches", "1/s"),
        Row("idle", "  system calls", f"idle{_n}/calls", "1/s"),
        Row("idle", "  supervisor: CPU", f"idle{_n}/parent_cpu", "ms/s"),
        Row("idle", "  supervisor: context switches", f"idle{_n}/parent_switches", "1/s",
            limit=3),
        Row("idle", "  supervisor: system calls", f"idle{_n}/parent_calls", "1/s", limit=12),
    ]
ROWS += [
    Row("start", "start to first advert, CPU", "start/start_cpu", "ms", ratio=0.5),
    Row("start", "  wall", "start/start_wall", "ms"),
]
for _n in COUNTS:
    _ratio = 0.6 if _n == 1000 else None
    ROWS += [
        Row("reload", f"reload of {_n}: new address", f"reload{_n}/new_address", "ms",
            ratio=_ratio),
        Row("reload", "  longest extra advert gap", f"reload{_n}/extra_gap", "ms", ratio=_ratio),
        Row("reload", "  addresses or masters lost", f"reload{_n}/lost", "", limit=0, of=max),
    ]
for _n in COUNTS:
    _ratio = 0.5 if _n == 1 else None
    ROWS += [
        Row("sent", f"memory of {_n}, PSS", f"sent{_n}/pss", "KiB", ratio=_ratio,
            alone=True),
        Row("sent", "  anonymous", f"sent{_n}/anonymous", "KiB", ratio=_ratio),
    ]
ROWS += [
    Row("check", "check of 1 MiB, wall", "check/check", "ms", ratio=0.6),
    Row("check", "  CPU", "check/check_cpu", "ms"),
]
NAMES = list(dict.fromkeys(row.name for row in ROWS))


def plan(quick, keepalived):
    """What is measured: (name of the rows, key, function of a router, whether only ours)."""
    def some(few, many):
        return few if quick else many

    counts = some((1, 1000), COUNTS)
    seconds = some(2, 5)
    todo = [
        ("takeover", "takeover", lambda r: failover.takeover(r, some(4, 20)), False),
        ("together", "together", lambda r: failover.together(r, some(1, 3)), False),
        ("addresses", "addresses", lambda r: failover.thousand_addresses(r, some(3, 5)), False),
        ("handover", "handover", lambda r: handover.hand_over(r, keepalived, some(1, 2)), False),
        ("handover", "handover_any",
         lambda r: handover.hand_over(r, keepalived, some(1, 2), backups=0), True),
        ("handover", "switchover",
         lambda r: handover.hand_over(r, keepalived, some(1, 2), "switchover"), True),
    ]
    for n in counts:
        todo.append(("sent", f"sent{n}", lambda r, n=n: steady.sent(r, n, seconds), False))
    for n in counts:
        todo.append(("received", f"received{n}", lambda r, n=n: steady.received(r, n, seconds),
                     False))
        if n > 1:
            todo.append(("received", f"received_from{n}",
                         lambda r, n=n: steady.received_from(r, keepalived, n, seconds), False))
    for key, _, loaded, realtime in MODES:
        todo.append(("jitter", f"jitter_{key}",
                     lambda r, loaded=loaded, realtime=realtime: jitter.punctuality(
                         r, 1, 1, some(2, 10), loaded, realtime), False))
    for n in counts:
        if n > 1:
            todo.append(("overload", f"overload{n}",
                         lambda r, n=n: jitter.punctuality(r, n, 10, some(3, 10), True, True),
                         False))
    for n in IDLE_COUNTS:
        todo.append(("idle", f"idle{n}", lambda r, n=n: idle.idle(r, n, some(2, 6)), False))
    todo.append(("start", "start", lambda r: steady.start(r, some(5, 20)), False))
    for n in counts:
        todo.append(("reload", f"reload{n}", lambda r, n=n: steady.reload(r, n, some(1, 5)),
                     False))
    todo.append(("check", "check", lambda r: steady.check(r, some(3, 10)), False))
    return todo


def panels(results):
    """What the picture shows: (title, which scale, {router: samples})."""
    def series(key, name):
        return {router: found.get(name, []) for router, found in results.get(key, {}).items()}

    return [("takeover beyond Master_Down_Interval", "takeover", series("takeover", "takeover")),
            *[(f"advert late, {title}", "late", series(f"jitter_{key}", "late"))
              for key, title, _, _ in MODES]]
