// SPDX-License-Identifier: Apache-2.0

// The service and the proxy of `make bench-peers`, written with Go's net/http. Use: net-http PORT [ENDPOINT_PORT]
// Built outside of a module, where the default would be the behaviour of Go 1.20.
//
//go:debug default=go1.27
package main

import (
	"encoding/json"
	"io"
	"log"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"strconv"
)

type greeting struct {
	Message string `json:"message"`
}

func service() http.Handler {
	routes := http.NewServeMux()
	routes.HandleFunc("GET /hello", func(response http.ResponseWriter, _ *http.Request) {
		io.WriteString(response, "Hello, world\n")
	})
	routes.HandleFunc("GET /json", func(response http.ResponseWriter, _ *http.Request) {
		response.Header().Set("Content-Type", "application/json")
		json.NewEncoder(response).Encode(greeting{"Hello, world"})
	})
	// The body goes back while it comes, as long as it is, or in chunks as it is.
	routes.HandleFunc("POST /echo", func(response http.ResponseWriter, request *http.Request) {
		http.NewResponseController(response).EnableFullDuplex()
		if request.ContentLength >= 0 {
			response.Header().Set("Content-Length", strconv.FormatInt(request.ContentLength, 10))
		}
		io.Copy(response, request.Body)
	})
	return routes
}

func proxy(endpoint string) http.Handler {
	address := &url.URL{Scheme: "http", Host: endpoint}
	return &httputil.ReverseProxy{
		Rewrite: func(request *httputil.ProxyRequest) {
			request.SetURL(address)
			request.Out.Host = request.In.Host
			request.SetXForwarded()
		},
		// As many connections are kept as the other proxies keep, and bodies are left as they are.
		Transport: &http.Transport{MaxIdleConns: 0, MaxIdleConnsPerHost: 1024, DisableCompression: true},
	}
}

func main() {
	handler := service()
	if len(os.Args) > 2 {
		handler = proxy("127.0.0.1:" + os.Args[2])
	}
	log.Fatal(http.ListenAndServe("127.0.0.1:"+os.Args[1], handler))
}
