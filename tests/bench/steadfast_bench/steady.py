"""Measurements of a router that just works: processor time, memory, reload, start, check."""

import os
import subprocess
import time

from .failover import MS, Master
from .net import Addresses, Links, Observer, Unusable, adverts, now_ns, punctual
from .routers import Instance, many


def wait_for_masters(seen, count, running, patience=30.0):
    """Waits until so many instances have sent an advert."""
    speaking, end = set(), time.monotonic() + patience
    while len(speaking) < count:
        if time.monotonic() > end or not running.alive():
            raise Unusable(f"{len(speaking)} of {count} instances became master in {patience:g} s")
        speaking |= {advert.key for advert in adverts(seen.packets())
                     if not advert.own and advert.priority}
        time.sleep(0.02)


def interval_for(count):
    """Hundredths of a second between two adverts of one instance, so that there are enough."""
    return 1 if count == 1 else 10


def sent(router, count, seconds):
    """As the master of so many instances: processor time per advert, and memory."""
    instances = many(count, interval_cs=interval_for(count))
    with Links() as links:
        running = router.start(links.router, router.text(instances))
        try:
            with Observer(links.bench) as seen:
                wait_for_masters(seen, count, running)
            # Nobody listens from here on; the interfaces count the packets.
            time.sleep(1.0)
            processes = running.processes()
            packets, cpu = links.router.packets("d")[0], running.cpu_ns(processes)
            time.sleep(seconds)
            cpu = running.cpu_ns(processes) - cpu
            packets = links.router.packets("d")[0] - packets
            expected = count * seconds * 100 / interval_for(count)
            # Fewer are possible on a busy machine; each one counts for itself.
            if not 0.5 < packets / expected < 1.5:
                raise Unusable(f"{router.name} sent {packets} packets instead of {expected:.0f}")
            pss, anonymous = running.memory_kib()
        finally:
            running.kill()
    return {"cpu_sent": [cpu / packets / 1e3], "pss": [pss], "anonymous": [anonymous],
            "processes": [len(processes)]}


def received(router, count, seconds):
    """As the backup of so many masters, whose adverts come one by one: processor time for each."""
    instances = many(count, interval_cs=interval_as_backup(count))
    with Links() as links:
        running = router.start(links.router, router.text(instances))
        master = Master(links, instances)
        turns = [(volley, n) for n in range(master.longest) for volley in master.volleys
                 if n < volley.count]
        position = [0]

        def send_for(duration):
            step, due = instances[0].interval_cs / 100 / count, time.monotonic()
            end = due + duration
            with punctual():
                while due < end:
                    volley, n = turns[position[0] % count]
                    volley.send(n, 1)
                    position[0] += 1
                    due += step
                    time.sleep(max(0.0, due - time.monotonic()))

        try:
            time.sleep(0.3)
            master.send()
            send_for(2.0)
            return {"cpu_received": [_per_received(router, running, links,
                                                   lambda: send_for(seconds))]}
        finally:
            running.kill()
            master.close()


def received_from(router, peer, count, seconds):
    """The same with a real master, which sends the adverts of all its instances in a row."""
    interval = interval_as_backup(count)
    theirs = many(count, prefix="o", interval_cs=interval, priority=200)
    instances = many(count, interval_cs=interval)
    with Links() as links:
        master = peer.start(links.bench, peer.text(theirs))
        running = router.start(links.router, router.text(instances))
        try:
            # It is master after at most four intervals, and its announcements are over.
            time.sleep(2.0 + 4 * interval / 100)
            return {"cpu_received": [_per_received(router, running, links,
                                                   lambda: time.sleep(seconds))]}
        finally:
            running.kill()
            master.kill()


def interval_as_backup(count):
    """Hundredths of a second between two adverts of a master that the router listens to."""
    return 1 if count == 1 else 100 if count > 250 else 25


def _per_received(router, running, links, work):
    """Processor time per packet that came in during the work, in us."""
    for attempt in range(5):
        processes = running.processes()
        sent, came = links.router.packets("d")
        drops, cpu = links.router.raw_drops(), running.cpu_ns(processes)
        work()
        cpu = running.cpu_ns(processes) - cpu
        drops = links.router.raw_drops() - drops
        sent, came = (now - then for now, then in zip(links.router.packets("d"), (sent, came)))
        # When the machine is short of time, the router may take over; that is not asked here.
        if sent <= came / 1000 and came > drops:
            return cpu / (came - drops) / 1e3
        if attempt == 4:
            raise Unusable(f"{router.name} was no backup: it sent {sent} packets, and {came} came")
    return None


def reload(router, count, runs):
    """One more address for the last instance, by a reload, while all are masters at 100 ms."""
    instances = many(count, interval_cs=10)
    before = router.text(instances)
    new = "10.100.77.77"
    instances[-1].addresses.append(new)
    after = router.text(instances)
    result = {"new_address": [], "extra_gap": [], "lost": [], "usual_gap": []}
    with Links() as links, Observer(links.bench) as seen, Addresses(links.router) as changes:
        running = router.start(links.router, before)
        try:
            wait_for_masters(seen, count, running)
            time.sleep(1.0)
            for run in range(runs):
                seen.forget()
                changes.forget()
                time.sleep(0.5)
                router.write(after)
                # Not always at the same moment between two adverts.
                time.sleep(0.1 + 0.1 * (run * 0.382 % 1))
                at = running.reload()
                happened = changes.collect(1.0)
                packets = seen.packets()
                there = [when for when, added, address in happened if added and address == new]
                if not there:
                    raise Unusable(f"{router.name}: the new address did not come in 1 s")
                gaps = _longest_gaps(packets, at)
                stopped = sum(1 for advert in adverts(packets)
                              if not advert.own and advert.priority == 0)
                removed = sum(1 for _, added, _ in happened if not added)
                result["new_address"].append((there[0] - at) / MS)
                result["usual_gap"].append(gaps[0] / MS - 100)
                result["extra_gap"].append(gaps[1] / MS - 100)
                result["lost"].append(removed + stopped + (gaps[2] != count))
                router.write(before)
                running.reload()
                changes.collect(0.7)
            if not running.alive():
                raise Unusable(f"{router.name} ended by itself: {router.explain()}")
        finally:
            running.kill()
    return result


def _longest_gaps(packets, at):
    """The longest pause of any instance before the moment, and around it; how many spoke after."""
    last, usual, around, spoke = {}, 0, 0, set()
    for advert in adverts(packets):
        if advert.own:
            continue
        before = last.get(advert.key)
        if before is not None:
            if advert.at < at:
                usual = max(usual, advert.at - before)
            else:
                around = max(around, advert.at - before)
        if advert.at >= at:
            spoke.add(advert.key)
        last[advert.key] = advert.at
    return usual, around, len(spoke)


def start(router, runs):
    """From the execution of the program to the first advert of the owner of an address."""
    result = {"start_wall": [], "start_cpu": []}
    instances = [Instance("d0", 51, priority=255, addresses=["10.100.9.1"])]
    for _ in range(runs):
        with Links(1) as links, Observer(links.bench) as seen:
            # Ours wants the addresses of an owner to be there already.
            links.router.ip("address add 10.100.9.1/32 dev d0")
            running = router.start(links.router, router.text(instances))
            try:
                end = time.monotonic() + 10
                first = None
                while first is None:
                    if not seen.wait(end - time.monotonic()):
                        raise Unusable(f"{router.name}: no advert within 10 s of the start")
                    first = next(iter(adverts(seen.packets())), None)
                cpu = running.cpu_ns()
                result["start_wall"].append((first.at - running.started_ns) / MS)
                result["start_cpu"].append(cpu / MS)
            finally:
                running.kill()
    return result


def check(router, runs):
    """The check of a configuration of 1 MiB: the same instances and addresses for both."""
    each = 46
    instances = []
    for n in range(1000):
        first = n % 250 * each
        all_ = [f"10.{100 + n // 250}.{10 + i // 200}.{1 + i % 200}"
                for i in range(first, first + each)]
        instances.append(Instance(f"d{n // 250}", n % 250 + 1, addresses=all_[:20],
                                  excluded=all_[20:]))
    text = router.text(instances)
    path = router.write(text)
    result = {"check": [], "check_cpu": [], "check_size": [len(text) / 2**20]}
    with Links() as links:
        for _ in range(runs):
            with links.router.entered():
                at = now_ns()
                process = subprocess.Popen(router.check(path), stdout=subprocess.DEVNULL,
                                           stderr=subprocess.PIPE)
                said = process.stderr.read()
                _, status, usage = os.wait4(process.pid, 0)
                took = now_ns() - at
            process.returncode = os.waitstatus_to_exitcode(status)
            if process.returncode:
                raise Unusable(f"{router.name} refuses the configuration: "
                               f"{said[-2000:].decode(errors='replace')}")
            result["check"].append(took / MS)
            result["check_cpu"].append((usage.ru_utime + usage.ru_stime) * 1e3)
    return result
