"""Works out a statement anew from exported events, and compares it with what the server said, number by number.

    offpeak events --since 0 -A -o jsonl > events.jsonl
    offpeak statement tenant acme --month 2026-11 -o json > statement.json
    python3 recompute.py events.jsonl statement.json tenant=acme from=2026-11-01 until=2026-12-01

Without tenant= or owner= the statement is that of the cell. The rules are those of docs/BILLING.md. Needs Python 3.
"""

import calendar
import json
import sys
import time
from collections import defaultdict

DAY, HOUR, PARTS = 86_400_000, 3_600_000, 1_000_000
# By resource: its name in requests and in prices, how much of it a price is for, and what a line counts it in.
RESOURCES = {
    "cpuMilliSeconds": ("cpuMillis", "core", 1000, 1000),
    "memoryMibSeconds": ("memoryBytes", "memoryGib", 2**30, 1000 * 2**20),
    "diskMibSeconds": ("diskBytes", "diskGib", 2**30, 1000 * 2**20),
    "networkMegabits": ("networkBps", "networkGbps", 10**9, 10**9),
    "gpuMilliSeconds": ("gpuMillis", "gpu", 1000, 1000),
}
PROMISES = [(300_000, "fiveMinutesPermille"), (HOUR, "hourPermille"), (6 * HOUR, "sixHoursPermille")]
MONEY = ("chargeMicros", "ownerMicros", "marginMicros", "listMicros")


def milliseconds(text):
    whole, _, part = text.rstrip("Z").partition(".")
    seconds = calendar.timegm(time.strptime(whole, "%Y-%m-%dT%H:%M:%S"))
    return seconds * 1000 + int((part + "000")[:3])


def span(text):
    whole, _, part = text.rstrip("s").partition(".")
    return int(whole) * 1000 + int((part + "000")[:3])


def price(book, node, what, table=None, key=None):
    """The first price that is given: of the region, then everywhere; by name, then in general."""
    for prices in (book.get("regions", {}).get(node.get("region", "")), book.get("everywhere")):
        for found in ((prices or {}).get(table, {}).get(key), (prices or {}).get(what)):
            if found is not None:
                return int(found)
    return 0


def rate(books, spec, node, placed):
    """By the list and as charged, in millionths of a micro an hour; and the owner's thousandths."""
    book = next((book for since, book in reversed(books) if since <= placed), None)
    if book is None:
        return 0, 0, 0
    listed, request = 0, spec.get("request", {})
    for field, name, unit, _ in RESOURCES.values():
        gpu = ("gpuModels", node.get("gpuModel", "")) if name == "gpu" else ()
        listed += int(request.get(field, 0)) * price(book, node, name, *gpu) * PARTS // unit
    for name, amount in request.get("counts", {}).items():
        listed += int(amount) * price(book, node, "", "counts", name) * PARTS
    promised = span(spec.get("minRuntime", "0s"))
    longer = next((name for limit, name in PROMISES if promised <= limit), "dayPermille")
    paid = book["interruptiblePermille" if promised == 0 else longer]
    return listed, listed * paid // 1000, book["ownerPermille"]


class Ledger:
    def __init__(self):
        self.nodes, self.jobs, self.live, self.books = {}, {}, {}, []
        self.rows = defaultdict(lambda: defaultdict(int))

    def event(self, event):
        now = milliseconds(event["time"])
        if book := event.get("priceBookChanged", {}).get("priceBook"):
            self.books.append((milliseconds(book["since"]), book))
        elif node := event.get("nodeRegistered", event.get("nodeUpdated", {})).get("node"):
            for allocation, (tenant, spec, name, placed, _) in list(self.live.items()):
                if name == node["name"]:
                    self.book(self.live[allocation], now)
                    self.live[allocation] = (tenant, spec, name, placed, now)
            self.nodes[node["name"]] = node
        elif job := event.get("jobSubmitted", {}).get("job"):
            self.jobs[job["tenant"], job["name"]] = job["spec"]
        elif placed := event.get("tasksPlaced"):
            spec = self.jobs[placed["tenant"], placed["job"]]
            for place in placed["placements"]:
                for offset in range(place["count"]):
                    held = (placed["tenant"], spec, place["node"], now, now)
                    self.live[int(place["allocationId"]) + offset] = held
        elif ended := event.get("taskEnded", event.get("taskEvicted")):
            if int(ended.get("allocationId", 0)):
                self.book(self.live.pop(int(ended["allocationId"])), now)

    def book(self, held, until):
        tenant, spec, name, placed, start = held
        node, request = self.nodes[name], spec.get("request", {})
        listed, charged, owner = rate(self.books, spec, node, placed)
        while start < until:
            end = min(until, start - start % DAY + DAY)
            date = time.strftime("%Y-%m-%d", time.gmtime(start // 1000))
            row = self.rows[date, tenant, *(node.get(key, "") for key in ("owner", "region", "gpuModel"))]
            row["taskMs"] += end - start
            for what, (field, *_) in RESOURCES.items():
                row[what] += int(request.get(field, 0)) * (end - start)
            for count, amount in request.get("counts", {}).items():
                row["count", count] += int(amount) * (end - start)
            row["list"] += listed * (end - start)
            row["charged"] += charged * (end - start)
            row["credited"] += charged * owner * (end - start)
            start = end


def line(row):
    """The numbers of a line: here, and only here, everything is rounded down."""
    numbers = {what: row[what] // unit for what, (*_, unit) in RESOURCES.items()} | {"taskMs": row["taskMs"]}
    numbers |= {key: row[key] // 1000 for key in row if isinstance(key, tuple)}
    charge, credit = row["charged"] // (PARTS * HOUR), row["credited"] // (1000 * PARTS * HOUR)
    numbers |= dict(zip(MONEY, (charge, credit, charge - credit, row["list"] // (PARTS * HOUR))))
    return {key: number for key, number in numbers.items() if number}


def told(line):
    held = dict(line.get("held", {}))
    numbers = {("count", name): int(number) for name, number in held.pop("countSeconds", {}).items()}
    numbers |= {key: int(number) for key, number in held.items()}
    return numbers | {key: int(line[key]) for key in MONEY if int(line.get(key, 0))}


def main(events, statement, *options):
    options = dict(option.split("=", 1) for option in options)
    with open(statement, encoding="utf-8") as file:
        statement = json.load(file)
    ledger = Ledger()
    with open(events, encoding="utf-8") as file:
        for event in map(json.loads, file):
            if int(event["revision"]) <= int(statement["revision"]):
                ledger.event(event)
    for held in ledger.live.values():
        ledger.book(held, milliseconds(statement["asOf"]))
    wanted = {
        key: line(row)
        for key, row in ledger.rows.items()
        if options.get("tenant", key[1]) == key[1] and options.get("owner", key[2]) == key[2]
        and options.get("from", "") <= key[0] < options.get("until", "9999")
    }
    keys = ("date", "tenant", "owner", "region", "gpuModel")
    found = {tuple(line.get(key, "") for key in keys): told(line) for line in statement.get("lines", [])}
    for key in sorted(wanted.keys() | found.keys()):
        if wanted.get(key) != found.get(key):
            sys.exit(f"{key}: events come to {wanted.get(key)}, the statement says {found.get(key)}")
    total = defaultdict(int)
    for numbers in wanted.values():
        for key, number in numbers.items():
            total[key] += number
    if dict(total) != told(statement["total"]):
        sys.exit(f"the total: events come to {dict(total)}, the statement says {told(statement['total'])}")
    print(f"{len(wanted)} lines, {total['chargeMicros']} micros charged, {total['ownerMicros']} to owners")


if __name__ == "__main__":
    main(*sys.argv[1:])
