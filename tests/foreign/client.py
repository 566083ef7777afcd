"""A client that shares no code with the server: client.py HOST:PORT.

Its stubs are generated from proto/ by grpcio-tools when it starts, so that what it proves is what any user of the
.proto files gets. It takes a fresh cell through one job's life and stops with exit code 1 at the first thing that is
not as the API says.
"""

import collections
import importlib
import pathlib
import queue
import sys
import tempfile
import threading
import time

import grpc
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2
from grpc_status import rpc_status
from grpc_tools import protoc

PROTO = pathlib.Path(__file__).resolve().parents[2] / "proto"
START_DEADLINE_S = 30
CALL_DEADLINE_S = 10
WATCH_DEADLINE_S = 60

GIB = 2**30
NODES = [f"python-{index}" for index in range(4)]
NODE_CPU_MILLIS = 8_000
OWNER_CPU_MILLIS = 2_000
TENANT = "snakes"
TASKS = 6
TASK_CPU_MILLIS = 1_000


class Mismatch(Exception):
    """The server did not do what the API says."""


def check(holds, what, found=None):
    if not holds:
        raise Mismatch(what if found is None else f"{what}, but found {found}")
    print(f"ok   {what}")


def generate(out):
    """Compiles every .proto file and returns the modules by their short names."""
    files = sorted(PROTO.glob("offpeak/v1/*.proto"))
    arguments = ["protoc", f"-I{PROTO}", f"-I{protoc_includes()}", f"--python_out={out}", f"--grpc_python_out={out}"]
    if protoc.main(arguments + [str(file) for file in files]) != 0:
        raise Mismatch("protoc compiles proto/")
    sys.path.insert(0, out)
    modules = {}
    for file in files:
        modules[file.stem] = importlib.import_module(f"offpeak.v1.{file.stem}_pb2")
        modules[f"{file.stem}_grpc"] = importlib.import_module(f"offpeak.v1.{file.stem}_pb2_grpc")
    print(f"ok   protoc generates stubs from {len(files)} files")
    return modules


def protoc_includes():
    return pathlib.Path(protoc.__file__).resolve().parent / "_proto"


class Watch:
    """Reads a watch in a thread of its own, so that every wait for a response has an end."""

    def __init__(self, call):
        self.call = call
        self.received = queue.Queue()
        self.waiting = collections.deque()
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()

    def read(self):
        try:
            for response in self.call:
                self.received.put(response)
        except grpc.RpcError as error:
            self.received.put(error)

    def next(self):
        try:
            response = self.received.get(timeout=CALL_DEADLINE_S)
        except queue.Empty:
            raise Mismatch(f"the watch sends something within {CALL_DEADLINE_S} s") from None
        if isinstance(response, grpc.RpcError):
            raise Mismatch(f"the watch goes on, but it ended: {response.code()} {response.details()}")
        return response

    def snapshot(self):
        parts = []
        while not parts or not parts[-1].complete:
            response = self.next()
            check(response.WhichOneof("message") == "snapshot", "a watch from a snapshot begins with snapshot parts")
            parts.append(response.snapshot)
        return parts

    def events_until(self, done):
        """All events up to the first of which done() is true; those after it wait for the next call."""
        events = []
        while True:
            while self.waiting:
                event = self.waiting.popleft()
                events.append(event)
                if done(event):
                    return events
            response = self.next()
            if response.WhichOneof("message") == "events":
                self.waiting.extend(response.events.events)

    def stop(self):
        self.call.cancel()
        self.thread.join(CALL_DEADLINE_S)


def wait_until_serving(channel):
    health = health_pb2_grpc.HealthStub(channel)
    deadline = time.monotonic() + START_DEADLINE_S
    while True:
        left_s = deadline - time.monotonic()
        if left_s <= 0:
            raise Mismatch(f"the server serves within {START_DEADLINE_S} s")
        try:
            answer = health.Check(health_pb2.HealthCheckRequest(), timeout=left_s, wait_for_ready=True)
        except grpc.RpcError as error:
            raise Mismatch(f"grpc.health.v1 answers, but said {error.code()}") from error
        if answer.status == health_pb2.HealthCheckResponse.SERVING:
            break
        time.sleep(0.05)
    print("ok   grpc.health.v1 says SERVING")


def check_reflection(channel, version, services):
    """v1 and v1alpha differ only in their package, so that one set of messages serves for both."""
    method = channel.stream_stream(
        f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo",
        request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
        response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
    )
    requests = iter([reflection_pb2.ServerReflectionRequest(list_services="")])
    answer = next(method(requests, timeout=CALL_DEADLINE_S))
    listed = {service.name for service in answer.list_services_response.service}
    check(services <= listed, f"reflection {version} lists {len(services)} services of offpeak.v1", sorted(listed))


def check_refusal(call, code, what):
    """The call is refused with the code and exactly one ErrorInfo that gives a reason and a domain."""
    try:
        call()
    except grpc.RpcError as error:
        check(error.code() == code, f"{what} is refused with {code.name}", error.code().name)
        status = rpc_status.from_call(error)
        check(status is not None, f"{what}: grpc-status-details-bin is there")
        infos = []
        for detail in status.details:
            info = error_details_pb2.ErrorInfo()
            if detail.Unpack(info):
                infos.append(info)
        check(len(infos) == 1, f"{what}: exactly one ErrorInfo")
        check(infos[0].reason != "" and infos[0].domain != "", f"{what}: reason {infos[0].reason} of {infos[0].domain}")
        return
    raise Mismatch(f"{what} is refused")


class Session:
    """One fresh cell, taken through one job's life."""

    def __init__(self, channel, modules):
        self.pb = modules
        self.node_service = modules["node_grpc"].NodeServiceStub(channel)
        self.tenant_service = modules["tenant_grpc"].TenantServiceStub(channel)
        self.job_service = modules["job_grpc"].JobServiceStub(channel)
        self.watch_service = modules["watch_grpc"].WatchServiceStub(channel)
        self.capacity_service = modules["capacity_grpc"].CapacityServiceStub(channel)

    def resources(self, cpu_millis, memory_bytes):
        return self.pb["resources"].Resources(cpu_millis=cpu_millis, memory_bytes=memory_bytes)

    def submit_request(self, name, count, request_id):
        pb = self.pb["job"]
        spec = pb.JobSpec(count=count, request=self.resources(TASK_CPU_MILLIS, GIB))
        return pb.SubmitJobRequest(job=pb.Job(tenant=TENANT, name=name, spec=spec), request_id=request_id)

    def register_nodes(self):
        pb = self.pb["node"]
        nodes = [
            pb.Node(
                name=name,
                owner="python",
                region="loopback",
                zone=f"loopback-{index % 2}",
                capacity=self.resources(NODE_CPU_MILLIS, 32 * GIB),
            )
            for index, name in enumerate(NODES)
        ]
        request = pb.RegisterNodesRequest(nodes=nodes, request_id="register-1")
        first = self.node_service.RegisterNodes(request, timeout=CALL_DEADLINE_S)
        check(first.revision > 0, f"{len(NODES)} nodes are registered at revision {first.revision}")
        again = self.node_service.RegisterNodes(request, timeout=CALL_DEADLINE_S)
        check(again == first, "the same request_id with the same body gets the first answer")
        listed = self.node_service.ListNodes(
            pb.ListNodesRequest(min_revision=first.revision), timeout=CALL_DEADLINE_S
        )
        names = [node.name for node in listed.nodes]
        check(names == NODES, "ListNodes has them in the order of their names", names)

    def report_load(self):
        pb = self.pb["node"]
        samples = [pb.LoadSample(node=name, load=self.resources(OWNER_CPU_MILLIS, GIB)) for name in NODES]
        answer = self.node_service.ReportLoad(
            iter([pb.ReportLoadRequest(samples=samples)]), timeout=CALL_DEADLINE_S
        )
        check(answer.accepted == len(NODES), "owner load is reported on a client stream", answer.accepted)
        node = self.node_service.GetNode(
            pb.GetNodeRequest(name=NODES[0], min_revision=answer.revision), timeout=CALL_DEADLINE_S
        ).node
        check(node.owner_load.cpu_millis == OWNER_CPU_MILLIS, "GetNode shows the owner's load")
        check(
            node.headroom.cpu_millis <= NODE_CPU_MILLIS - OWNER_CPU_MILLIS,
            f"headroom leaves the owner its part: {node.headroom.cpu_millis} of {NODE_CPU_MILLIS} millis",
        )

    def create_tenant(self):
        pb = self.pb["tenant"]
        request = pb.CreateTenantRequest(tenant=pb.Tenant(name=TENANT), request_id="tenant-1")
        answer = self.tenant_service.CreateTenant(request, timeout=CALL_DEADLINE_S)
        check(answer.revision > 0, "a tenant is created")

    def watch_from_snapshot(self):
        pb = self.pb["watch"]
        request = pb.WatchRequest(snapshot=pb.FromSnapshot())
        watch = Watch(self.watch_service.Watch(request, timeout=WATCH_DEADLINE_S))
        parts = watch.snapshot()
        names = [node.name for part in parts for node in part.nodes]
        check(sorted(names) == NODES, "the snapshot has every node")
        check([tenant.name for part in parts for tenant in part.tenants] == [TENANT], "the snapshot has the tenant")
        return watch, parts[-1].revision

    def submit(self):
        """Two jobs, one in each way."""
        pb = self.pb["job"]
        unary = self.job_service.SubmitJob(self.submit_request("unary", TASKS, "job-1"), timeout=CALL_DEADLINE_S)
        check(unary.name == "unary" and unary.id > 0, f"a job of {TASKS} tasks is submitted")
        batch = pb.SubmitJobsRequest(
            jobs=[self.submit_request("streamed", TASKS, "job-2"), self.submit_request("no/name", 1, "job-3")]
        )
        answers = list(self.job_service.SubmitJobs(iter([batch]), timeout=CALL_DEADLINE_S))
        check(len(answers) == 1 and len(answers[0].results) == 2, "a batch on the stream gets one answer")
        accepted, refused = answers[0].results
        check(accepted.accepted.name == "streamed", "its first job is accepted")
        check(
            refused.refused.code == grpc.StatusCode.INVALID_ARGUMENT.value[0] and refused.refused.reason != "",
            f"its second is refused by itself: {refused.refused.reason}",
        )

    def check_placements(self, events):
        """Every task was placed exactly once, on a node that has room. Returns allocation ids by (job, task)."""
        allocations, held = {}, {}
        for event in events:
            if event.WhichOneof("kind") != "tasks_placed":
                continue
            placed = event.tasks_placed
            for placement in placed.placements:
                for offset in range(placement.count):
                    key = (placed.job, placement.task + offset)
                    check(key not in allocations, f"task {key[1]} of {key[0]} is placed once, on {placement.node}")
                    allocations[key] = placement.allocation_id + offset
                    held[placement.node] = held.get(placement.node, 0) + TASK_CPU_MILLIS
        wanted = {(job, task) for job in ("unary", "streamed") for task in range(TASKS)}
        check(set(allocations) == wanted, f"the watch shows all {len(wanted)} placements")
        check(set(held) <= set(NODES), "all on registered nodes")
        check(max(held.values()) <= NODE_CPU_MILLIS - OWNER_CPU_MILLIS, "and no node lends what its owner uses")
        listed = self.job_service.ListAllocations(
            self.pb["job"].ListAllocationsRequest(min_revision=events[-1].revision), timeout=CALL_DEADLINE_S
        )
        check(
            {allocation.id for allocation in listed.allocations} == set(allocations.values()),
            "ListAllocations has the allocations that the watch showed",
        )
        return allocations

    def report_tasks(self, ids, outcome):
        pb = self.pb["job"]
        request = pb.ReportTasksRequest(reports=[pb.TaskReport(allocation_id=id, outcome=outcome) for id in ids])
        answer = self.job_service.ReportTasks(request, timeout=CALL_DEADLINE_S)
        check(not answer.ignored_allocation_ids, f"{pb.TaskOutcome.Name(outcome)} is reported of {len(ids)} tasks")

    def finish(self, watch, allocations):
        """Reports the unary job's tasks and returns the events that follow."""
        ids = sorted(id for (job, _), id in allocations.items() if job == "unary")
        self.report_tasks(ids, self.pb["job"].TASK_OUTCOME_STARTED)
        self.report_tasks(ids, self.pb["job"].TASK_OUTCOME_SUCCEEDED)
        events = watch.events_until(lambda event: event.WhichOneof("kind") == "job_ended")
        started = [event.task_started.allocation_id for event in events if event.WhichOneof("kind") == "task_started"]
        check(sorted(started) == ids, "the watch shows every task started")
        ended = [event.task_ended for event in events if event.WhichOneof("kind") == "task_ended"]
        check(sorted(end.allocation_id for end in ended) == ids, "the watch shows every task ended")
        check(all(end.end == self.pb["watch"].TASK_END_SUCCEEDED for end in ended), "each of them succeeded")
        (job_ended,) = [event.job_ended for event in events if event.WhichOneof("kind") == "job_ended"]
        succeeded = job_ended.job == "unary" and job_ended.state == self.pb["job"].JOB_STATE_SUCCEEDED
        check(succeeded, "the watch shows the job ended: JOB_STATE_SUCCEEDED", job_ended)
        job = self.job_service.GetJob(
            self.pb["job"].GetJobRequest(tenant=TENANT, name="unary", min_revision=events[-1].revision),
            timeout=CALL_DEADLINE_S,
        ).job
        check(job.state == job_ended.state and job.tasks.succeeded == TASKS, "GetJob says the same", job)
        return events

    def check_resume(self, snapshot_revision, events):
        """A second watch from the snapshot's revision sees the same events, none missing and none twice."""
        pb = self.pb["watch"]
        revisions = [event.revision for event in events]
        check(revisions == sorted(revisions), "revisions never go back")
        check(revisions[0] > snapshot_revision, "no event is one that the snapshot had")
        request = pb.WatchRequest(after=pb.FromRevision(revision=snapshot_revision))
        watch = Watch(self.watch_service.Watch(request, timeout=WATCH_DEADLINE_S))
        again = watch.events_until(lambda event: event.WhichOneof("kind") == "job_ended")
        watch.stop()
        check(
            [event.SerializeToString(deterministic=True) for event in again]
            == [event.SerializeToString(deterministic=True) for event in events],
            f"a watch from revision {snapshot_revision} sees the same {len(events)} events",
        )

    def check_capacity(self, revision):
        pb = self.pb["capacity"]
        total = self.capacity_service.GetCapacity(
            pb.GetCapacityRequest(min_revision=revision), timeout=CALL_DEADLINE_S
        ).total
        check(total.nodes == len(NODES), "GetCapacity counts the nodes")
        lent = total.lent.cpu_millis
        check(lent == TASKS * TASK_CPU_MILLIS, "and what the other job still holds", lent)

    def check_refusals(self):
        job, node, tenant = self.pb["job"], self.pb["node"], self.pb["tenant"]
        empty = job.SubmitJobRequest(job=job.Job(tenant=TENANT, spec=job.JobSpec(count=1)))
        check_refusal(
            lambda: self.job_service.SubmitJob(empty, timeout=CALL_DEADLINE_S),
            grpc.StatusCode.INVALID_ARGUMENT,
            "a job that asks for nothing",
        )
        check_refusal(
            lambda: self.node_service.GetNode(node.GetNodeRequest(name="nowhere"), timeout=CALL_DEADLINE_S),
            grpc.StatusCode.NOT_FOUND,
            "a node that is not there",
        )
        same_id = tenant.CreateTenantRequest(tenant=tenant.Tenant(name="others"), request_id="tenant-1")
        check_refusal(
            lambda: self.tenant_service.CreateTenant(same_id, timeout=CALL_DEADLINE_S),
            grpc.StatusCode.ALREADY_EXISTS,
            "a request_id with another body",
        )


def is_last_placement():
    """Says of the event with which both jobs are placed that it is."""
    left = {"unary": TASKS, "streamed": TASKS}

    def done(event):
        if event.WhichOneof("kind") == "tasks_placed":
            left[event.tasks_placed.job] -= sum(placement.count for placement in event.tasks_placed.placements)
        return not any(left.values())

    return done


def run(endpoint):
    # A server that still starts is asked again soon.
    options = [("grpc.initial_reconnect_backoff_ms", 100)]
    with tempfile.TemporaryDirectory() as out, grpc.insecure_channel(endpoint, options=options) as channel:
        modules = generate(out)
        wait_until_serving(channel)
        services = {
            service.full_name
            for name, module in modules.items()
            if not name.endswith("_grpc")
            for service in module.DESCRIPTOR.services_by_name.values()
        }
        check_reflection(channel, "v1", services)
        check_reflection(channel, "v1alpha", services)
        session = Session(channel, modules)
        session.register_nodes()
        session.report_load()
        session.create_tenant()
        watch, snapshot_revision = session.watch_from_snapshot()
        session.submit()
        events = watch.events_until(is_last_placement())
        allocations = session.check_placements(events)
        events += session.finish(watch, allocations)
        watch.stop()
        session.check_resume(snapshot_revision, events)
        session.check_capacity(events[-1].revision)
        session.check_refusals()


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: client.py HOST:PORT")
    try:
        run(sys.argv[1])
    except Mismatch as mismatch:
        print(f"FAIL {mismatch}")
        sys.exit(1)
    except grpc.RpcError as error:
        print(f"FAIL a call ended with {error.code().name}: {error.details()}")
        sys.exit(1)
    print("the foreign client found the API as the .proto files say")


if __name__ == "__main__":
    main()
