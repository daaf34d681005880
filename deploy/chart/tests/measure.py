"""What `vigie run` uses while it watches `vigie demo --cloud-only`: one row of the table in the chart's README.

measure.py target/release/vigie INSTANCES LOAD_BALANCERS [SECONDS]
"""

import gzip
import os
import re
import socket
import subprocess
import sys
import threading
import time
import urllib.request

# How often Prometheus looks, unless told otherwise, is a minute; here it is as impatient as people make it.
SCRAPE_INTERVAL = 15


def main(vigie, instances, load_balancers, seconds="300"):
    cloud_address, page_address = f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}"
    size = ["--instances", instances, "--load-balancers", load_balancers]
    cloud = subprocess.Popen(
        [vigie, "demo", "--cloud-only", "--cloud-listen", cloud_address, *size], stderr=subprocess.PIPE, text=True
    )
    agent = None
    try:
        # The first that it tells is the one that may only describe.
        line = next(line for line in cloud.stderr if "export " in line)
        key = dict(pair.split("=", 1) for pair in line.split()[1:])
        # A full pipe would stop it.
        threading.Thread(target=cloud.stderr.read, daemon=True).start()
        watched = ["--provider", "outscale", "--region", "eu-west-2", "--endpoint-url", f"http://{cloud_address}"]
        agent = subprocess.Popen(
            [vigie, "run", *watched, "--listen", page_address], env={"PATH": os.environ["PATH"], "VIGIE_LOG": "warn", **key}
        )
        measure(agent.pid, page_address, instances, load_balancers, int(seconds))
    finally:
        for process in (agent, cloud):
            if process:
                process.terminate()
                process.wait()


def measure(pid, address, instances, load_balancers, seconds):
    started = time.monotonic()
    while time.monotonic() - started < seconds:
        time.sleep(SCRAPE_INTERVAL)
        compressed = fetched(f"http://{address}/metrics", "gzip")
    # Once each of what is asked for more seldom, and takes more room.
    page = fetched(f"http://{address}/metrics", "identity")
    fetched(f"http://{address}/sd/instances", "identity")
    assert gzip.decompress(compressed)[:2] == page[:2]
    with open(f"/proc/{pid}/status") as status:
        kibibytes = dict(re.findall(r"^(\w+):\s+(\d+) kB", status.read(), re.MULTILINE))
    with open(f"/proc/{pid}/stat") as stat:
        user, system = map(int, stat.read().rsplit(")", 1)[1].split()[11:13])
    cores = (user + system) / os.sysconf("SC_CLK_TCK") / (time.monotonic() - started)
    series = sum(1 for line in page.splitlines() if line and not line.startswith(b"#"))
    print(
        f"| {int(instances):,} | {int(load_balancers):,} | {series:,} "
        f"| {len(page) / 1e6:.1f} MB, {len(compressed) / 1e6:.1f} MB "
        f"| {int(kibibytes['VmRSS']) / 1024:.0f} MiB | {int(kibibytes['VmHWM']) / 1024:.0f} MiB | {cores * 1000:.0f} m |"
    )


def fetched(url, encoding):
    request = urllib.request.Request(url, headers={"Accept-Encoding": encoding})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return answer.read()


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


if __name__ == "__main__":
    main(*sys.argv[1:])
