#!/usr/bin/env python3
"""Looks at the page for people in a real Chromium: look.py CHROMIUM URL FOLDER HOSTILE-TEXT

It is spoken to over a pipe, in the DevTools protocol (https://chromedevtools.github.io/devtools-protocol/), so that
nothing but Python is needed. The screenshots go into the folder. The first thing wrong ends it.
"""

import base64
import json
import os
import pathlib
import select
import subprocess
import sys
import tempfile
import time

# Far beyond what anything here takes, for the sake of a busy machine.
DEADLINE = 120
# A phone of the narrow sort, and a desktop.
WIDTHS = (360, 1280)
SCHEMES = ("light", "dark")


class Browser:
    """A Chromium without a window that goes nowhere by itself."""

    def __init__(self, program, home):
        commands, self.commands = os.pipe()
        self.answers, answers = os.pipe()
        arguments = [
            program, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-sync",
            "--disable-default-apps", "--disable-extensions", "--disable-dev-shm-usage", "--hide-scrollbars",
            "--remote-debugging-pipe", f"--user-data-dir={home}", "about:blank",
        ]
        # It reads from descriptor 3 and writes to 4; "$@" are its arguments.
        shell = f"exec \"$@\" 3<&{commands} 4>&{answers}"
        self.process = subprocess.Popen(
            ["sh", "-c", shell, "sh", *arguments], pass_fds=(commands, answers), stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={**os.environ, "HOME": home},
        )
        os.close(commands)
        os.close(answers)
        self.pending, self.events, self.count = b"", [], 0

    def call(self, method, session=None, **parameters):
        self.count += 1
        message = {"id": self.count, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        os.write(self.commands, json.dumps(message).encode() + b"\0")
        while True:
            answer = self.read()
            if answer.get("id") == self.count:
                if "error" in answer:
                    raise SystemExit(f"{method}: {answer['error']}")
                return answer["result"]
            self.events.append(answer)

    def wait_for(self, method):
        while not any(event.get("method") == method for event in self.events):
            self.events.append(self.read())

    def read(self):
        end = time.monotonic() + DEADLINE
        while b"\0" not in self.pending:
            ready, _, _ = select.select([self.answers], [], [], max(0, end - time.monotonic()))
            data = os.read(self.answers, 1 << 20) if ready else b""
            if not data:
                raise SystemExit(f"chromium says nothing (exit code {self.process.poll()})")
            self.pending += data
        message, _, self.pending = self.pending.partition(b"\0")
        return json.loads(message)

    def end(self):
        self.call("Browser.close")
        self.process.wait(DEADLINE)


class Tab:
    """A page in a width and a colour scheme, and everything that happened while it was loaded."""

    def __init__(self, browser, url, width, scheme):
        self.browser = browser
        browser.events.clear()
        target = browser.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = browser.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network", "Accessibility"):
            self.call(f"{domain}.enable")
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=800, deviceScaleFactor=1,
                  mobile=width < 500)
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        # What happened to the empty page is not what is looked at.
        browser.events.clear()
        self.call("Page.navigate", url=url)
        browser.wait_for("Page.loadEventFired")

    def call(self, method, **parameters):
        return self.browser.call(method, self.session, **parameters)

    def eval(self, expression):
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        if "exceptionDetails" in result:
            raise SystemExit(f"{expression}: {result['exceptionDetails']}")
        return result["result"].get("value")

    def press(self, key):
        text = {"Enter": "\r"}.get(key)
        number = {"Tab": 9, "Enter": 13}[key]
        down = {"type": "keyDown", "key": key, "code": key, "windowsVirtualKeyCode": number}
        self.call("Input.dispatchKeyEvent", **(down | ({"text": text} if text else {})))
        self.call("Input.dispatchKeyEvent", **(down | {"type": "keyUp"}))

    def events(self, method):
        return [event["params"] for event in self.browser.events if event.get("method") == method]


def require(holds, what, *shown):
    if not holds:
        raise SystemExit(f"{what}: " + " ".join(json.dumps(one, ensure_ascii=False)[:2000] for one in shown))


def runs_nothing(tab, url):
    """Nothing of the page runs, asks, complains or goes anywhere else."""
    markup = tab.eval(
        "[...document.querySelectorAll('script, iframe, object, embed, img, form, base, style ~ style, [style]')]"
        ".concat([...document.querySelectorAll('*')].filter(e => [...e.attributes].some(a => a.name.startsWith('on'))))"
        ".map(e => e.outerHTML)")
    require(markup == [], "there is markup that nobody wrote", markup)
    for method in ("Page.javascriptDialogOpening", "Runtime.consoleAPICalled", "Runtime.exceptionThrown",
                   "Log.entryAdded"):
        require(tab.events(method) == [], f"there was a {method}", tab.events(method))
    asked = [event["request"]["url"] for event in tab.events("Network.requestWillBeSent")]
    outside = [other for other in asked if other != url and not other.startswith("data:")]
    require(asked and outside == [], "it asks for more than itself", asked)


def shows_as_text(tab, hostile):
    shown = tab.eval("[...document.querySelectorAll('bdi')].map(e => e.textContent)")
    require(any(hostile in text for text in shown), "the hostile name is not there as text", hostile, shown)
    turning = tab.eval(r"/[\u200e\u200f\u061c\u202a-\u202e\u2066-\u2069]/.test(document.body.textContent)")
    require(not turning, "a name turns the direction of the text")


def fits(tab, width):
    inner, page, body = tab.eval(
        "[innerWidth, document.documentElement.scrollWidth, document.body.scrollWidth]")
    wide = tab.eval(
        "[...document.querySelectorAll('body *')].filter(e => !e.closest('.scroll') && !e.closest('.unseen') &&"
        " e.getBoundingClientRect().right > innerWidth + 1).map(e => e.outerHTML.slice(0, 200))")
    require(inner == width and page <= width and body <= width, "it scrolls sideways", inner, page, body, wide)
    require(wide == [], "something stands out to the right", wide)


def has_contrast(tab):
    """WCAG 2 AA: 4.5 to 1 for every text that is there, however large."""
    poor = tab.eval("""(() => {
      const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
      const rgba = colour => {
        canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
        return [...canvas.getImageData(0, 0, 1, 1).data];
      };
      const light = ([r, g, b]) => [r, g, b].map(c => c / 255)
        .map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
        .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
      const ground = e => {
        for (; e; e = e.parentElement) {
          const found = rgba(getComputedStyle(e).backgroundColor);
          if (found[3] === 255) return found;
        }
        return [255, 255, 255, 255];
      };
      const poor = [];
      const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
      for (let seen = 0; walker.nextNode();) {
        const e = walker.currentNode.parentElement;
        if (!walker.currentNode.textContent.trim() || e.closest('.unseen')) continue;
        const [a, b] = [light(rgba(getComputedStyle(e).color)), light(ground(e))];
        const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
        if (ratio < 4.5) poor.push([ratio, e.outerHTML.slice(0, 120)]);
      }
      return poor;
    })()""")
    require(poor == [], "there is text of too little contrast", poor)


def is_reached_by_keys(tab):
    """Tab goes through everything in the order of the page, begins with the skip link, and shows where it is."""
    expected = tab.eval("[...document.querySelectorAll('a[href], [tabindex=\"0\"], summary')]"
                        ".filter(e => e.checkVisibility()).length")
    order = []
    for _ in range(expected):
        tab.press("Tab")
        order.append(tab.eval("""(() => {
          const e = document.activeElement, style = getComputedStyle(e), box = e.getBoundingClientRect();
          return {
            index: [...document.querySelectorAll('*')].indexOf(e), name: e.textContent.trim().slice(0, 40),
            outlined: style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2,
            seen: box.bottom > 0 && box.top < innerHeight && box.width > 0, body: e === document.body,
          };
        })()"""))
    require(not any(stop["body"] for stop in order), "a key leaves the page too early", order)
    require(order[0]["name"].startswith("Skip"), "the first stop does not skip", order[0])
    indices = [stop["index"] for stop in order]
    require(indices == sorted(set(indices)), "the order of stops is not that of the page", order)
    for stop in order:
        require(stop["outlined"] and stop["seen"], "a stop cannot be seen", stop)
    tab.eval("document.activeElement.blur(); scrollTo(0, 0); document.querySelector('.skip').focus()")
    tab.press("Enter")
    require(tab.eval("document.activeElement.id") == "main", "the skip link leads nowhere")
    dead = tab.eval("[...document.querySelectorAll('a[href^=\"#\"]')].map(a => a.getAttribute('href'))"
                    ".filter(href => !document.querySelector(href))")
    require(dead == [], "links lead nowhere", dead)


def is_told_to_all(tab):
    """What a screen reader is told: landmarks, headings without a gap, a name for everything that can have focus."""
    nodes = tab.call("Accessibility.getFullAXTree")["nodes"]
    nodes = [node for node in nodes if not node.get("ignored")]
    role = lambda node: node.get("role", {}).get("value")
    name = lambda node: node.get("name", {}).get("value", "").strip()
    for landmark in ("banner", "navigation", "main"):
        found = [node for node in nodes if role(node) == landmark]
        require(len(found) == 1, f"there is not one {landmark}", [name(node) for node in found])
    for node in nodes:
        if role(node) in ("link", "heading", "region", "navigation", "table", "columnheader", "rowheader"):
            require(name(node), f"a {role(node)} has no name", node)
    levels = [int(level) for level in tab.eval("[...document.querySelectorAll('h1,h2,h3,h4')].map(h => h.tagName[1])")]
    require(levels[0] == 1 and levels.count(1) == 1, "the page has not one first heading", levels)
    require(all(after - before <= 1 for before, after in zip(levels, levels[1:])), "headings leave a level out", levels)
    bare = tab.eval("[...document.querySelectorAll('table')].filter(t => !t.caption || !t.caption.textContent.trim() ||"
                    " [...t.querySelectorAll('th')].some(h => !h.scope)).map(t => t.outerHTML.slice(0, 200))")
    require(bare == [], "tables lack a caption or the scope of a heading", bare)
    marks = tab.eval("[...document.querySelectorAll('.mark')].filter(m => m.textContent.trim().length < 3)"
                     ".map(m => m.outerHTML)")
    require(marks == [], "a mark is nothing but a sign", marks)
    require(tab.eval("document.documentElement.lang") == "en", "the page has no language")
    ids = tab.eval("[...document.querySelectorAll('[id]')].map(e => e.id)")
    require(len(ids) == len(set(ids)), "an id is there twice", ids)


def screenshot(tab, file):
    size = tab.call("Page.getLayoutMetrics")["cssContentSize"]
    tab.eval("document.activeElement.blur(); scrollTo(0, 0)")
    clip = {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}
    shot = tab.call("Page.captureScreenshot", captureBeyondViewport=True, clip=clip)
    file.write_bytes(base64.b64decode(shot["data"]))


def main(program, url, folder, hostile):
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home:
        browser = Browser(program, home)
        try:
            grounds = set()
            for width in WIDTHS:
                for scheme in SCHEMES:
                    print(f"{width} px, {scheme}", flush=True)
                    tab = Tab(browser, url, width, scheme)
                    screenshot(tab, folder / f"people-{width}-{scheme}.png")
                    runs_nothing(tab, url)
                    shows_as_text(tab, hostile)
                    fits(tab, width)
                    has_contrast(tab)
                    is_told_to_all(tab)
                    is_reached_by_keys(tab)
                    runs_nothing(tab, url)
                    grounds.add(tab.eval("getComputedStyle(document.documentElement).backgroundColor"))
            require(len(grounds) == len(SCHEMES), "light and dark look alike", sorted(grounds))
            browser.end()
        finally:
            browser.process.kill()


if __name__ == "__main__":
    main(*sys.argv[1:])
