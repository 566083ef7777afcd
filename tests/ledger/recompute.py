"""Works out a statement anew from exported events, and compares it with the server's.

    offpeak events --since 0 -A -o jsonl > events.jsonl
    offpeak statement tenant acme --month 2026-11 -o json > statement.json
    python3 recompute.py events.jsonl statement.json tenant=acme date='2026-11-*'

Without tenant= or owner= the statement is that of the cell. Values may be patterns with * and ?.
The rules are those of docs/BILLING.md.
Needs Python 3.10.
"""

import json
import sys
from collections import Counter, defaultdict
from datetime import datetime, timedelta, timezone
from fnmatch import fnmatchcase

EPOCH, MS = datetime(1970, 1, 1, tzinfo=timezone.utc), timedelta(milliseconds=1)
DAY, HOUR, PARTS = 86_400_000, 3_600_000, 1_000_000
KEYS = ("date", "tenant", "owner", "region", "gpuModel")
# By what a line counts: the request's field, the price, how much that is for, the line's unit.
RESOURCES = {
    "cpuMilliSeconds": ("cpuMillis", "core", 1000, 1000),
    "memoryMibSeconds": ("memoryBytes", "memoryGib", 2**30, 1000 * 2**20),
    "diskMibSeconds": ("diskBytes", "diskGib", 2**30, 1000 * 2**20),
    "networkMegabits": ("networkBps", "networkGbps", 10**9, 10**9),
    "gpuMilliSeconds": ("gpuMillis", "gpu", 1000, 1000),
}
MONEY = {"listMicros": PARTS * HOUR, "chargeMicros": PARTS * HOUR, "ownerMicros": 1000 * PARTS * HOUR}
UNITS = {what: unit for what, (*_, unit) in RESOURCES.items()} | {"taskMs": 1} | MONEY
PROMISES = {0: "interruptible", 300_000: "fiveMinutes", HOUR: "hour", 6 * HOUR: "sixHours"}

nodes, specs, live, prices, rows = {}, {}, {}, defaultdict(list), defaultdict(Counter)


def milliseconds(text):
    """Of a time, or of a span such as 1.5s."""
    if not text.endswith("Z"):
        return round(float(text.rstrip("s")) * 1000)
    return (datetime.fromisoformat(text.replace("Z", "+00:00")) - EPOCH) // MS


def in_force(what, placed):
    return next((told for since, told in reversed(prices[what]) if since <= placed), {})


def price(book, node, table, key, otherwise=""):
    """The first that is given: of the region, then everywhere; by the key, then in general."""
    for told in (book.get("regions", {}).get(node.get("region"), {}), book.get("everywhere", {})):
        for found in (told.get(table, {}).get(key), told.get(otherwise)):
            if found is not None:
                return int(found)
    return 0


def pace(held, node):
    """What an allocation adds to its row in a millisecond; money by the rates of an hour."""
    request, book = held["spec"].get("request", {}), in_force("book", held["placed"])
    adds, listed = Counter(taskMs=1), 0
    for what, (field, name, per, _) in RESOURCES.items():
        adds[what] = int(request.get(field, 0))
        model = name == "gpu" and node.get("gpuModel")
        listed += adds[what] * price(book, node, "gpuModels", model, name) * PARTS // per
    for name, amount in request.get("counts", {}).items():
        adds["count", name] = int(amount)
        listed += int(amount) * price(book, node, "counts", name) * PARTS
    promised = milliseconds(held["spec"].get("minRuntime", "0s"))
    promise = next((name for limit, name in PROMISES.items() if promised <= limit), "day")
    demand = in_force(("region", node.get("region")), held["placed"]).get("factorPermille", 1000)
    charged = listed * book.get(promise + "Permille", 0) // 1000 * demand // 1000
    owner = charged * book.get("ownerPermille", 0)
    return adds | Counter(listMicros=listed, chargeMicros=charged, ownerMicros=owner)


def meter(held, until):
    """Adds what an allocation held since it was last metered to the rows of its days."""
    adds = pace(held, node := nodes[held["node"]])
    while (start := held["since"]) < until:
        held["since"] = min(until, start - start % DAY + DAY)
        row = str((EPOCH + start * MS).date()), held["tenant"], *(node.get(key, "") for key in KEYS[2:])
        rows[row].update({what: amount * (held["since"] - start) for what, amount in adds.items()})


def follow(event):
    now = milliseconds(event["time"])
    match event:
        case {"priceBookChanged": {"priceBook": book}}:
            prices["book"].append((milliseconds(book["since"]), book))
        case {"demandPriced": {"factor": factor}}:
            prices["region", factor.get("region")].append((milliseconds(factor["since"]), factor))
        case {"nodeRegistered": {"node": node}} | {"nodeUpdated": {"node": node}}:
            for held in (held for held in live.values() if held["node"] == node["name"]):
                meter(held, now)
            nodes[node["name"]] = node
        case {"jobSubmitted": {"job": job}}:
            specs[job["tenant"], job["name"]] = job["spec"]
        case {"tasksPlaced": {"tenant": tenant, "job": job, "placements": placements}}:
            held = {"tenant": tenant, "spec": specs[tenant, job], "placed": now, "since": now}
            for place in placements:
                for offset in range(place["count"]):
                    live[int(place["allocationId"]) + offset] = held | {"node": place["node"]}
        case {"taskEnded": {"allocationId": i}} | {"taskEvicted": {"allocationId": i}} if int(i):
            meter(live.pop(int(i)), now)


def numbers(row):
    """Those of a line: here, and only here, everything is rounded down."""
    line = Counter({what: amount // UNITS.get(what, 1000) for what, amount in row.items()})
    return line + Counter(marginMicros=line["chargeMicros"] - line["ownerMicros"])


def told(line):
    held = {key: line.get(key, 0) for key in (*MONEY, "marginMicros")} | line.get("held", {})
    held |= {("count", name): number for name, number in held.pop("countSeconds", {}).items()}
    return Counter({key: int(number) for key, number in held.items()})


def main(events, statement, *options):
    with open(events, encoding="utf-8") as events, open(statement, encoding="utf-8") as file:
        statement = json.load(file)
        for event in map(json.loads, events):
            if int(event["revision"]) <= int(statement["revision"]):
                follow(event)
    for held in live.values():
        meter(held, milliseconds(statement["asOf"]))
    wanted = dict.fromkeys(KEYS, "*") | dict(option.split("=", 1) for option in options)
    if len(wanted) > len(KEYS):
        sys.exit(f"lines are chosen by {', '.join(KEYS)}, not by {', '.join([*wanted][len(KEYS):])}")
    found = {row: numbers(adds) for row, adds in rows.items() if all(map(fnmatchcase, row, wanted.values()))}
    theirs = {tuple(line.get(key, "") for key in KEYS): told(line) for line in statement.get("lines", [])}
    total = found["total"] = sum(found.values(), Counter())
    theirs["total"] = told(statement["total"])
    for key in found | theirs:
        if found.get(key) != theirs.get(key):
            sys.exit(f"{key}: events come to {found.get(key)}, the server to {theirs.get(key)}")
    print(len(found) - 1, "lines,", total["chargeMicros"], "micros charged,", total["ownerMicros"], "to owners")


main(*sys.argv[1:])
