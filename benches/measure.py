"""What a process costs: CPU time, peak memory, and the wall between two of its marks."""

import os
import re
import resource
import socket
import statistics
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

TICK = 1 / os.sysconf("SC_CLK_TCK")


@dataclass
class Cost:
    """CPU seconds, wall seconds, peak resident bytes."""

    cpu: float
    wall: float
    peak: int

    @staticmethod
    def median(costs):
        """The run in the middle by CPU time, with the highest peak of all."""
        middle = sorted(costs, key=lambda cost: cost.cpu)[len(costs) // 2]
        return Cost(middle.cpu, middle.wall, max(cost.peak for cost in costs))


def of(command, **options):
    """What a command costs that ends by itself. It must succeed."""
    begun = time.monotonic()
    # A shell between the two: what it starts does not begin with the memory of this interpreter as its peak.
    process = subprocess.Popen(["/bin/sh", "-c", '"$@" >/dev/null; exit $?', "sh", *command], **options)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise SystemExit(f"{command[0]} failed with {process.returncode}")
    return Cost(usage.ru_utime + usage.ru_stime, time.monotonic() - begun, usage.ru_maxrss * 1024)


def cpu(*pids):
    """CPU seconds that processes have used so far."""
    total = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        total += int(fields[11]) + int(fields[12])
    return total * TICK


def resident(pid, peak=False):
    """Resident bytes of a process: now, or the most it ever had."""
    name = "VmHWM" if peak else "VmRSS"
    return int(re.search(rf"{name}:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[1]) * 1024


def own_peak():
    """The most that this interpreter had: no figure of `of` can be below it, since exec keeps the mark."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def listens(address, within=60):
    """Waits until somebody listens there; the seconds that took."""
    host, port = address.split(":")
    begun = time.monotonic()
    while time.monotonic() - begun < within:
        try:
            socket.create_connection((host, int(port)), timeout=1).close()
            return time.monotonic() - begun
        except OSError:
            time.sleep(0.0005)
    raise SystemExit(f"nobody listens at {address}")


def wrk(url, connections, seconds):
    """Requests a second, and the 99th percentile of their latency in seconds."""
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "-H", "Accept-Encoding: gzip", url]
    report = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    if "Non-2xx" in report or "Socket errors" in report:
        raise SystemExit(f"{url}: {report}")
    number, unit = re.search(r"99%\s+([\d.]+)(us|ms|s)", report).groups()
    p99 = float(number) * {"us": 1e-6, "ms": 1e-3, "s": 1}[unit]
    return float(re.search(r"Requests/sec:\s+([\d.]+)", report)[1]), p99


def median(values):
    """The value in the middle."""
    return statistics.median(values)
