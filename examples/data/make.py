#!/usr/bin/env python3
"""Cuts the samples of this folder from whole data sets: make.py DATA_FOLDER.

DATA_FOLDER has the folders openb, nab_aws_services, worldcup98_web and azure_v1_vm_arrivals with the gzip CSV files
that README.md names. Nothing is random: the same input gives the same bytes.
"""

import csv
import gzip
import hashlib
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent

NODES = 300
REGIONS = ("eu-north", "eu-west", "us-east")
ZONES = ("a", "b")
OWNERS = ("ads", "mail", "maps", "search", "shop", "video")

STEP_S = 300
DAY_STEPS = 86_400 // STEP_S
STEPS = 4 * DAY_STEPS

# Stretches of four days: (source, first day). Most have a daily rhythm; the rest are flat, hot, or surge rarely.
STRETCHES = (
    ("worldcup98", 22),
    ("nyc_taxi", 0),
    ("cpu_utilization_asg_misconfiguration", 1),
    ("worldcup98", 26),
    ("ec2_cpu_utilization_5f5533", 2),
    ("nyc_taxi", 7),
    ("rds_cpu_utilization_cc0c53", 1),
    ("worldcup98", 30),
    ("elb_request_count_8c0756", 1),
    ("cpu_utilization_asg_misconfiguration", 8),
    ("nyc_taxi", 14),
    ("Twitter_volume_FB", 3),
    ("worldcup98", 34),
    ("ec2_cpu_utilization_ac20cd", 1),
    ("nyc_taxi", 28),
    ("rds_cpu_utilization_cc0c53", 6),
    ("worldcup98", 37),
    ("cpu_utilization_asg_misconfiguration", 15),
    ("ec2_cpu_utilization_53ea38", 2),
    ("nyc_taxi", 35),
    ("Twitter_volume_GOOG", 10),
    ("worldcup98", 43),
    ("ec2_cpu_utilization_fe7f93", 3),
    ("cpu_utilization_asg_misconfiguration", 22),
    ("nyc_taxi", 42),
    ("ec2_cpu_utilization_825cc2", 5),
    ("worldcup98", 47),
    ("nyc_taxi", 49),
)

ARRIVALS_FROM_S = 564 * 3600
ARRIVALS_TO_S = 570 * 3600


def rows(path):
    with gzip.open(path, "rt", newline="") as file:
        yield from csv.DictReader(file)


def write(name, header, lines):
    with open(HERE / name, "w", newline="") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(header)
        out.writerows(lines)


def make_fleet(data):
    """Every fifth node, so that the mix of models stays the fleet's own."""
    source = list(rows(data / "openb" / "openb_node_list_all_node.csv.gz"))
    lines = []
    for index in range(NODES):
        node = source[index * len(source) // NODES]
        region = REGIONS[index % len(REGIONS)]
        zone = ZONES[index // len(REGIONS) % len(ZONES)]
        owner = OWNERS[index // (len(REGIONS) * len(ZONES)) % len(OWNERS)]
        memory_bytes = int(node["memory_mib"]) * 2**20
        lines.append(
            (node["sn"], node["cpu_milli"], memory_bytes, node["gpu"], node["model"], region, f"{region}-{zone}", owner)
        )
    header = ("name", "cpu_millis", "memory_bytes", "gpus", "gpu_model", "region", "zone", "owner")
    write("fleet.csv", header, lines)


def read_series(data):
    """Every source as (is it in percent, [(seconds, value)])."""
    percent = {
        row["series"]: row["kind"] == "cpu_percent" for row in rows(data / "nab_aws_services" / "meta.csv.gz")
    }
    series = {name: (is_percent, []) for name, is_percent in percent.items()}
    for row in rows(data / "nab_aws_services" / "series_long.csv.gz"):
        series[row["series"]][1].append((int(row["t_s"]), float(row["value"])))
    minutes = [
        (int(row["minute"]) * 60, float(row["requests"]))
        for row in rows(data / "worldcup98_web" / "requests_per_minute.csv.gz")
        if row["requests"]
    ]
    series["worldcup98"] = (False, mean_per_step(minutes))
    return series


def mean_per_step(samples):
    sums = {}
    for time_s, value in samples:
        total, count = sums.get(time_s // STEP_S, (0.0, 0))
        sums[time_s // STEP_S] = (total + value, count + 1)
    return [(step * STEP_S, total / count) for step, (total, count) in sorted(sums.items())]


def stretch(samples, first_day):
    """Four days at five-minute steps; between samples, and over gaps, a straight line."""
    values, at = [], 0
    for step in range(first_day * DAY_STEPS, first_day * DAY_STEPS + STEPS):
        time_s = step * STEP_S
        while samples[at + 1][0] <= time_s:
            at += 1
        (left_s, left), (right_s, right) = samples[at], samples[at + 1]
        values.append(left + (right - left) * (time_s - left_s) / (right_s - left_s))
    return values


def make_owner_load(data):
    series = read_series(data)
    columns = []
    for source, first_day in STRETCHES:
        is_percent, samples = series[source]
        values = stretch(samples, first_day)
        whole = 100.0 if is_percent else max(values)
        columns.append([min(1000, max(0, round(1000 * value / whole))) for value in values])
    header = ["step", *(f"s{index}" for index in range(len(columns)))]
    write("owner_load.csv", header, ([step, *(column[step] for column in columns)] for step in range(STEPS)))


def lifetime_s(row_number, low_s, high_s):
    """Somewhere in the bin, evenly; the bin's edges lie on a grid of five minutes."""
    width_s = high_s + STEP_S - low_s
    draw = int.from_bytes(hashlib.sha256(str(row_number).encode()).digest()[:8], "big") % width_s
    return max(1, low_s + draw)


def make_arrivals(data):
    lines = []
    batches = {}
    source = rows(data / "azure_v1_vm_arrivals" / "arrivals_days_21_24.csv.gz")
    for row_number, row in enumerate(source):
        if not ARRIVALS_FROM_S <= int(row["t_s"]) < ARRIVALS_TO_S:
            continue
        batch = batches.setdefault(row["batch"], len(batches))
        memory_mib = round(float(row["mem_gb"]) * 1024)
        life_s = lifetime_s(row_number, int(row["life_lo_s"]), int(row["life_hi_s"]))
        lines.append((int(row["t_s"]) - ARRIVALS_FROM_S, batch, row["vcpu"], memory_mib, life_s))
    write("arrivals.csv", ("submit_s", "batch", "vcpu", "memory_mib", "lifetime_s"), lines)


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: make.py DATA_FOLDER")
    data = pathlib.Path(sys.argv[1])
    make_fleet(data)
    make_owner_load(data)
    make_arrivals(data)


if __name__ == "__main__":
    main()
