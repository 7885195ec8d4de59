"""The planned hand-over, with a client that asks every 2 ms."""

import os
import select
import signal
import socket
import struct
import time

from .failover import MS
from .net import LIBC, Namespace, Observer, Unusable, adverts, checksum, mac_of, punctual
from .routers import PR_SET_PDEATHSIG, Instance

ADDRESS = "10.9.0.1"
ASKS_EVERY = 0.002


class Switch:
    """Two routers `a` and `b` and a client `c` at one bridge."""

    def __init__(self):
        self.net = Namespace()
        self.hosts = {}
        self.macs = {}
        self.net.ip("link add br0 type bridge forward_delay 0 stp_state 0 mcast_snooping 0",
                    "link set br0 up")
        for number, name in enumerate("abc", 2):
            host = self.hosts[name] = Namespace()
            self.net.ip(f"link add p{name} type veth peer name eth0 netns {host.path}",
                        f"link set p{name} master br0", f"link set p{name} up")
            host.ip(f"address add 10.9.0.{number}/24 dev eth0", "link set eth0 up")
            with host.entered():
                self.macs[name] = mac_of("eth0")

    def close(self):
        """Takes it apart."""
        for host in self.hosts.values():
            host.close()
        self.net.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def heard(seen, switch):
    """Adverts as they reach the switch: (ns, router, priority)."""
    names = {mac: name for name, mac in switch.macs.items()}
    # What leaves by a port, or reaches the bridge itself, was seen before.
    return [(advert.at, names.get(packet[3][6:12]), advert.priority)
            for packet in seen.packets() if packet[1].startswith("p") and not packet[2]
            for advert in adverts([packet])]


class Client:
    """A process that pings the virtual address every 2 ms."""

    def __init__(self, namespace):
        self.read, write = os.pipe()
        stop_read, self.stop_write = os.pipe()
        with namespace.entered():
            self.pid = os.fork()
            if self.pid == 0:
                code = 1
                try:
                    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
                    os.close(self.stop_write)
                    with punctual():
                        os.write(write, self._ask(stop_read))
                    code = 0
                finally:
                    os._exit(code)
        os.close(write)
        os.close(stop_read)

    @staticmethod
    def _ask(stop):
        ping = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
        ping.setblocking(False)
        ident, sent, answered, due = os.getpid() & 0xffff, 0, set(), time.monotonic()
        until = None
        while until is None or time.monotonic() < until:
            if until is None and time.monotonic() >= due:
                head = struct.pack("!BBHHHQ", 8, 0, 0, ident, 0, sent)
                packet = head[:2] + struct.pack("!H", checksum(head)) + head[4:]
                try:
                    ping.sendto(packet, (ADDRESS, 0))
                except OSError:  # nobody answers the question for the hardware address
                    pass
                sent, due = sent + 1, due + ASKS_EVERY
            left = max(due - time.monotonic(), 0) if until is None else 0.01
            ready = select.select([ping, stop] if until is None else [ping], [], [], left)[0]
            if ping in ready:
                answer = ping.recv(200)
                if answer[20] == 0 and struct.unpack_from("!H", answer, 24)[0] == ident:
                    answered.add(struct.unpack_from("!Q", answer, 28)[0])
            if stop in ready:
                until = time.monotonic() + 0.3
        return b"%d %d" % (sent, sent - len(answered))

    def end(self):
        """Stops it: (asked, not answered)."""
        os.close(self.stop_write)
        words = os.read(self.read, 100).split()
        os.close(self.read)
        os.waitpid(self.pid, 0)
        return int(words[0]), int(words[1])


def _wait_for(seen, switch, name, patience=10.0):
    """Waits for an advert of this router that is no farewell."""
    end = time.monotonic() + patience
    while time.monotonic() < end:
        if any(who == name and priority for _, who, priority in heard(seen, switch)):
            return
        time.sleep(0.05)
    raise Unusable(f"router {name} did not become master within {patience} s")


def hand_over(router, successor, runs, by="stop", backups=1):
    """From priority 0 to the successor's advert, and the pings lost; version 3 at 1 s."""
    result = {"answer": [], "whole": [], "lost_pings": []}

    def one(priority):
        instance = Instance("eth0", 51, priority=priority, addresses=[ADDRESS])
        instance.backups = backups
        return [instance]

    with Switch() as switch, Observer(switch.net) as seen:
        other = successor.start(switch.hosts["b"], successor.text(one(100)))
        running = None
        try:
            for _ in range(runs):
                if running is None:
                    running = router.start(switch.hosts["a"], router.text(one(150)))
                else:
                    router.ask("release", "eth0-51")
                _wait_for(seen, switch, "a")
                time.sleep(1.5)
                seen.forget()
                client = Client(switch.hosts["c"])
                time.sleep(0.3)
                begun = time.clock_gettime_ns(time.CLOCK_REALTIME)
                if by == "stop":
                    running.end()
                    running = None
                else:
                    router.ask("switchover", "eth0-51")
                time.sleep(0.8)
                asked, lost = client.end()
                all_ = heard(seen, switch)
                farewell = [at for at, who, priority in all_ if who == "a" and priority == 0]
                answer = [at for at, who, _ in all_ if who == "b" and at > begun]
                if not answer:
                    raise Unusable("the successor did not take over")
                # Without a farewell: the successor came first.
                if farewell:
                    result["answer"].append((answer[0] - farewell[0]) / MS)
                result["whole"].append((answer[0] - begun) / MS)
                result["lost_pings"].append(lost)
                result.setdefault("asked", []).append(asked)
        finally:
            if running:
                running.kill()
            other.kill()
    return result
