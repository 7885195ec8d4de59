"""Measurements of what happens when a master falls silent: the bench is the master."""

import time

from .net import Addresses, Links, Observer, Unusable, Volley, advert_frame, adverts, \
    announcements, punctual
from .routers import Instance, many

# Above every instance under test, so that they give way to the bench at once.
HIGHER = 200
# How many adverts go out at a time. A receive buffer of the default size holds about 250.
SLICE = 50
MS = 1e6


class Master:
    """The bench as the master of all instances."""

    def __init__(self, links, instances):
        self.instances = instances
        self.volleys = []
        for n in range(links.count):
            frames = [advert_frame(links.macs[n], f"10.{100 + n}.0.2", one.vrid, HIGHER,
                                   one.interval_cs, one.addresses)
                      for one in instances if one.interface == f"d{n}"]
            if frames:
                self.volleys.append(Volley(links.bench, f"o{n}", frames))
        self.longest = max(volley.count for volley in self.volleys)

    def send(self):
        """An advert of every instance, as fast as a receiver with usual buffers takes them."""
        for first in range(0, self.longest, SLICE):
            for volley in self.volleys:
                if first < volley.count:
                    volley.send(first, SLICE)
            if self.longest > SLICE:
                time.sleep(0.0003)

    def reign(self, adverts_sent):
        """Sends adverts until every instance is a backup that knows the interval."""
        interval = self.instances[0].interval_cs / 100
        with punctual():
            for n in range(adverts_sent):
                self.send()
                if n + 1 < adverts_sent:
                    time.sleep(interval)

    def close(self):
        """Ends it."""
        for volley in self.volleys:
            volley.close()


class NotYet(Unusable):
    """Something that was waited for has not happened so far."""


def _after_silence(packets, instances):
    """When each instance was due, and when it sent its first advert: {key: (due, sent)}."""
    down = {(int(one.interface[1:]), one.vrid): one.down_ns for one in instances}
    last, first = {}, {}
    for advert in adverts(packets):
        if advert.own:
            last[advert.key] = advert.at
            first.pop(advert.key, None)
        elif advert.key in last:
            first.setdefault(advert.key, advert.at)
    missing = [key for key in down if key not in last or key not in first]
    if missing:
        raise NotYet(f"{len(missing)} of {len(down)} instances did not take over")
    return {key: (last[key] + down[key], first[key]) for key in down}


def _silent_again(router, runs, instances, wait_after, each):
    """Takes the master away so often, and gives what was seen of it to `each`."""
    with Links() as links, Observer(links.bench) as seen, Addresses(links.router) as changes:
        running = router.start(links.router, router.text(instances))
        master = Master(links, instances)
        try:
            time.sleep(0.5)
            for _ in range(runs):
                master.reign(3)
                seen.forget()
                changes.forget()
                # The last ones: what was on the way before is gone.
                master.reign(2)
                quiet = instances[0].down_ns / 1e9 - 0.03
                happened = changes.collect(0.03 + wait_after, quiet=quiet)
                packets = seen.packets()
                # On a machine that is short of processor time everything may come later.
                for patience in (0.5, 1.0, 2.0, None):
                    try:
                        each(packets, happened)
                        break
                    except NotYet:
                        if patience is None:
                            raise
                        happened += changes.collect(patience)
                        packets += seen.packets()
            if not running.alive():
                raise Unusable(f"{router.name} ended by itself: {router.explain()}")
        finally:
            running.kill()
            master.close()


def takeover(router, runs):
    """One instance, adverts every 100 ms: how long after Master_Down_Interval it speaks."""
    instances = [Instance("d0", 51, interval_cs=10, addresses=["10.100.9.1"])]
    samples = []

    def each(packets, _):
        due, sent = _after_silence(packets, instances)[(0, 51)]
        samples.append((sent - due) / MS)

    _silent_again(router, runs, instances, 0.03, each)
    return {"takeover": samples}


def together(router, runs, count=1000):
    """All instances lose their master at the same moment, adverts every 1 s."""
    instances = many(count)
    result = {"late": [], "complete": []}

    def each(packets, happened):
        times = _after_silence(packets, instances)
        due = {address: times[(int(one.interface[1:]), one.vrid)][0]
               for one in instances for address in one.addresses}
        announced, present = {}, {}
        start = min(due.values())
        for at, address in announcements(packets):
            if at >= start:
                announced.setdefault(address, at)
        for at, added, address in happened:
            if added:
                present.setdefault(address, at)
        missing = [a for a in due if a not in announced or a not in present]
        if missing:
            raise NotYet(f"{router.name}: {len(missing)} addresses are not there or were not "
                           f"announced, such as {missing[0]}")
        result["late"].append(max(sent - due for due, sent in times.values()) / MS)
        result["complete"].append(
            max(max(announced[a], present[a]) - due[a] for a in due) / MS)
        result.setdefault("early", []).append(
            min(sent - due for due, sent in times.values()) / MS)

    _silent_again(router, runs, instances, 0.6, each)
    return result


def thousand_addresses(router, runs, count=1000):
    """One instance with many addresses, 100 of them in its adverts."""
    all_ = [f"10.100.{10 + n // 200}.{1 + n % 200}" for n in range(count)]
    instances = [Instance("d0", 51, interval_cs=10, addresses=all_[:100], excluded=all_[100:])]
    result = {"first": [], "present": []}

    def each(packets, happened):
        due, _ = _after_silence(packets, instances)[(0, 51)]
        announced = [at for at, _ in announcements(packets) if at >= due]
        present = {}
        for at, added, address in happened:
            if added:
                present.setdefault(address, at)
        if not announced or len(present) < count:
            raise NotYet(f"{router.name}: {len(present)} of {count} addresses are there")
        result["first"].append((min(announced) - due) / MS)
        result["present"].append((max(present.values()) - due) / MS)

    _silent_again(router, runs, instances, 0.6, each)
    return result
