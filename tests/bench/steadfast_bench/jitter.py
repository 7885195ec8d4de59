"""How punctual the adverts are: alone, and when others want the processors."""

import contextlib
import ctypes
import os
import signal
import time

from .failover import MS
from .net import LIBC, Links, Observer, Unusable, adverts
from .routers import PR_SET_PDEATHSIG, many
from .steady import wait_for_masters

# Twice as many busy loops as processors.
LOOPS_PER_CORE = 2
REALTIME = 50


@contextlib.contextmanager
def busy(wanted):
    """While this lasts, every processor has more to do than it can."""
    loops = []
    try:
        for _ in range((os.cpu_count() or 1) * LOOPS_PER_CORE if wanted else 0):
            pid = os.fork()
            if pid == 0:
                LIBC.prctl(PR_SET_PDEATHSIG, ctypes.c_ulong(signal.SIGKILL), 0, 0, 0)
                while True:
                    pass
            loops.append(pid)
        yield
    finally:
        for pid in loops:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def _gaps(packets):
    """The pauses between two adverts of each instance, in ns."""
    last, gaps = {}, []
    for advert in adverts(packets):
        if advert.key in last:
            gaps.append(advert.at - last[advert.key])
        last[advert.key] = advert.at
    return gaps


class Watch:
    """Looks at the processes of a daemon again and again."""

    def __init__(self, running):
        self.running, self.known = running, set(running.processes())
        self.restarts, self.realtime = 0, False

    def look(self, seconds):
        """For so long."""
        end = time.monotonic() + seconds
        while True:
            now = set(self.running.processes())
            self.restarts += len(now - self.known)
            self.known |= now
            self.realtime = self.realtime or any(map(_is_realtime, now))
            left = end - time.monotonic()
            if left <= 0:
                return
            time.sleep(min(0.1, left))


def _is_realtime(pid):
    """Whether a process is scheduled by FIFO or round robin."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError), \
            open(f"/proc/{pid}/stat", "rb") as file:
        return int(file.read().rsplit(b")", 1)[1].split()[38]) in (1, 2)
    return False


def wait_for_processes(router, running, patience=10.0):
    """Waits until the daemon has started its child."""
    end = time.monotonic() + patience
    while len(running.processes()) < 2:
        if time.monotonic() > end or not running.alive():
            raise Unusable(f"{router.name} does not start: {router.explain()}")
        time.sleep(0.005)


def punctuality(router, count, interval_cs, seconds, loaded, realtime):
    """How much longer than the interval the pauses between two adverts of an instance are."""
    instances = many(count, interval_cs=interval_cs)
    text = router.text(instances, realtime=REALTIME if realtime else None)
    result = {"late": [], "restarts": [], "missing": []}
    with Links() as links, Observer(links.bench) as seen:
        running = router.start(links.router, text)
        try:
            wait_for_processes(router, running)
            if not realtime:
                wait_for_masters(seen, count, running)
            with busy(loaded):
                watch = Watch(running)
                # With real-time priority this includes the start: whoever uses up the processor
                # time that he has at a stretch shows it there.
                watch.look(1.0 + 3 * interval_cs / 100)
                seen.forget()
                watch.look(seconds)
                packets = seen.packets()
            if realtime and not watch.realtime:
                raise Unusable(f"{router.name}: no process has real-time priority: "
                               f"{router.explain()}")
            gaps = _gaps(packets)
            expected = count * seconds * 100 / interval_cs
            result["late"] = [(gap - interval_cs * 1e7) / MS for gap in gaps]
            result["size"] = [abs(late) for late in result["late"]]
            result["restarts"] = [watch.restarts]
            result["missing"] = [max(0.0, 100 * (1 - len(adverts(packets)) / expected))]
            if not running.alive():
                raise Unusable(f"{router.name} ended by itself: {router.explain()}")
        finally:
            running.kill()
    return result
