"""Works out a statement anew from exported events, and compares it with the server's.

    offpeak events --since 0 -A -o jsonl > events.jsonl
    offpeak statement tenant acme --month 2026-11 -o json > statement.json
    python3 recompute.py events.jsonl statement.json tenant=acme from=2026-11-01 until=2026-12-01

Without tenant= or owner= the statement is that of the cell. The rules are those of docs/BILLING.md.
Needs Python 3.10.
"""

import calendar
import json
import sys
import time
from collections import Counter, defaultdict

DAY, HOUR, PARTS = 86_400_000, 3_600_000, 1_000_000
# By what a line counts: the request's field, the price, how much that is for, the line's unit.
RESOURCES = {
    "cpuMilliSeconds": ("cpuMillis", "core", 1000, 1000),
    "memoryMibSeconds": ("memoryBytes", "memoryGib", 2**30, 1000 * 2**20),
    "diskMibSeconds": ("diskBytes", "diskGib", 2**30, 1000 * 2**20),
    "networkMegabits": ("networkBps", "networkGbps", 10**9, 10**9),
    "gpuMilliSeconds": ("gpuMillis", "gpu", 1000, 1000),
}
UNITS = {what: unit for what, (*_, unit) in RESOURCES.items()} | {"taskMs": 1}
UNITS |= {"listMicros": PARTS * HOUR, "chargeMicros": PARTS * HOUR}
UNITS |= {"ownerMicros": 1000 * PARTS * HOUR}
MONEY = ("listMicros", "chargeMicros", "ownerMicros", "marginMicros")
PROMISES = {0: "interruptible", 300_000: "fiveMinutes", HOUR: "hour", 6 * HOUR: "sixHours"}

nodes, specs, live, books, factors = {}, {}, {}, [], []
rows = defaultdict(Counter)


def milliseconds(text):
    """Of a time, or of a span such as 1.5s."""
    whole, _, part = text.rstrip("Zs").partition(".")
    is_time = "T" in whole
    seconds = calendar.timegm(time.strptime(whole, "%Y-%m-%dT%H:%M:%S")) if is_time else int(whole)
    return seconds * 1000 + int(f"{part:0<3}"[:3])


def price(book, node, table, key, otherwise=""):
    """The first that is given: of the region, then everywhere; by the key, then in general."""
    for prices in (book.get("regions", {}).get(node.get("region")), book.get("everywhere")):
        for found in ((prices or {}).get(table, {}).get(key), (prices or {}).get(otherwise)):
            if found is not None:
                return int(found)
    return 0


def pace(held, node):
    """What an allocation adds to its row in a millisecond; money by the rates of an hour."""
    request = held["spec"].get("request", {})
    book = next((book for since, book in reversed(books) if since <= held["placed"]), {})
    adds, listed = Counter(taskMs=1), 0
    for what, (field, name, unit, _) in RESOURCES.items():
        adds[what] = int(request.get(field, 0))
        key = node.get("gpuModel") if name == "gpu" else None
        listed += adds[what] * price(book, node, "gpuModels", key, name) * PARTS // unit
    for name, amount in request.get("counts", {}).items():
        adds["count", name] = int(amount)
        listed += int(amount) * price(book, node, "counts", name) * PARTS
    promised = milliseconds(held["spec"].get("minRuntime", "0s"))
    factor = next((name for limit, name in PROMISES.items() if promised <= limit), "day")
    charged = listed * book.get(factor + "Permille", 0) // 1000
    demand = (
        factor["factorPermille"] for since, factor in reversed(factors)
        if since <= held["placed"] and factor.get("region") == node.get("region")
    )
    charged = charged * next(demand, 1000) // 1000
    owner = charged * book.get("ownerPermille", 0)
    adds.update(listMicros=listed, chargeMicros=charged, ownerMicros=owner)
    return adds


def meter(held, until):
    """Adds what an allocation held since it was last metered to the rows of its days."""
    node = nodes[held["node"]]
    adds = pace(held, node)
    while (start := held["since"]) < until:
        held["since"] = end = min(until, start - start % DAY + DAY)
        date = time.strftime("%Y-%m-%d", time.gmtime(start // 1000))
        row = date, held["tenant"], *(node.get(key, "") for key in ("owner", "region", "gpuModel"))
        rows[row].update({what: amount * (end - start) for what, amount in adds.items()})


def follow(event):
    now = milliseconds(event["time"])
    if book := event.get("priceBookChanged", {}).get("priceBook"):
        books.append((milliseconds(book["since"]), book))
    elif factor := event.get("demandPriced", {}).get("factor"):
        factors.append((milliseconds(factor["since"]), factor))
    elif node := event.get("nodeRegistered", event.get("nodeUpdated", {})).get("node"):
        for held in live.values():
            if held["node"] == node["name"]:
                meter(held, now)
        nodes[node["name"]] = node
    elif job := event.get("jobSubmitted", {}).get("job"):
        specs[job["tenant"], job["name"]] = job["spec"]
    elif placed := event.get("tasksPlaced"):
        tenant = placed["tenant"]
        held = {"tenant": tenant, "spec": specs[tenant, placed["job"]], "placed": now, "since": now}
        for place in placed["placements"]:
            for offset in range(place["count"]):
                live[int(place["allocationId"]) + offset] = held | {"node": place["node"]}
    elif ended := event.get("taskEnded", event.get("taskEvicted")):
        if int(ended.get("allocationId", 0)):
            meter(live.pop(int(ended["allocationId"])), now)


def line(row):
    """The numbers of a line: here, and only here, everything is rounded down."""
    numbers = Counter({what: amount // UNITS.get(what, 1000) for what, amount in row.items()})
    numbers["marginMicros"] = numbers["chargeMicros"] - numbers["ownerMicros"]
    return numbers


def told(line):
    held = dict(line.get("held", {}))
    numbers = {("count", name): number for name, number in held.pop("countSeconds", {}).items()}
    numbers |= held | {key: line.get(key, 0) for key in MONEY}
    return Counter({key: int(number) for key, number in numbers.items()})


def main(events, statement, *options):
    options = dict(option.split("=", 1) for option in options)
    with open(statement, encoding="utf-8") as file:
        statement = json.load(file)
    with open(events, encoding="utf-8") as file:
        for event in map(json.loads, file):
            if int(event["revision"]) <= int(statement["revision"]):
                follow(event)
    for held in live.values():
        meter(held, milliseconds(statement["asOf"]))
    wanted = {
        key: line(row)
        for key, row in rows.items()
        if options.get("tenant", key[1]) == key[1] and options.get("owner", key[2]) == key[2]
        and options.get("from", "") <= key[0] < options.get("until", "9999")
    }
    keys = ("date", "tenant", "owner", "region", "gpuModel")
    lines = statement.get("lines", [])
    found = {tuple(line.get(key, "") for key in keys): told(line) for line in lines}
    total = sum(wanted.values(), Counter())
    wanted["total"], found["total"] = total, told(statement["total"])
    for key in found | wanted:
        if wanted.get(key) != found.get(key):
            sys.exit(f"{key}: events come to {wanted.get(key)}, the server to {found.get(key)}")
    charged, owners = total["chargeMicros"], total["ownerMicros"]
    print(f"{len(wanted) - 1} lines, {charged} micros charged, {owners} to owners")


if __name__ == "__main__":
    main(*sys.argv[1:])
