"""The echo service on Python's grpcio: `server.py DESCRIPTORS [CERTIFICATE KEY]`. Says where it listens; SIGTERM stops
it gracefully, the end of its standard input at once."""

import os
import signal
import sys
import threading
import time
from concurrent import futures
from pathlib import Path

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

MAX_CONCURRENT_STREAMS = 10
GRACE_S = 10

descriptors = descriptor_pb2.FileDescriptorSet.FromString(Path(sys.argv[1]).read_bytes())
pool = descriptor_pool.DescriptorPool()
for file in descriptors.file:
    pool.Add(file)


def message_class(name):
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("evenkeel.echo.v1." + name))


Request, Reply = message_class("EchoRequest"), message_class("EchoReply")
CODES = {code.value[0]: code for code in grpc.StatusCode}
address = ""


def reply(payload, seen):
    return Reply(payload=payload, server=address, seen=seen)


def wait(request):
    if request.delay_ms > 0:
        time.sleep(request.delay_ms / 1000)


def fail_as_asked(request, context):
    if request.code != 0:
        context.abort(CODES[request.code], request.details)


def unary(request, context):
    wait(request)
    fail_as_asked(request, context)
    return reply(request.payload, 1)


def server_stream(request, context):
    for _ in range(request.count):
        wait(request)
        yield reply(request.payload, 1)
    fail_as_asked(request, context)


def client_stream(requests, context):
    payloads, last = [], Request()
    for last in requests:
        payloads.append(last.payload)
    wait(last)
    fail_as_asked(last, context)
    return reply(b"".join(payloads), len(payloads))


def bidi(requests, context):
    for seen, request in enumerate(requests, start=1):
        wait(request)
        fail_as_asked(request, context)
        yield reply(request.payload, seen)


def handlers():
    codec = {"request_deserializer": Request.FromString, "response_serializer": Reply.SerializeToString}
    return grpc.method_handlers_generic_handler(
        "evenkeel.echo.v1.Echo",
        {
            "Unary": grpc.unary_unary_rpc_method_handler(unary, **codec),
            "ServerStream": grpc.unary_stream_rpc_method_handler(server_stream, **codec),
            "ClientStream": grpc.stream_unary_rpc_method_handler(client_stream, **codec),
            "Bidi": grpc.stream_stream_rpc_method_handler(bidi, **codec),
        },
    )


def end_with_parent():
    sys.stdin.read()
    os._exit(0)


server = grpc.server(
    futures.ThreadPoolExecutor(max_workers=4 * MAX_CONCURRENT_STREAMS),
    options=[("grpc.max_concurrent_streams", MAX_CONCURRENT_STREAMS)],
    compression=grpc.Compression.Gzip,
)
server.add_generic_rpc_handlers((handlers(),))
if len(sys.argv) > 3:
    certificate, key = (Path(path).read_bytes() for path in sys.argv[2:4])
    port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([(key, certificate)]))
else:
    port = server.add_insecure_port("127.0.0.1:0")
address = f"127.0.0.1:{port}"
server.start()
signal.signal(signal.SIGTERM, lambda *_: server.stop(GRACE_S))
threading.Thread(target=end_with_parent, daemon=True).start()
print(f"listening {address}", flush=True)
server.wait_for_termination()
