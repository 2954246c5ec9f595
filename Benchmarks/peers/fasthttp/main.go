// SPDX-License-Identifier: Apache-2.0

// The service and the proxy of `make bench-peers`, written with fasthttp. Use: fasthttp PORT [ENDPOINT_PORT]
// Built outside of a module, where the default would be the behaviour of Go 1.20.
//
//go:debug default=go1.27
package main

import (
	"encoding/json"
	"log"
	"os"

	"github.com/valyala/fasthttp"
)

type greeting struct {
	Message string `json:"message"`
}

// fasthttp has no router of its own. It collects bodies before the handler begins, as it does by default.
func service(context *fasthttp.RequestCtx) {
	switch string(context.Path()) {
	case "/hello":
		context.WriteString("Hello, world\n")
	case "/json":
		context.SetContentType("application/json")
		json.NewEncoder(context).Encode(greeting{"Hello, world"})
	case "/echo":
		context.SetBody(context.PostBody())
	default:
		context.NotFound()
	}
}

// fasthttp has no proxy of its own either: this is what its client and its server make together.
func proxy(endpoint string) fasthttp.RequestHandler {
	client := &fasthttp.HostClient{Addr: endpoint, MaxConns: 1024}
	return func(context *fasthttp.RequestCtx) {
		request, response := &context.Request, &context.Response
		request.Header.Del("Connection")
		request.Header.Set("X-Forwarded-For", context.RemoteIP().String())
		request.Header.Set("X-Forwarded-Proto", "http")
		request.Header.SetBytesV("X-Forwarded-Host", request.Host())
		if client.Do(request, response) != nil {
			context.Error("Bad Gateway", fasthttp.StatusBadGateway)
		}
		response.Header.Del("Connection")
	}
}

func main() {
	handler := service
	if len(os.Args) > 2 {
		handler = proxy("127.0.0.1:" + os.Args[2])
	}
	server := &fasthttp.Server{Handler: handler, MaxRequestBodySize: 16 << 20}
	log.Fatal(server.ListenAndServe("127.0.0.1:" + os.Args[1]))
}
