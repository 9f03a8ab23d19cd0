// etcd's own naming package, as a program: `etcd-naming ETCD TARGET put ADDRESS | list | call`.
//
// put announces an address under the target, list says which addresses it finds there, one a line, and call asks a
// server that its resolver finds whether it serves.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/naming/endpoints"
	"go.etcd.io/etcd/client/v3/naming/resolver"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
)

func main() {
	etcd, target, command := os.Args[1], os.Args[2], os.Args[3]
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	client, err := clientv3.New(clientv3.Config{Endpoints: []string{etcd}})
	must(err)
	manager, err := endpoints.NewManager(client, target)
	must(err)
	switch command {
	case "put":
		address := os.Args[4]
		endpoint := endpoints.Endpoint{Addr: address, Metadata: map[string]string{"zone": "go"}}
		must(manager.AddEndpoint(ctx, target+"/"+address, endpoint))
	case "list":
		found, err := manager.List(ctx)
		must(err)
		for _, endpoint := range found {
			fmt.Println(endpoint.Addr)
		}
	case "call":
		builder, err := resolver.NewBuilder(client)
		must(err)
		conn, err := grpc.NewClient("etcd:///"+target,
			grpc.WithResolvers(builder), grpc.WithTransportCredentials(insecure.NewCredentials()))
		must(err)
		request := &grpc_health_v1.HealthCheckRequest{}
		reply, err := grpc_health_v1.NewHealthClient(conn).Check(ctx, request, grpc.WaitForReady(true))
		must(err)
		fmt.Println(reply.Status)
	}
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
