// The echo service on grpc-go: `grpc-go DESCRIPTORS [CERTIFICATE KEY]`. Says where it listens; SIGTERM stops it
// gracefully, the end of its standard input at once.
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	_ "google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
)

const maxConcurrentStreams = 10

type echo struct {
	address           string
	request, response protoreflect.MessageDescriptor
}

// A request, by the names of its fields.
type request struct{ *dynamicpb.Message }

func (r request) field(name string) protoreflect.Value {
	return r.Get(r.Descriptor().Fields().ByName(protoreflect.Name(name)))
}

func (r request) payload() []byte { return r.field("payload").Bytes() }

func (r request) wait() {
	time.Sleep(time.Duration(r.field("delay_ms").Uint()) * time.Millisecond)
}

func (r request) status() error {
	return status.Error(codes.Code(r.field("code").Uint()), r.field("details").String())
}

func (e *echo) new() request { return request{dynamicpb.NewMessage(e.request)} }

func (e *echo) reply(payload []byte, seen uint32) *dynamicpb.Message {
	reply := dynamicpb.NewMessage(e.response)
	fields := e.response.Fields()
	reply.Set(fields.ByName("payload"), protoreflect.ValueOfBytes(payload))
	reply.Set(fields.ByName("server"), protoreflect.ValueOfString(e.address))
	reply.Set(fields.ByName("seen"), protoreflect.ValueOfUint32(seen))
	return reply
}

func (e *echo) unary(_ any, ctx context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
	r := e.new()
	if err := decode(r.Message); err != nil {
		return nil, err
	}
	if err := grpc.SetSendCompressor(ctx, "gzip"); err != nil {
		log.Print(err)
	}
	r.wait()
	return e.reply(r.payload(), 1), r.status()
}

func (e *echo) serverStream(_ any, stream grpc.ServerStream) error {
	r := e.new()
	if err := stream.RecvMsg(r.Message); err != nil {
		return err
	}
	for range r.field("count").Uint() {
		r.wait()
		if err := stream.SendMsg(e.reply(r.payload(), 1)); err != nil {
			return err
		}
	}
	return r.status()
}

func (e *echo) clientStream(_ any, stream grpc.ServerStream) error {
	var payload []byte
	var seen uint32
	last := e.new()
	for {
		r := e.new()
		err := stream.RecvMsg(r.Message)
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		payload = append(payload, r.payload()...)
		seen++
		last = r
	}
	last.wait()
	if err := last.status(); err != nil {
		return err
	}
	return stream.SendMsg(e.reply(payload, seen))
}

func (e *echo) bidi(_ any, stream grpc.ServerStream) error {
	for seen := uint32(1); ; seen++ {
		r := e.new()
		err := stream.RecvMsg(r.Message)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		r.wait()
		if err := r.status(); err != nil {
			return err
		}
		if err := stream.SendMsg(e.reply(r.payload(), seen)); err != nil {
			return err
		}
	}
}

func (e *echo) register(server *grpc.Server) {
	server.RegisterService(&grpc.ServiceDesc{
		ServiceName: "evenkeel.echo.v1.Echo",
		HandlerType: (*any)(nil),
		Methods:     []grpc.MethodDesc{{MethodName: "Unary", Handler: e.unary}},
		Streams: []grpc.StreamDesc{
			{StreamName: "ServerStream", Handler: e.serverStream, ServerStreams: true},
			{StreamName: "ClientStream", Handler: e.clientStream, ClientStreams: true},
			{StreamName: "Bidi", Handler: e.bidi, ServerStreams: true, ClientStreams: true},
		},
	}, e)
}

func message(file string, name protoreflect.FullName) protoreflect.MessageDescriptor {
	bytes := must(os.ReadFile(file))
	set := &descriptorpb.FileDescriptorSet{}
	check(proto.Unmarshal(bytes, set))
	found := must(must(protodesc.NewFiles(set)).FindDescriptorByName(name))
	return found.(protoreflect.MessageDescriptor)
}

func must[T any](value T, err error) T {
	check(err)
	return value
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func main() {
	options := []grpc.ServerOption{grpc.MaxConcurrentStreams(maxConcurrentStreams)}
	if len(os.Args) > 3 {
		tls := must(credentials.NewServerTLSFromFile(os.Args[2], os.Args[3]))
		options = append(options, grpc.Creds(tls))
	}
	listener := must(net.Listen("tcp", "127.0.0.1:0"))
	server := grpc.NewServer(options...)
	echo := &echo{
		address:  listener.Addr().String(),
		request:  message(os.Args[1], "evenkeel.echo.v1.EchoRequest"),
		response: message(os.Args[1], "evenkeel.echo.v1.EchoReply"),
	}
	echo.register(server)
	go func() {
		io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	go func() {
		terminate := make(chan os.Signal, 1)
		signal.Notify(terminate, syscall.SIGTERM)
		<-terminate
		server.GracefulStop()
	}()
	fmt.Println("listening", echo.address)
	check(server.Serve(listener))
}
