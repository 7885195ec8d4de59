"""Network namespaces, raw sockets and packets: what the bench sees and sends."""

import contextlib
import ctypes
import os
import select
import socket
import struct
import subprocess
import time

LIBC = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNET = 0x40000000
SO_TIMESTAMPNS = 35
SO_RCVBUFFORCE = 33
SO_ATTACH_FILTER = 26
ETH_P_ALL = 3
RTMGRP_IPV4_IFADDR = 0x10
RTM_NEWADDR = 20
RTM_DELADDR = 21
RECEIVE_BUFFER_OCTETS = 256 * 1024 * 1024


class Unusable(Exception):
    """The bench cannot run, or a router did not do what was waited for."""


@contextlib.contextmanager
def punctual():
    """The bench plays other machines, which do not wait for this one's processors.

    Not what it starts meanwhile.
    """
    policy = os.SCHED_FIFO | os.SCHED_RESET_ON_FORK
    os.sched_setscheduler(0, policy, os.sched_param(1))
    try:
        yield
    finally:
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


def now_ns():
    """The clock of the kernel's packet timestamps."""
    return time.clock_gettime_ns(time.CLOCK_REALTIME)


def _network(process):
    """Which network namespace a process is in; None where that may not be seen."""
    try:
        found = os.stat(f"/proc/{process}/ns/net")
    except PermissionError:
        return None
    return found.st_dev, found.st_ino


# The networks of whoever started the bench and of the first process.
OUTSIDE = {_network("self"), _network(1)}


def refuse_outside():
    """A router there would take the addresses of this machine: nothing is started in it."""
    if _network("thread-self") in OUTSIDE:
        raise Unusable("refused: a router would run in the network of this machine")


class Namespace:
    """A network namespace without a name: it lives as long as its descriptor and processes."""

    def __init__(self):
        home = os.open("/proc/self/ns/net", os.O_RDONLY)
        try:
            if LIBC.unshare(CLONE_NEWNET) != 0:
                reason = os.strerror(ctypes.get_errno())
                raise Unusable(f"cannot make a network namespace: {reason}")
            self.fd = os.open("/proc/self/ns/net", os.O_RDONLY)
            # What the kernel says on its own is no part of any measurement.
            for name in ("all", "default"):
                self._write(f"/proc/sys/net/ipv6/conf/{name}/disable_ipv6", "1")
            self._write("/proc/sys/net/ipv4/igmp_max_memberships", "200")
            subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        finally:
            LIBC.setns(home, CLONE_NEWNET)
            os.close(home)

    @staticmethod
    def _write(path, text):
        with contextlib.suppress(FileNotFoundError), open(path, "w", encoding="ascii") as file:
            file.write(text)

    @contextlib.contextmanager
    def entered(self):
        """Sockets and processes made within belong to the namespace."""
        home = os.open("/proc/self/ns/net", os.O_RDONLY)
        LIBC.setns(self.fd, CLONE_NEWNET)
        try:
            yield
        finally:
            LIBC.setns(home, CLONE_NEWNET)
            os.close(home)

    @property
    def path(self):
        """The name of the namespace for `ip`."""
        return f"/proc/{os.getpid()}/fd/{self.fd}"

    def ip(self, *lines):
        """Runs these commands of `ip`."""
        with self.entered():
            done = subprocess.run(
                ["ip", "-batch", "-"], input="\n".join(lines) + "\n", text=True,
                capture_output=True, check=False)
        if done.returncode:
            raise Unusable(f"ip: {done.stderr.strip()}")

    def packets(self, prefix):
        """Packets that interfaces with this prefix have (sent, received)."""
        with self.entered(), open("/proc/thread-self/net/dev", encoding="ascii") as file:
            lines = [line.replace(":", ": ").split() for line in file
                     if line.strip().startswith(prefix)]
        return sum(int(words[10]) for words in lines), sum(int(words[2]) for words in lines)

    def raw_drops(self):
        """Packets that did not fit into the receive buffers of raw sockets."""
        with self.entered(), open("/proc/thread-self/net/raw", encoding="ascii") as file:
            return sum(int(line.split()[-1]) for line in file.readlines()[1:])

    def close(self):
        """Lets go of it."""
        os.close(self.fd)


def mac_of(name):
    """The hardware address of an interface of the current namespace."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as probe:
        probe.bind((name, 0))
        return probe.getsockname()[4]


class Links:
    """The router under test on one side, the bench on the other, and cables between them."""

    def __init__(self, count=4):
        self.router, self.bench = Namespace(), Namespace()
        self.count = count
        for n in range(count):
            self.router.ip(f"link add d{n} type veth peer name o{n} netns {self.bench.path}")
            self.router.ip(f"address add 10.{100 + n}.0.1/16 dev d{n}", f"link set d{n} up")
            self.bench.ip(f"address add 10.{100 + n}.0.2/16 dev o{n}", f"link set o{n} up")
        with self.bench.entered():
            self.macs = [mac_of(f"o{n}") for n in range(count)]

    def close(self):
        """Takes the cables away."""
        self.router.close()
        self.bench.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Observer:
    """All VRRP packets and ARP of a namespace, with the time at which the kernel saw them.

    The kernel collects them; nothing of the bench runs meanwhile.
    """

    def __init__(self, namespace):
        with namespace.entered():
            self.socket = socket.socket(
                socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_NONBLOCK, socket.htons(ETH_P_ALL))
        self.socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER_OCTETS)
        self.socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        code = [  # ARP, or IPv4 with protocol 112
            (0x28, 0, 0, 12), (0x15, 3, 0, 0x0806), (0x15, 0, 3, 0x0800),
            (0x30, 0, 0, 23), (0x15, 0, 1, 112), (0x06, 0, 0, 0x40000), (0x06, 0, 0, 0)]
        program = b"".join(struct.pack("HBBI", *line) for line in code)
        keep = ctypes.create_string_buffer(program)
        self.socket.setsockopt(
            socket.SOL_SOCKET, SO_ATTACH_FILTER,
            struct.pack("HL", len(code), ctypes.addressof(keep)))

    def packets(self):
        """All packets since the last call: (ns, interface, sent by the bench itself, frame)."""
        found = []
        while True:
            try:
                frame, control, _, source = self.socket.recvmsg(2048, 64)
            except BlockingIOError:
                return found
            except OSError:  # an interface went down
                continue
            seconds, rest = struct.unpack("qq", control[0][2][:16])
            found.append((seconds * 10**9 + rest, source[0], source[2] == socket.PACKET_OUTGOING,
                          frame))

    def forget(self):
        """Throws away what was seen until now."""
        self.packets()

    def wait(self, seconds):
        """Waits until there is something to read."""
        return bool(select.select([self.socket], [], [], max(seconds, 0))[0])

    def close(self):
        """Ends the observation."""
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Advert:
    """A VRRP packet as the observer saw it."""

    __slots__ = ("at", "interface", "own", "vrid", "priority", "source")

    def __init__(self, packet):
        self.at, self.interface, self.own, frame = packet
        self.vrid, self.priority = frame[35], frame[36]
        self.source = frame[26:30]

    @property
    def key(self):
        """The virtual router: interface number and identifier."""
        return int(self.interface[1:]), self.vrid


def adverts(packets):
    """The VRRP packets among these."""
    return [Advert(packet) for packet in packets if packet[3][12:14] == b"\x08\x00"]


def announcements(packets):
    """The gratuitous ARPs among these that the router under test sent: (ns, address)."""
    return [(at, socket.inet_ntoa(frame[28:32])) for at, _, own, frame in packets
            if frame[12:14] == b"\x08\x06" and frame[28:32] == frame[38:42] and not own]


class Addresses:
    """Changes of the IPv4 addresses of a namespace, with the time at which they were read."""

    def __init__(self, namespace):
        with namespace.entered():
            self.socket = socket.socket(
                socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK, socket.NETLINK_ROUTE)
        self.socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER_OCTETS)
        self.socket.bind((0, RTMGRP_IPV4_IFADDR))

    def collect(self, seconds, quiet=0.0):
        """What happens after `quiet` seconds, for so long: (ns, added, address).

        Looks four times per millisecond instead of being woken, which would cost the router under
        test time for every change.
        """
        with punctual():
            time.sleep(quiet)
            raw = self._read_for(seconds)
        return [change for at, data in raw for change in self._read(at, data)]

    def _read_for(self, seconds):
        raw, end = [], time.monotonic() + seconds
        while True:
            try:
                while True:
                    data = self.socket.recv(65536)
                    raw.append((now_ns(), data))
            except BlockingIOError:
                pass
            if time.monotonic() >= end:
                return raw
            time.sleep(0.00025)

    def forget(self):
        """Throws away what happened until now."""
        self.collect(0)

    @staticmethod
    def _read(at, data):
        while len(data) >= 24:
            length, kind = struct.unpack_from("IH", data)
            at_attribute = 24
            while kind in (RTM_NEWADDR, RTM_DELADDR) and at_attribute + 4 <= length:
                size, name = struct.unpack_from("HH", data, at_attribute)
                if name == 2:  # IFA_LOCAL
                    address = socket.inet_ntoa(data[at_attribute + 4:at_attribute + 8])
                    yield at, kind == RTM_NEWADDR, address
                at_attribute += max((size + 3) & ~3, 4)
            data = data[max((length + 3) & ~3, 16):]

    def close(self):
        """Ends it."""
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def checksum(data):
    """The checksum of the internet protocols."""
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def advert_frame(mac, source, vrid, priority, interval_cs, addresses):
    """A version 3 advert over IPv4."""
    source, group = socket.inet_aton(source), socket.inet_aton("224.0.0.18")
    body = struct.pack("!BBBBHH", 0x31, vrid, priority, len(addresses), interval_cs, 0)
    body += b"".join(socket.inet_aton(address) for address in addresses)
    pseudo = source + group + struct.pack("!BBH", 0, 112, len(body))
    body = body[:6] + struct.pack("!H", checksum(pseudo + body)) + body[8:]
    head = struct.pack("!BBHHHBBH", 0x45, 0xc0, 20 + len(body), 0, 0, 255, 112, 0) + source + group
    head = head[:10] + struct.pack("!H", checksum(head)) + head[12:]
    return b"\x01\x00\x5e\x00\x00\x12" + mac + b"\x08\x00" + head + body


class _Vector(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]


class _Message(ctypes.Structure):
    _fields_ = [("name", ctypes.c_void_p), ("name_length", ctypes.c_uint),
                ("vectors", ctypes.POINTER(_Vector)), ("vector_count", ctypes.c_size_t),
                ("control", ctypes.c_void_p), ("control_length", ctypes.c_size_t),
                ("flags", ctypes.c_int)]


class _Entry(ctypes.Structure):
    _fields_ = [("message", _Message), ("length", ctypes.c_uint)]


class Volley:
    """Frames that leave by one interface, many with one system call."""

    def __init__(self, namespace, interface, frames):
        with namespace.entered():
            self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
            self.socket.bind((interface, 0))
        self.count = len(frames)
        self._frames = [ctypes.create_string_buffer(frame, len(frame)) for frame in frames]
        self._vectors = (_Vector * self.count)()
        self._entries = (_Entry * self.count)()
        for vector, entry, frame in zip(self._vectors, self._entries, self._frames):
            vector.base, vector.length = ctypes.addressof(frame), len(frame)
            entry.message.vectors = ctypes.pointer(vector)
            entry.message.vector_count = 1

    def send(self, first=0, count=None):
        """Sends frames `first` and following."""
        count = min(self.count - first, self.count if count is None else count)
        size = ctypes.sizeof(_Entry)
        while count > 0:
            start = ctypes.byref(self._entries, first * size)
            sent = LIBC.sendmmsg(self.socket.fileno(), start, count, 0)
            if sent < 0:
                raise Unusable(f"sendmmsg: {os.strerror(ctypes.get_errno())}")
            first, count = first + sent, count - sent

    def close(self):
        """Ends it."""
        self.socket.close()
