"""`make bench`: polls the same bytes with vigie and with its peers, scrapes the same bytes from vigie and from nginx.

What is compared runs in turn, round after round, in one run: these machines are shared, and what one of two meets
should meet the other. Prints one table for each question, and writes all of them to target/bench/table.md.
"""

import gzip
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import measure
from measure import Cost

ROOT = Path(__file__).resolve().parent.parent
BENCH = ROOT / "target/bench"
VIGIE = os.environ.get("VIGIE", str(ROOT / "target/release/vigie"))
PYTHON = os.environ["TEST_PYTHON"]
PROMETHEUS = os.environ["TEST_PROMETHEUS"]
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "3"))
POLLS = int(os.environ.get("BENCH_POLLS", "100"))
KEY = {"AWS_ACCESS_KEY_ID": "BENCHEXAMPLE", "AWS_SECRET_ACCESS_KEY": "bench/good/nowhere/EXAMPLEKEY"}
ENVIRONMENT = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", **KEY}
MB = 1e6

lines = []


def say(line=""):
    """A line for the reader, and for the file."""
    print(line, flush=True)
    lines.append(line)


@contextmanager
def running(command, stop=signal.SIGTERM, **options):
    """A process that runs meanwhile."""
    process = subprocess.Popen([str(part) for part in command], env=ENVIRONMENT, **options)
    try:
        yield process
    finally:
        process.send_signal(stop)
        process.wait(20)


@contextmanager
def cloud(**flags):
    """The load stub; gives its address, and how many bytes its instances take."""
    command = [BENCH / "release/vigie-load"]
    for name, value in flags.items():
        command += [f"--{name.replace('_', '-')}", value]
    with running(command, stdout=subprocess.PIPE, text=True) as process:
        address = process.stdout.readline().strip()
        yield address, int(process.stdout.readline().split()[4])


def served(address):
    """The calls that the load stub has answered."""
    return int(urllib.request.urlopen(address).read())


def settings(folder, address, listen=None, interval="60s", kinds="instances", rate=1000):
    """A file of settings for vigie."""
    path = Path(folder) / "vigie.toml"
    top = f'interval = "{interval}"\nstale_after = "1h"\n' + (f'listen = "{listen}"\n' if listen else "")
    path.write_text(
        f'{top}[[account]]\nname = "bench"\nprovider = "aws"\nregions = ["eu-west-1"]\nkinds = ["{kinds}"]\n'
        f'requests_per_second = {rate}\nendpoints = {{ ec2 = "{address}", elb = "{address}" }}\n'
    )
    return str(path)


def once(path):
    """One poll of vigie, from start to printed page."""
    return measure.of([VIGIE, "once", "--config", path], env=ENVIRONMENT)


def polls(folder):
    """Ten thousand instances listed by each poller."""
    say("| poller, 10,000 instances | CPU time a poll | of vigie's | peak memory | wall |")
    say("| --- | ---: | ---: | ---: | ---: |")
    with cloud(instances=10_000) as (address, size):
        path = settings(folder, address)
        pollers = {
            "vigie `once`": lambda: once(path),
            "`aws-sdk-ec2` (Rust)": lambda: measure.of([BENCH / "release/vigie-peers", address], env=ENVIRONMENT),
            "boto3 (Python)": lambda: measure.of([PYTHON, ROOT / "benches/peers/boto3_poll.py", address], env=ENVIRONMENT),
        }
        costs = {name: [] for name in pollers}
        for _ in range(ROUNDS):
            for name, poll in pollers.items():
                costs[name].append(poll())
        costs = {name: Cost.median(found) for name, found in costs.items()}
        costs["Prometheus `ec2_sd_configs`"] = discovery(folder, address)
    ours = costs["vigie `once`"].cpu
    for name, cost in sorted(costs.items(), key=lambda item: item[1].cpu):
        wall = f"{cost.wall:.2f} s" if cost.wall else "–"
        say(f"| {name} | {cost.cpu:.2f} s | {cost.cpu / ours:.1f} × | {cost.peak / MB:.0f} MB | {wall} |")
    say()
    say(f"The ten pages are {size / MB:.1f} MB of XML, {size / 10_000 / 1000:.1f} kB an instance.")
    say()


def discovery(folder, address):
    """What a refresh costs Prometheus: its second, when all is warm. Every target is dropped, so that none is scraped."""
    path = Path(folder) / "prometheus.yml"
    path.write_text(
        "scrape_configs:\n  - job_name: bench\n    ec2_sd_configs:\n      - region: eu-west-1\n"
        f"        endpoint: {address}\n        refresh_interval: 30s\n"
        "        access_key: BENCHEXAMPLE\n        secret_key: bench/good/nowhere/EXAMPLEKEY\n"
        "    relabel_configs:\n      - action: drop\n        regex: .*\n"
    )
    command = [PROMETHEUS, f"--config.file={path}", f"--storage.tsdb.path={folder}/tsdb", "--web.listen-address=127.0.0.1:0"]
    before = pages = served(address)
    with running(command, stderr=subprocess.DEVNULL) as process:
        marks = []
        while len(marks) < 2:
            # Ten pages, then nothing more to do.
            while pages - before < 10 * (len(marks) + 1):
                time.sleep(0.5)
                pages = served(address)
            used = measure.cpu(process.pid)
            while used != (used := (time.sleep(3), measure.cpu(process.pid))[1]):
                pass
            marks.append(used)
        return Cost(marks[1] - marks[0], 0, measure.resident(process.pid, peak=True))


def larger(folder):
    """Ten times as many instances: the cost of each may not grow."""
    say("| vigie `once` | CPU time | an instance | peak memory |")
    say("| --- | ---: | ---: | ---: |")
    for instances in (10_000, 100_000):
        with cloud(instances=instances) as (address, _):
            path = settings(folder, address)
            cost = Cost.median([once(path) for _ in range(ROUNDS)])
        say(f"| {instances:,} instances | {cost.cpu:.2f} s | {cost.cpu / instances * 1e6:.1f} µs | {cost.peak / MB:.0f} MB |")
    say()


def agent(folder):
    """The running agent: memory over many polls with scrapes between them."""
    say(f"| vigie `run`, {POLLS} polls, a scrape after each | resident after 10 polls | at the end | peak |")
    say("| --- | ---: | ---: | ---: |")
    for instances, interval in ((10_000, "500ms"), (100_000, "5s")):
        count = POLLS if instances == 10_000 else max(POLLS // 5, 20)
        with cloud(instances=instances) as (address, _):
            listen = "127.0.0.1:19981"
            path = settings(folder, address, listen, interval)
            with running([VIGIE, "run", "--config", path], stderr=subprocess.DEVNULL) as process:
                measure.listens(listen)
                pages, early = -(-instances // 1000), None
                for poll in range(1, count + 1):
                    while served(address) < poll * pages:
                        time.sleep(0.05)
                    scrape(listen)
                    early = measure.resident(process.pid) if poll == 10 else early
                now, peak = measure.resident(process.pid), measure.resident(process.pid, peak=True)
        say(f"| {instances:,} instances, {count} polls | {early / MB:.0f} MB | {now / MB:.0f} MB | {peak / MB:.0f} MB |")
    say()


def scrape(listen):
    """The page as Prometheus asks for it."""
    request = urllib.request.Request(f"http://{listen}/metrics", headers={"Accept-Encoding": "gzip"})
    return urllib.request.urlopen(request).read()


def scrapes(folder):
    """The same compressed bytes from vigie and, as a static file, from nginx."""
    with cloud(instances=10_000) as (address, _):
        listen, static = "127.0.0.1:19982", "127.0.0.1:19983"
        path = settings(folder, address, listen, "1h")
        with running([VIGIE, "run", "--config", path], stderr=subprocess.DEVNULL) as process:
            measure.listens(listen)
            while b"cloud_instance_state" not in gzip.decompress(body := scrape(listen)):
                time.sleep(0.1)
            with nginx(folder, static, body) as workers:
                say(f"| scrapes of {len(body) / 1000:.0f} kB | vigie | nginx | of nginx's | p99 vigie | CPU a scrape, vigie | nginx |")
                say("| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
                for connections in (1, 16):
                    ours, theirs = [], []
                    for _ in range(ROUNDS):
                        ours.append(rate(listen, connections, [process.pid]))
                        theirs.append(rate(static, connections, workers))
                    ratio = measure.median([mine[0] / its[0] for mine, its in zip(ours, theirs)])
                    mine, its = sorted(ours)[len(ours) // 2], sorted(theirs)[len(theirs) // 2]
                    say(
                        f"| {connections} connection{'s' if connections > 1 else ''} | {mine[0]:.0f}/s | {its[0]:.0f}/s "
                        f"| {ratio:.2f} | {mine[1] * 1e3:.1f} ms | {mine[2] * 1e6:.0f} µs | {its[2] * 1e6:.0f} µs |"
                    )
                say()
        path = settings(folder, address, listen, "1s")
        with running([VIGIE, "run", "--config", path], stderr=subprocess.DEVNULL):
            measure.listens(listen)
            time.sleep(2)
            took = sorted(timed(listen) for _ in range(1000))
            say(
                f"1,000 scrapes one after the other, 5 ms apart, while a poll of 10,000 instances publishes every second: "
                f"median {took[500] * 1e3:.1f} ms, p99 {took[990] * 1e3:.1f} ms, longest {took[-1] * 1e3:.1f} ms."
            )
            say()


def timed(listen):
    """The seconds that one scrape takes."""
    time.sleep(0.005)
    begun = time.monotonic()
    scrape(listen)
    return time.monotonic() - begun


def rate(listen, connections, pids):
    """Requests a second, p99, and CPU seconds for each."""
    before = measure.cpu(*pids)
    a_second, p99 = measure.wrk(f"http://{listen}/metrics", connections, 5)
    return a_second, p99, (measure.cpu(*pids) - before) / (a_second * 5)


@contextmanager
def nginx(folder, listen, body):
    """nginx as its package comes, with one file; gives its workers."""
    html = Path(folder) / "html"
    html.mkdir()
    html.chmod(0o755)
    Path(folder).chmod(0o755)
    (html / "metrics").write_bytes(body)
    config = Path(folder) / "nginx.conf"
    config.write_text(
        f"worker_processes auto; daemon off; pid {folder}/nginx.pid; error_log {folder}/nginx.log;\n"
        "events { worker_connections 768; }\n"
        "http { access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000000;\n"
        f"server {{ listen {listen}; root {html}; location / {{ default_type text/plain; "
        "add_header Content-Encoding gzip; } } }\n"
    )
    with running(["nginx", "-c", config], stop=signal.SIGQUIT) as master:
        measure.listens(listen)
        children = Path(f"/proc/{master.pid}/task/{master.pid}/children").read_text().split()
        yield [int(child) for child in children]


def idle(folder):
    """Nothing to do: what it costs to be there, how soon it is, how large it is."""
    with cloud(instances=100) as (address, _):
        starts = []
        for _ in range(10):
            listen = "127.0.0.1:19984"
            path = settings(folder, address, listen, "1h")
            with running([VIGIE, "run", "--config", path], stderr=subprocess.DEVNULL):
                starts.append(measure.listens(listen))
        with running([VIGIE, "run", "--config", path], stderr=subprocess.DEVNULL) as process:
            measure.listens(listen)
            time.sleep(3)
            before = measure.cpu(process.pid)
            time.sleep(60)
            used = measure.cpu(process.pid) - before
    stripped = shutil.copy(VIGIE, Path(folder) / "stripped")
    subprocess.run(["strip", stripped], check=True)
    say("| at rest | |")
    say("| --- | ---: |")
    say(f"| CPU of a core, over 60 s | {used / 60 * 100:.3f} % |")
    say(f"| start to listening, median of 10 | {measure.median(starts) * 1e3:.0f} ms |")
    say(f"| binary, stripped | {os.path.getsize(stripped) / MB:.2f} MB |")
    say()


def balancers(folder):
    """A call for each of 500 load balancers."""
    a_second = 100
    with cloud(instances=0, load_balancers=500, backends=20) as (address, _):
        path = settings(folder, address, kinds="load_balancers", rate=a_second)
        costs, calls = [], 0
        for _ in range(ROUNDS):
            before = served(address)
            costs.append(once(path))
            calls = served(address) - before
    cost = Cost.median(costs)
    say("| 500 classic load balancers, 20 backends each | |")
    say("| --- | ---: |")
    say(f"| calls | {calls} |")
    say(f"| wall, at {a_second} calls a second | {cost.wall:.2f} s, {cost.wall - calls / a_second:+.2f} s to calls ÷ rate |")
    say(f"| CPU time, start and printing included | {cost.cpu:.2f} s, {cost.cpu / calls * 1e3:.2f} ms a call |")
    say()


def main():
    """Every question, or those named."""
    questions = {"polls": polls, "larger": larger, "agent": agent, "scrapes": scrapes, "idle": idle, "balancers": balancers}
    for name in sys.argv[1:] or questions:
        with tempfile.TemporaryDirectory() as folder:
            questions[name](folder)
    (BENCH / "table.md").write_text("\n".join(lines) + "\n")


main()
