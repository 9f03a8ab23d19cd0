import static io.grpc.stub.ServerCalls.asyncBidiStreamingCall;
import static io.grpc.stub.ServerCalls.asyncClientStreamingCall;
import static io.grpc.stub.ServerCalls.asyncServerStreamingCall;
import static io.grpc.stub.ServerCalls.asyncUnaryCall;

import com.google.protobuf.ByteString;
import com.google.protobuf.DescriptorProtos.FileDescriptorProto;
import com.google.protobuf.DescriptorProtos.FileDescriptorSet;
import com.google.protobuf.Descriptors.Descriptor;
import com.google.protobuf.Descriptors.FileDescriptor;
import com.google.protobuf.DynamicMessage;
import io.grpc.MethodDescriptor;
import io.grpc.MethodDescriptor.MethodType;
import io.grpc.Server;
import io.grpc.ServerServiceDefinition;
import io.grpc.Status;
import io.grpc.netty.shaded.io.grpc.netty.NettyServerBuilder;
import io.grpc.protobuf.ProtoUtils;
import io.grpc.stub.ServerCallStreamObserver;
import io.grpc.stub.StreamObserver;
import java.io.File;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;

/**
 * The echo service on grpc-java and Netty: {@code Echo DESCRIPTORS [CERTIFICATE KEY]}. Says where it listens; SIGTERM stops it
 * gracefully, the end of its standard input at once.
 */
public final class Echo {
  private static final String SERVICE = "evenkeel.echo.v1.Echo";
  private static final int MAX_CONCURRENT_STREAMS = 10;
  private static final int GRACE_S = 10;

  private final Descriptor request;
  private final Descriptor reply;
  private volatile String address = "";

  private Echo(Path descriptors) throws Exception {
    FileDescriptorSet set = FileDescriptorSet.parseFrom(Files.readAllBytes(descriptors));
    FileDescriptorProto file = set.getFileList().stream()
        .filter(one -> one.getPackage().equals("evenkeel.echo.v1")).findFirst().orElseThrow();
    FileDescriptor built = FileDescriptor.buildFrom(file, new FileDescriptor[0]);
    request = built.findMessageTypeByName("EchoRequest");
    reply = built.findMessageTypeByName("EchoReply");
  }

  private Object field(DynamicMessage message, String name) {
    return message.getField(request.findFieldByName(name));
  }

  private DynamicMessage reply(ByteString payload, int seen) {
    return DynamicMessage.newBuilder(reply)
        .setField(reply.findFieldByName("payload"), payload)
        .setField(reply.findFieldByName("server"), address)
        .setField(reply.findFieldByName("seen"), seen)
        .build();
  }

  private ByteString payload(DynamicMessage message) {
    return (ByteString) field(message, "payload");
  }

  private void sleep(DynamicMessage message) {
    try {
      Thread.sleep((Integer) field(message, "delay_ms"));
    } catch (InterruptedException interrupted) {
      Thread.currentThread().interrupt();
    }
  }

  /** Whether the call has been ended with the status that the request asks for. */
  private boolean failed(DynamicMessage message, StreamObserver<DynamicMessage> replies) {
    int code = (Integer) field(message, "code");
    if (code == 0) return false;
    String details = (String) field(message, "details");
    replies.onError(Status.fromCodeValue(code).withDescription(details).asRuntimeException());
    return true;
  }

  private void compress(StreamObserver<DynamicMessage> replies) {
    ((ServerCallStreamObserver<DynamicMessage>) replies).setCompression("gzip");
  }

  private void unary(DynamicMessage message, StreamObserver<DynamicMessage> replies) {
    compress(replies);
    sleep(message);
    if (failed(message, replies)) return;
    replies.onNext(reply(payload(message), 1));
    replies.onCompleted();
  }

  private void serverStream(DynamicMessage message, StreamObserver<DynamicMessage> replies) {
    for (int sent = 0; sent < (Integer) field(message, "count"); sent++) {
      sleep(message);
      if (((ServerCallStreamObserver<DynamicMessage>) replies).isCancelled()) return;
      replies.onNext(reply(payload(message), 1));
    }
    if (!failed(message, replies)) replies.onCompleted();
  }

  private StreamObserver<DynamicMessage> clientStream(StreamObserver<DynamicMessage> replies) {
    return new StreamObserver<>() {
      private ByteString payloads = ByteString.EMPTY;
      private int seen;
      private DynamicMessage last = DynamicMessage.getDefaultInstance(request);

      @Override
      public void onNext(DynamicMessage message) {
        payloads = payloads.concat(payload(message));
        seen++;
        last = message;
      }

      @Override
      public void onError(Throwable cancelled) {}

      @Override
      public void onCompleted() {
        sleep(last);
        if (failed(last, replies)) return;
        replies.onNext(reply(payloads, seen));
        replies.onCompleted();
      }
    };
  }

  private StreamObserver<DynamicMessage> bidi(StreamObserver<DynamicMessage> replies) {
    return new StreamObserver<>() {
      private int seen;
      private boolean over;

      @Override
      public void onNext(DynamicMessage message) {
        if (over) return;
        sleep(message);
        over = failed(message, replies);
        if (!over) replies.onNext(reply(payload(message), ++seen));
      }

      @Override
      public void onError(Throwable cancelled) {}

      @Override
      public void onCompleted() {
        if (!over) replies.onCompleted();
      }
    };
  }

  private MethodDescriptor<DynamicMessage, DynamicMessage> method(MethodType type, String name) {
    return MethodDescriptor.<DynamicMessage, DynamicMessage>newBuilder()
        .setType(type)
        .setFullMethodName(MethodDescriptor.generateFullMethodName(SERVICE, name))
        .setRequestMarshaller(ProtoUtils.marshaller(DynamicMessage.getDefaultInstance(request)))
        .setResponseMarshaller(ProtoUtils.marshaller(DynamicMessage.getDefaultInstance(reply)))
        .build();
  }

  private ServerServiceDefinition service() {
    return ServerServiceDefinition.builder(SERVICE)
        .addMethod(method(MethodType.UNARY, "Unary"), asyncUnaryCall(this::unary))
        .addMethod(method(MethodType.SERVER_STREAMING, "ServerStream"), asyncServerStreamingCall(this::serverStream))
        .addMethod(method(MethodType.CLIENT_STREAMING, "ClientStream"), asyncClientStreamingCall(this::clientStream))
        .addMethod(method(MethodType.BIDI_STREAMING, "Bidi"), asyncBidiStreamingCall(this::bidi))
        .build();
  }

  public static void main(String[] args) throws Exception {
    Echo echo = new Echo(Path.of(args[0]));
    NettyServerBuilder builder = NettyServerBuilder.forAddress(new InetSocketAddress("127.0.0.1", 0))
        .maxConcurrentCallsPerConnection(MAX_CONCURRENT_STREAMS)
        .executor(Executors.newCachedThreadPool())
        .addService(echo.service());
    if (args.length > 2) builder.useTransportSecurity(new File(args[1]), new File(args[2]));
    Server server = builder.build().start();
    echo.address = "127.0.0.1:" + server.getPort();
    Runtime.getRuntime().addShutdownHook(new Thread(() -> {
      try {
        server.shutdown().awaitTermination(GRACE_S, TimeUnit.SECONDS);
      } catch (InterruptedException interrupted) {
        server.shutdownNow();
      }
    }));
    Thread watch = new Thread(() -> {
      try {
        System.in.transferTo(java.io.OutputStream.nullOutputStream());
      } catch (java.io.IOException closed) {
        // The parent has gone, one way or another.
      }
      Runtime.getRuntime().halt(0);
    });
    watch.setDaemon(true);
    watch.start();
    System.out.println("listening " + echo.address);
    server.awaitTermination();
  }
}
