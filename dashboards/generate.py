#!/usr/bin/env python3
"""Writes the dashboards beside this file, or into the folder that is named.

They are written from here, so that what they share is there once: variables, links, how a table leads to an instance.
Nothing but Python is needed. Colours are names of Grafana's own palette, which it shows as light and dark need.
"""

import json
import pathlib
import sys

# Two agents may watch the same; their samples differ in `job` and `instance` alone.
SCOPE = 'account=~"$account", region=~"$region"'
INSTANCE = f'{SCOPE}, instance_id=~"$instance_id"'
BALANCER = f'{SCOPE}, load_balancer=~"$load_balancer"'
BACKEND = "account, region, load_balancer, type, target_group, port, instance_id, target"
ID = "account, region, instance_id"
NAMED = f"* on ({ID}) group_left (name) max by ({ID}, name) (cloud_instance_info{{{SCOPE}}})"
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
CARRIED = "var-account=${__data.fields.account}&var-region=${__data.fields.region}&${datasource:queryparam}&${__url_time_range}"


class Board:
    """One dashboard; panels are laid out from left to right in rows of 24."""

    def __init__(self, name, title, description, variables, refresh="30s"):
        self.name, self.panels = name, []
        self.x = self.y = self.row_height = 0
        self.json = {
            "uid": f"vigie-{name}",
            "title": f"vigie / {title}",
            "description": description,
            "tags": ["vigie"],
            "timezone": "browser",
            "editable": True,
            "graphTooltip": 1,
            "time": {"from": "now-3h", "to": "now"},
            "timepicker": {},
            "fiscalYearStartMonth": 0,
            "refresh": refresh,
            "schemaVersion": 41,
            "templating": {"list": [datasource(), *variables]},
            "annotations": {"list": [restarts()]},
            "links": [links()],
            "panels": self.panels,
        }

    def row(self, title):
        self.next_line()
        at = {"x": 0, "y": self.y, "w": 24, "h": 1}
        self.panels.append({"id": self.next_id(), "type": "row", "title": title, "collapsed": False, "gridPos": at, "panels": []})
        self.y += 1

    def add(self, kind, title, description, queries, width, height, **more):
        if self.x + width > 24:
            self.next_line()
        panel = {
            "id": self.next_id(),
            "type": kind,
            "title": title,
            "description": description,
            "datasource": SOURCE,
            "gridPos": {"x": self.x, "y": self.y, "w": width, "h": height},
            "targets": [query | {"refId": chr(ord("A") + index)} for index, query in enumerate(queries)],
            **more,
        }
        self.panels.append(panel)
        self.x += width
        self.row_height = max(self.row_height, height)

    def stat(self, title, description, expr, unit="short", steps=None, width=4, options=None, mappings=None, none=None):
        defaults = {"unit": unit, "color": {"mode": "thresholds"}, "thresholds": thresholds(steps), "mappings": mappings or []}
        if none:
            defaults["noValue"] = none
        shown = {
            "reduceOptions": {"values": False, "calcs": ["lastNotNull"], "fields": ""},
            "orientation": "auto",
            "textMode": "auto",
            "wideLayout": True,
            "colorMode": "value",
            "graphMode": "none",
            "justifyMode": "auto",
            "showPercentChange": False,
            "percentChangeColorMode": "standard",
        }
        config = {"defaults": defaults, "overrides": []}
        legend = (options or {}).pop("legend", None)
        self.add("stat", title, description, [instant(expr, legend)], width, 4, fieldConfig=config, options=shown | (options or {}))

    def graph(self, title, description, queries, unit="short", width=12, stacked=False, steps=None, none=None):
        custom = {
            "drawStyle": "line",
            "lineInterpolation": "stepAfter",
            "lineWidth": 1,
            "fillOpacity": 30 if stacked else 5,
            "showPoints": "never",
            "spanNulls": False,
            "stacking": {"mode": "normal" if stacked else "none", "group": "A"},
            "thresholdsStyle": {"mode": "line+area" if steps else "off"},
        }
        defaults = {"unit": unit, "min": 0, "color": {"mode": "palette-classic"}, "custom": custom, "mappings": []}
        if steps:
            defaults["thresholds"] = thresholds(steps)
        if none:
            defaults["noValue"] = none
        if unit in ("short", "none"):
            defaults["decimals"] = 0
        options = {
            "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []},
            "tooltip": {"mode": "multi", "sort": "desc"},
        }
        queries = [queries] if isinstance(queries, dict) else queries
        self.add("timeseries", title, description, queries, width, 8, fieldConfig={"defaults": defaults, "overrides": []}, options=options)

    def table(self, title, description, queries, columns, width=12, height=8, sort=None, fields=None, none=None):
        """`columns` are those to show, in order, each with its heading; `Value #A` is that of the first query."""
        single = len(queries) == 1
        names = {("Value" if name == "Value #A" and single else name): heading for name, heading in columns.items()}
        overrides = [
            {"matcher": {"id": "byName", "options": heading}, "properties": properties}
            for heading, properties in (fields or {}).items()
        ]
        if "instance_id" in columns:
            overrides.append({"matcher": {"id": "byName", "options": "instance_id"}, "properties": [to_instance()]})
        steps = [] if single else [{"id": "merge", "options": {}}]
        if sort:
            steps.append({"id": "sortBy", "options": {"fields": {}, "sort": [{"field": sort[0], "desc": sort[1] == "desc"}]}})
        # Nothing but what is named: labels that are not are left out.
        keep = {"id": "filterFieldsByName", "options": {"include": {"names": list(names)}}}
        order = {
            "indexByName": {name: index for index, name in enumerate(names)},
            "renameByName": {name: heading for name, heading in names.items() if heading and heading != name},
        }
        steps += [keep, {"id": "organize", "options": {"excludeByName": {}, **order}}]
        defaults = {"custom": {"align": "auto", "cellOptions": {"type": "auto"}, "inspect": False, "filterable": True}, "mappings": [], "thresholds": thresholds(None)}
        if none:
            defaults["noValue"] = none
        self.add(
            "table", title, description, queries, width, height,
            fieldConfig={"defaults": defaults, "overrides": overrides},
            options={"showHeader": True, "cellHeight": "sm", "footer": {"show": False, "reducer": ["sum"], "countRows": False}},
            transformations=steps,
        )

    def timeline(self, title, description, expr, legend, mappings, width=24, height=8, none=None):
        custom = {"lineWidth": 0, "fillOpacity": 70}
        defaults = {"color": {"mode": "thresholds"}, "custom": custom, "mappings": mappings, "thresholds": thresholds(None)}
        if none:
            defaults["noValue"] = none
        options = {
            "mergeValues": True,
            "showValue": "never",
            "alignValue": "left",
            "rowHeight": 0.9,
            "perPage": 30,
            "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
            "tooltip": {"mode": "single", "sort": "none"},
        }
        self.add("state-timeline", title, description, [ranged(expr, legend)], width, height, fieldConfig={"defaults": defaults, "overrides": []}, options=options)

    def next_line(self):
        self.x, self.y, self.row_height = 0, self.y + self.row_height, 0

    def next_id(self):
        return len(self.panels) + 1

    def write(self, folder):
        text = json.dumps(self.json, indent=2, ensure_ascii=False)
        (folder / f"{self.name}.json").write_text(text + "\n", encoding="utf-8")


def thresholds(steps):
    """Steps as (from, colour) after green."""
    steps = [{"value": value, "color": colour} for value, colour in steps or []]
    return {"mode": "absolute", "steps": [{"value": None, "color": "green"}, *steps]}


def ranged(expr, legend):
    return {"datasource": SOURCE, "expr": expr, "legendFormat": legend, "range": True, "instant": False, "editorMode": "code", "format": "time_series"}


def instant(expr, legend=None):
    return {"datasource": SOURCE, "expr": expr, "legendFormat": legend or "__auto", "range": False, "instant": True, "editorMode": "code", "format": "time_series"}


def rows(expr):
    return instant(expr) | {"format": "table"}


def values(texts):
    """Values as (value, text, colour)."""
    options = {str(value): {"text": text, "color": colour, "index": index} for index, (value, text, colour) in enumerate(texts)}
    return [{"type": "value", "options": options}]


def unit(name):
    return [{"id": "unit", "value": name}]


def coloured(texts):
    return [{"id": "mappings", "value": values(texts)}, {"id": "custom.cellOptions", "value": {"type": "color-text"}}]


def to_instance():
    url = f"/d/vigie-instance?var-instance_id=${{__value.raw}}&{CARRIED}"
    return {"id": "links", "value": [{"title": "One instance", "url": url, "targetBlank": False}]}


def to_balancer():
    url = f"/d/vigie-load-balancers?var-load_balancer=${{__value.raw}}&{CARRIED}"
    return {"id": "links", "value": [{"title": "Load balancers", "url": url, "targetBlank": False}]}


def datasource():
    return {"name": "datasource", "type": "datasource", "label": "Data source", "query": "prometheus", "hide": 0, "refresh": 1, "multi": False, "includeAll": False, "regex": "", "options": []}


def variable(name, label, query, many=True):
    found = {"name": name, "type": "query", "label": label, "datasource": SOURCE, "query": {"query": query, "refId": "A"}, "hide": 0, "refresh": 2, "sort": 1, "multi": many, "includeAll": many, "regex": "", "options": []}
    if many:
        # Resources without the label, such as target groups that no load balancer routes to, are among all.
        found |= {"allValue": ".*", "current": {"selected": True, "text": ["All"], "value": ["$__all"]}}
    return found


ACCOUNT = variable("account", "Account", "label_values(vigie_account_info, account)")
REGION = variable("region", "Region", 'label_values(vigie_api_budget_requests_per_second{account=~"$account"}, region)')


def restarts():
    return {
        "name": "vigie restarted",
        "datasource": SOURCE,
        "enable": True,
        "hide": False,
        "iconColor": "purple",
        "expr": "changes(process_start_time_seconds[$__interval]) > 0 and on (job, instance) vigie_build_info",
        "step": "30s",
        "titleFormat": "vigie restarted",
        "textFormat": "{{instance}}",
    }


def links():
    return {"title": "vigie", "type": "dashboards", "icon": "external link", "tooltip": "", "url": "", "tags": ["vigie"], "asDropdown": False, "targetBlank": False, "includeVars": True, "keepTime": True}


BAD = [(1, "red")]
WARN = [(1, "orange")]
FRESH = [(120, "orange"), (300, "red")]
HEALTH = values([(0, "out of service", "red"), (1, "in service", "green")])


def fleet():
    board = Board("fleet", "Fleet", "Instances of all accounts: their states, what is impaired, what the cloud has scheduled.", [ACCOUNT, REGION])
    state = f"max by ({ID}, state) (cloud_instance_state{{{SCOPE}}})"
    board.stat("Instances", "All that the cloud lists, whatever their state.", f"count(max by ({ID}) (cloud_instance_info{{{SCOPE}}}))")
    board.stat("Running", "Instances in the state running.", f'sum(max by ({ID}) (cloud_instance_state{{{SCOPE}, state="running"}}))')
    board.stat("Not running", "Instances in any other state; terminated ones are listed for about an hour.", f'count(max by ({ID}) (cloud_instance_state{{{SCOPE}, state!="running"}} == 1)) or vector(0)', steps=WARN)
    board.stat("Impaired", "Instances that fail a check, where the cloud fills in the checks.", f"count(max by ({ID}) (cloud_instance_status_check_failed{{{SCOPE}}} == 1)) or vector(0)", steps=BAD)
    board.stat("Events ahead", "Reboots, maintenance and retirements that the cloud has scheduled.", f"count(max by ({ID}, event_id) (cloud_instance_scheduled_event_not_before_timestamp_seconds{{{SCOPE}}})) or vector(0)", steps=WARN)
    board.stat("Oldest reading", "How old the oldest of what is shown here is. Past stale_after (5 minutes) it leaves the page.", f'max(time() - max by (account, region, kind) (vigie_poll_last_success_timestamp_seconds{{{SCOPE}, kind=~"instances|instance_status"}}))', unit="s", steps=FRESH)
    board.row("Over time")
    board.graph("States", "Instances in each state.", ranged(f"sum by (state) ({state})", "{{state}}"), stacked=True)
    board.graph("Changes of state", "Instances that came into each state, per step of the graph.", ranged(f"sum by (state) (max by ({ID}, state) (increase(cloud_instance_state{{{SCOPE}}}[$__rate_interval])) > 0)", "{{state}}"), stacked=True)
    fact = lambda *labels: f"count by ({', '.join(labels)}) (max by ({', '.join(dict.fromkeys(['account', 'region', 'instance_id', *labels]))}) (cloud_instance_info{{{SCOPE}}}))"
    board.graph("By account and region", "Instances of each account in each region.", ranged(fact("account", "region"), "{{account}} {{region}}"), width=8, stacked=True)
    board.graph("By type", "Instances of each type.", ranged(fact("instance_type"), "{{instance_type}}"), width=8, stacked=True)
    board.graph("By zone", "Instances in each availability zone.", ranged(fact("region", "availability_zone"), "{{availability_zone}}"), width=8, stacked=True)
    board.row("What to look at")
    place = {"account": "", "region": ""}
    down = f'(max by ({ID}, state) (cloud_instance_state{{{SCOPE}, state!="running"}}) == 1)'
    board.table(
        "Not running", "Each instance that does not run, since when, and the cloud's reason for it.",
        [
            rows(f"{down} {NAMED}"),
            rows(f"max by ({ID}) (cloud_instance_state_changed_timestamp_seconds{{{SCOPE}}}) * 1000 and on ({ID}) {down}"),
            rows(f"max by ({ID}, code) (cloud_instance_state_reason_info{{{SCOPE}}}) and on ({ID}) {down}"),
        ],
        {"instance_id": "", "name": "", "state": "", "Value #B": "since", "code": "reason", **place}, width=24, sort=("Value #B", "desc"), fields={"since": unit("dateTimeFromNow")}, none="all run",
    )
    board.table(
        "Impaired", "Instances that fail a check, and since when.",
        [rows(f"max by ({ID}, check) (cloud_instance_status_check_impaired_timestamp_seconds{{{SCOPE}}}) * 1000 {NAMED}")],
        {"instance_id": "", "name": "", "check": "", "Value #A": "since", **place}, sort=("Value", "asc"), fields={"since": unit("dateTimeFromNow")}, none="no check fails",
    )
    board.table(
        "Events ahead", "What the cloud has scheduled, the next first.",
        [rows(f"max by ({ID}, event_id, code) (cloud_instance_scheduled_event_not_before_timestamp_seconds{{{SCOPE}}}) * 1000 {NAMED}")],
        {"instance_id": "", "name": "", "code": "event", "Value #A": "begins", **place}, sort=("Value", "asc"), fields={"begins": unit("dateTimeAsIso")}, none="nothing is scheduled",
    )
    board.table(
        "Recent changes", "The last twenty instances that came into another state, where the cloud says when.",
        [rows(f"topk(20, max by ({ID}) (cloud_instance_state_changed_timestamp_seconds{{{SCOPE}}})) * 1000 * on ({ID}) group_left (state) ({state} == 1) {NAMED}")],
        {"Value #A": "when", "instance_id": "", "name": "", "state": "", **place}, width=24, sort=("Value", "desc"), fields={"when": unit("dateTimeFromNow")}, none="nothing has changed",
    )
    return board


def load_balancers():
    name = variable("load_balancer", "Load balancer", f"label_values(cloud_load_balancer_backends{{{SCOPE}}}, load_balancer)")
    board = Board("load-balancers", "Load balancers", "Load balancers and their backends, the worst first, with the cloud's reasons.", [ACCOUNT, REGION, name])
    of = "account, region, load_balancer, type"
    group = f"{of}, target_group"
    out = f"(max by ({BACKEND}) (cloud_load_balancer_backend_healthy{{{BALANCER}}}) == 0)"
    backends = f"sum by ({of}) (max by ({group}) (cloud_load_balancer_backends{{{BALANCER}}}))"
    healthy = f"sum by ({of}) (max by ({group}) (cloud_load_balancer_healthy_backends{{{BALANCER}}}))"
    dead = f"sum by ({of}) (max by ({group}) (cloud_load_balancer_dead_backends{{{BALANCER}}}))"
    board.stat("Load balancers", "All that the cloud lists.", f"count(max by ({of}) (cloud_load_balancer_info{{{BALANCER}}}))")
    board.stat("Without a healthy backend", "Who asks them gets no answer.", f"sum(max by ({of}) (cloud_load_balancer_without_healthy_backend{{{BALANCER}}}))", steps=BAD)
    board.stat("Backends out of service", "Those that the load balancers do not send anything to.", f"count({out}) or vector(0)", steps=WARN)
    board.stat("Dead backends", "Backends whose instance is stopped, terminated, in quarantine or gone.", f"sum({dead})", steps=WARN)
    board.stat("In service", "Share of all backends.", f"sum({healthy}) / sum({backends})", unit="percentunit")
    board.stat("Oldest reading", "How old the oldest of what is shown here is. Past stale_after (5 minutes) it leaves the page.", f'max(time() - max by (account, region, kind) (vigie_poll_last_success_timestamp_seconds{{{SCOPE}, kind=~"load_balancers|target_groups"}}))', unit="s", steps=FRESH)
    board.row("Health, the worst first")
    gauge = [{"id": "unit", "value": "percentunit"}, {"id": "min", "value": 0}, {"id": "max", "value": 1}, {"id": "custom.cellOptions", "value": {"type": "gauge", "mode": "basic"}}, {"id": "color", "value": {"mode": "continuous-RdYlGr"}}]
    board.table(
        "Load balancers", "Each load balancer, the one with the smallest share of healthy backends first.",
        [rows(f"{healthy} / ({backends} > 0) or {backends}"), rows(healthy), rows(backends), rows(dead)],
        {"load_balancer": "", "type": "", "Value #A": "in service", "Value #B": "healthy", "Value #C": "backends", "Value #D": "dead", "account": "", "region": ""},
        width=24, sort=("Value #A", "asc"), fields={"in service": gauge, "load_balancer": [to_balancer()]}, none="there is no load balancer",
    )
    board.table(
        "Backends out of service", "Each one, with the cloud's words for its health, its cause, and the state of its instance.",
        [
            rows(f'max by ({BACKEND}, state, reason) (cloud_load_balancer_backend_state_info{{{BALANCER}, state!~"InService|healthy"}})'),
            rows(f"max by (account, region, load_balancer, type, target_group, port, instance_id, instance_state) (cloud_load_balancer_backend_instance_state_info{{{BALANCER}}}) and on (account, region, load_balancer, type, target_group, port, instance_id) {out}"),
        ],
        {"load_balancer": "", "target_group": "", "instance_id": "", "target": "", "port": "", "state": "health", "reason": "", "instance_state": "instance", "account": "", "region": ""},
        width=24, sort=("load_balancer", "asc"), none="all are in service",
    )
    board.timeline(
        "Health of those that failed", "Backends that were out of service at any time shown.",
        f"max by ({BACKEND}) (cloud_load_balancer_backend_healthy{{{BALANCER}}}) and on ({BACKEND}) (max by ({BACKEND}) (min_over_time(cloud_load_balancer_backend_healthy{{{BALANCER}}}[$__range] @ end())) == 0)",
        "{{load_balancer}}{{target_group}} {{instance_id}}{{target}}", HEALTH, height=10, none="none has failed",
    )
    board.row("Over time, and why")
    board.graph("Backends in service", "How many backends of each load balancer are in service.", ranged(healthy, "{{load_balancer}} ({{account}} {{region}})"))
    board.graph("Causes", "Backends out of service by the cloud's words for their health and its cause.", ranged(f'sum by (state, reason) (max by ({BACKEND}, state, reason) (cloud_load_balancer_backend_state_info{{{BALANCER}, state!~"InService|healthy"}}))', "{{state}} {{reason}}"), stacked=True)
    board.table(
        "Dead backends", "Instances behind load balancers that cannot serve: unknown is one that the account does not have.",
        [rows(f'max by (account, region, load_balancer, type, target_group, port, instance_id, instance_state) (cloud_load_balancer_backend_instance_state_info{{{BALANCER}, instance_state=~"stopped|terminated|quarantine|unknown"}})')],
        {"load_balancer": "", "target_group": "", "instance_id": "", "instance_state": "instance", "account": "", "region": ""}, none="none is dead",
    )
    board.table(
        "Health checks", "What classic load balancers ask their backends, and where they can be reached.",
        [rows(f"max by ({of}, target) (cloud_load_balancer_health_check_info{{{BALANCER}}})"), rows(f"max by ({of}, scheme, dns_name) (cloud_load_balancer_info{{{BALANCER}}})")],
        {"load_balancer": "", "target": "asks", "scheme": "", "dns_name": "answers at", "account": "", "region": ""}, none="there is no load balancer",
    )
    return board


def agent():
    board = Board("agent", "Agent", "Whether vigie sees: freshness, calls, throttling, budget, errors, keys.", [ACCOUNT, REGION])
    poll = "account, region, kind"
    age = f"time() - max by ({poll}) (vigie_poll_last_success_timestamp_seconds{{{SCOPE}}})"
    board.stat("Agents", "Processes that Prometheus scrapes.", "count(vigie_build_info)", steps=None, width=3)
    board.stat("Polls that fail", "Accounts, regions and kinds whose last poll failed.", f"count(max by ({poll}) (vigie_poll_success{{{SCOPE}}}) == 0) or vector(0)", steps=BAD, width=3)
    board.stat("Oldest reading", "Past stale_after (5 minutes) it leaves the page.", f"max({age})", unit="s", steps=FRESH, width=3)
    board.stat("Throttled", "Requests that the cloud refused for their rate, in the last quarter of an hour.", f'sum(increase(vigie_api_requests_total{{{SCOPE}, outcome="throttled"}}[15m]))', steps=WARN, width=3)
    board.stat("Budget used", "Of the account and region that uses the largest share.", f"max(sum by (job, instance, account, region) (rate(vigie_api_requests_total{{{SCOPE}}}[5m])) / on (job, instance, account, region) vigie_api_budget_requests_per_second{{{SCOPE}}})", unit="percentunit", steps=[(0.8, "orange"), (1, "red")], width=3)
    board.stat("Keys refused", "Accounts whose key was refused, so that calls are held back.", 'count(vigie_auth_locked_until_timestamp_seconds{account=~"$account"}) or vector(0)', steps=BAD, width=3)
    board.stat("Excess permissions", "Actions that keys may do and should not, as the last audit found.", 'count(max by (account, action) (vigie_excess_permission{account=~"$account"}) == 1) or vector(0)', steps=BAD, width=3)
    board.stat("Left out", "Resources that were not understood.", f"sum(max by ({poll}) (vigie_poll_skipped_objects{{{SCOPE}}}))", steps=WARN, width=3)
    board.row("Freshness")
    board.graph("Age of readings", "How old what is known of each kind is.", ranged(age, "{{kind}} ({{account}} {{region}})"), unit="s", steps=FRESH)
    board.graph("Duration of polls", "How long the last poll of each kind took, waiting for the budget included.", ranged(f"max by ({poll}) (vigie_poll_duration_seconds{{{SCOPE}}})", "{{kind}} ({{account}} {{region}})"), unit="s")
    board.graph("Failed polls", "By the reason of the failure, per step of the graph.", ranged(f"sum by (reason) (increase(vigie_poll_failures_total{{{SCOPE}}}[$__rate_interval]))", "{{reason}}"), stacked=True)
    board.graph("Resources", "How many there are of each kind.", ranged(f"sum by (kind) (max by ({poll}) (vigie_poll_objects{{{SCOPE}}}))", "{{kind}}"))
    board.row("Calls of the cloud")
    board.graph("Calls", "Requests per second by action.", ranged(f"sum by (action) (rate(vigie_api_requests_total{{{SCOPE}}}[$__rate_interval]))", "{{action}}"), unit="reqps", stacked=True)
    board.graph("Refusals and errors", "Requests per second that came to nothing, by the reason.", ranged(f'sum by (outcome) (rate(vigie_api_requests_total{{{SCOPE}, outcome!="ok"}}[$__rate_interval]))', "{{outcome}}"), unit="reqps", stacked=True)
    board.graph("Budget used", "Share of requests_per_second. Beyond all of it polls wait.", ranged(f"max by (account, region) (sum by (job, instance, account, region) (rate(vigie_api_requests_total{{{SCOPE}}}[$__rate_interval])) / on (job, instance, account, region) vigie_api_budget_requests_per_second{{{SCOPE}}})", "{{account}} {{region}}"), unit="percentunit", width=8, steps=[(0.8, "orange"), (1, "red")])
    board.graph("Waiting for the budget", "Seconds that requests waited, per second.", ranged(f"sum by (account, region) (rate(vigie_api_budget_wait_seconds_total{{{SCOPE}}}[$__rate_interval]))", "{{account}} {{region}}"), unit="s", width=8)
    board.graph("Slow answers", "95 of 100 answers to each action came within this time.", ranged("histogram_quantile(0.95, sum by (le, action) (rate(vigie_api_request_duration_seconds_bucket[$__rate_interval])))", "{{action}}"), unit="s", width=8)
    board.row("Keys and clocks")
    never = [{"id": "unit", "value": "s"}, {"id": "mappings", "value": [{"type": "special", "options": {"match": "nan", "result": {"text": "never", "index": 0}}}]}]
    board.table(
        "Keys", "Where each key comes from, how its id ends, since when it is seen (within the time shown), and when it runs out.",
        [
            rows('max by (account, source, access_key_suffix) (vigie_credentials_info{account=~"$account"})'),
            rows('max by (account, access_key_suffix) (time() - min_over_time(timestamp(vigie_credentials_info{account=~"$account"})[$__range:]))'),
            rows('min by (account) (vigie_credentials_expiry_timestamp_seconds{account=~"$account"} - time()) or max by (account) (vigie_credentials_info{account=~"$account"}) * NaN'),
            rows('time() - max by (account) (vigie_audit_last_success_timestamp_seconds{account=~"$account"})'),
        ],
        {"account": "", "source": "", "access_key_suffix": "key ends in", "Value #B": "seen for", "Value #C": "runs out in", "Value #D": "audited ago"},
        fields={"seen for": unit("s"), "runs out in": never, "audited ago": unit("s")}, none="no key is in force",
    )
    board.graph("Clock skew", "The cloud's clock minus the agent's. Beyond 5 minutes the cloud refuses every request.", ranged(f"max by (account, region) (abs(vigie_api_clock_skew_seconds{{{SCOPE}}}))", "{{account}} {{region}}"), unit="s", steps=[(60, "orange"), (300, "red")])
    board.row("The process")
    own = "and on (job, instance) vigie_build_info"
    board.table(
        "Versions", "What runs, since when, and whether the settings read last are in force.",
        [
            rows("max by (instance, version, revision) (vigie_build_info)"),
            rows(f"max by (instance) (process_start_time_seconds {own}) * 1000"),
            rows("min by (instance) (vigie_config_last_reload_successful)"),
        ],
        {"instance": "agent", "version": "", "revision": "", "Value #B": "started", "Value #C": "settings"}, width=8,
        fields={"started": unit("dateTimeFromNow"), "settings": coloured([(0, "refused", "red"), (1, "in force", "green")])},
    )
    board.graph("Memory", "Resident memory of each agent.", ranged(f"max by (instance) (process_resident_memory_bytes {own})", "{{instance}}"), unit="bytes", width=8)
    board.graph("Processor", "Cores that each agent uses.", ranged(f"max by (instance) (rate(process_cpu_seconds_total[$__rate_interval]) {own})", "{{instance}}"), unit="percentunit", width=8)
    return board


def instance():
    name = variable("instance_id", "Instance", f"label_values(cloud_instance_info{{{SCOPE}}}, instance_id)", many=False)
    board = Board("instance", "One instance", "All that is known of one instance.", [ACCOUNT, REGION, name])
    silent = "the cloud does not say"
    board.stat("State", "As last listed.", f"max by (state) (cloud_instance_state{{{INSTANCE}}}) == 1", options={"textMode": "name", "legend": "{{state}}", "colorMode": "none"}, none="not listed")
    board.stat("In it since", "Where the cloud says when.", f"max(cloud_instance_state_changed_timestamp_seconds{{{INSTANCE}}}) * 1000", unit="dateTimeFromNow", none=silent)
    board.stat("Launched", "When it was last started.", f"max(cloud_instance_launch_timestamp_seconds{{{INSTANCE}}}) * 1000", unit="dateTimeFromNow", none=silent)
    board.stat("Checks that fail", "Absent where the cloud does not fill in the checks.", f"sum(max by ({ID}, check) (cloud_instance_status_check_failed{{{INSTANCE}}}))", steps=BAD, none=silent)
    board.stat("Behind load balancers", "How many of them send it requests or would.", f"count(max by ({BACKEND}) (cloud_load_balancer_backend_healthy{{{INSTANCE}}})) or vector(0)")
    board.stat("Reading", "How old what is shown here is.", f'max(time() - max by (account, region) (vigie_poll_last_success_timestamp_seconds{{{SCOPE}, kind="instances"}} and on (account, region) cloud_instance_info{{{INSTANCE}}}))', unit="s", steps=FRESH, none="not listed")
    board.row("Facts")
    facts = ["name", "instance_type", "availability_zone", "private_ip", "public_ip", "image_id", "architecture", "platform", "lifecycle", "tenancy", "vpc_id", "subnet_id"]
    board.table("Facts", "What the cloud does not say is left out.", [rows(f"max by ({', '.join(facts)}) (cloud_instance_info{{{INSTANCE}}})")], {fact: "" for fact in facts}, width=24, height=4, none="not listed")
    board.table("Tags", "Those that the settings ask for.", [rows(f"max without (job, instance) (cloud_instance_tags{{{INSTANCE}}})")], {}, height=5, none="no tag is asked for")
    # The labels are the tags' names, which nobody knows beforehand: shown are all but these.
    board.panels[-1]["transformations"] = [{"id": "organize", "options": {"excludeByName": {name: True for name in ["Time", "Value", "account", "region", "instance_id", "__name__"]}, "indexByName": {}, "renameByName": {}}}]
    board.table("Reason", "The cloud's code for why it came into its state.", [rows(f"max by (code) (cloud_instance_state_reason_info{{{INSTANCE}}})")], {"code": "reason"}, width=6, height=5, none="none")
    board.table("Addresses", "Public addresses that lead to it.", [rows(f"max by (public_ip, allocation_id, private_ip) (cloud_address_info{{{INSTANCE}}})")], {"public_ip": "address", "private_ip": "leads to"}, width=6, height=5, none="none")
    board.row("Over time")
    board.timeline("State", "Its states.", f"max by (state) (cloud_instance_state{{{INSTANCE}}}) == 1", "{{state}}", values([(1, "in it", "blue")]), width=12, none="not listed")
    board.timeline("Checks", "1 while a check fails.", f"max by (check) (cloud_instance_status_check_failed{{{INSTANCE}}})", "{{check}}", values([(0, "passes", "green"), (1, "fails", "red")]), width=12, none=silent)
    board.row("What it belongs to")
    board.table(
        "Load balancers", "Where it is a backend, and its health there.",
        [rows(f"max by (load_balancer, type, target_group, port, state, reason) (cloud_load_balancer_backend_state_info{{{INSTANCE}}})")],
        {"load_balancer": "", "type": "", "target_group": "", "port": "", "state": "health", "reason": ""}, none="it is behind none",
    )
    board.table(
        "Volumes", "What is attached to it, as what, and how large it is.",
        [
            rows(f"max by (account, region, volume_id, device, state) (cloud_volume_attachment_info{{{INSTANCE}}})"),
            rows(f"max by (account, region, volume_id) (cloud_volume_size_bytes{{{SCOPE}}}) and on (account, region, volume_id) cloud_volume_attachment_info{{{INSTANCE}}}"),
        ],
        {"volume_id": "", "device": "", "state": "attachment", "Value #B": "size"}, fields={"size": unit("bytes")}, none="none is attached",
    )
    board.table(
        "Events ahead", "What the cloud has scheduled for it.",
        [rows(f"max by (event_id, code) (cloud_instance_scheduled_event_not_before_timestamp_seconds{{{INSTANCE}}}) * 1000"), rows(f"max by (event_id, code) (cloud_instance_scheduled_event_not_after_timestamp_seconds{{{INSTANCE}}}) * 1000")],
        {"code": "event", "Value #A": "begins", "Value #B": "ends", "event_id": ""}, fields={"begins": unit("dateTimeAsIso"), "ends": unit("dateTimeAsIso")}, none="nothing is scheduled",
    )
    board.table("Impaired", "Checks that fail, and since when.", [rows(f"max by (check) (cloud_instance_status_check_impaired_timestamp_seconds{{{INSTANCE}}}) * 1000")], {"check": "", "Value #A": "since"}, fields={"since": unit("dateTimeFromNow")}, none="no check fails")
    return board


if __name__ == "__main__":
    here = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else __file__)
    for make in (fleet, load_balancers, agent, instance):
        make().write(here if here.is_dir() else here.parent)
